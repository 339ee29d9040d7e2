#!/bin/sh
# First process of the demonstration guest. It counts in RAM, writes a journal to its disk, shows both on its screen,
# and does what it is told over its second serial port (snapgui/demo/channel.py is the other end).
export PATH=/bin HOME=/tmp TERM=linux

start_hardware() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    mount -t tmpfs run /run
    mount -t tmpfs tmp /tmp
    echo '     0' >/run/counter
    while read -r module; do insmod "/lib/$module.ko"; done </lib/order
}

mount_disks() {
    for try in 1 2 3 4 5 6 7 8 9 10; do
        [ -b /dev/vda ] && break
        usleep 100000
    done
    mount -t ext4 /dev/vda /data 2>/dev/null
    [ -b /dev/vdb ] && mount -t ext4 /dev/vdb /data2 2>/dev/null
}

# The number is written over the old one, always as wide, so that a reader never sees an empty file.
count() {
    n=0
    while :; do
        printf '%8d\n' "$n" 1<>/run/counter
        n=$((n + 1))
        usleep 100000
    done
}

keep_journal() {
    while :; do
        read -r counter </run/counter
        read -r version </data/app/version || version=none
        echo "counter=$counter version=$version" >>/data/journal.log
        sync /data/journal.log
        sleep 1
    done 2>/dev/null
}

examine_application() {
    read -r version </data/app/version || version=missing
    if (cd /data/app && sha256sum -c -s checksums); then
        health=healthy bar='\033[1;37;42m%-80s\033[0m\n'
    else
        health=BROKEN bar='\033[1;37;41m%-80s\033[0m\n'
    fi
} 2>/dev/null

# Paints over what is there, line by line, so that nothing flickers; a bar over the full width tells the state from afar.
paint() {
    title='\033[1;37;44m%-80s\033[0m\n'
    line='   \033[1;36m%-16s\033[0;37m %s\033[K\n\n'
    printf '\033[2J\033[?25l\033[9;0]'
    while :; do
        read -r counter </run/counter
        read -r uptime _ </proc/uptime
        examine_application
        lines=$(wc -l </data/journal.log 2>/dev/null)
        files=$(ls /data/app/data 2>/dev/null | wc -l)
        printf '\033[H'
        printf "$title" '' '   snapgui demo guest' ''
        printf '\n'
        printf "$line" 'Counter in RAM' "$(printf '\033[1;33m')$counter"
        printf "$line" 'Up' "${uptime%.*} seconds"
        printf "$line" 'Journal on disk' "${lines:-0} lines"
        printf "$line" 'Application' "version $version, $files data files"
        printf "$bar" '' "   The application is $health." ''
        sleep 1
    done
}

power_off_on_button() {
    for event in /sys/class/input/event*; do
        read -r name <"$event/device/name"
        [ "$name" = 'Power Button' ] || continue
        dd bs=24 count=1 of=/dev/null if="/dev/input/${event##*/}" 2>/dev/null
        sync
        poweroff -f
    done
}

# A request is one line: "run TOKEN COMMAND TOKEN", in the command \ and newline are written \\ and \n.
# Lines that lost a part (the sender's QEMU was replaced meanwhile) lack the second token and are dropped; a request
# that is sent again is done once. Answer: "TOKEN begin", the output, "TOKEN end STATUS".
serve() {
    stty -F /dev/ttyS1 raw -echo
    exec 3<>/dev/ttyS1
    last=
    while :; do
        read -r verb token command <&3 || { sleep 1; continue; }
        [ "$verb" = run ] && [ "$token" != "$last" ] || continue
        case $command in *" $token") ;; *) continue ;; esac
        last=$token
        command=$(printf '%b.' "${command% "$token"}")
        printf '\n%s begin\n' "$token" >&3
        (eval "${command%.}") </dev/null >&3 2>&1 3>&-
        printf '\n%s end %d\n' "$token" "$?" >&3
    done
}

start_hardware
count &
mount_disks
keep_journal &
paint >/dev/tty0 &
power_off_on_button &
serve
