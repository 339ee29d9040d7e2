#!/bin/bash
# First process of a stack's own mount and process namespaces (stacks.py starts it, as root): mounts what libvirtd
# needs, starts it, and starts it again for each line “start” on the standard input. When the input ends, or this
# process is killed, the kernel ends the daemon and every QEMU, and the mounts are gone.
# usage: daemon.sh STATE [ROOT]   STATE is visible inside ROOT at the same path.
set -eu
state=$1 root=${2-}

# Keep the mounts below from the rest of the machine. In a chroot whose root is no mount point this cannot be said.
mount --make-rprivate / 2>/dev/null || true

if [ -n "$root" ]; then
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs run "$root/run"
    mount -t tmpfs tmp "$root/tmp"
    mkdir -p "$root$state"
    mount --bind "$state" "$root$state"
    # libvirtd looks up who connects: add the owner of the state to those whom the root knows.
    for kind in passwd:%u group:%g; do
        name=${kind%:*}
        { cat "$root/etc/$name"; getent "$name" "$(stat -c "${kind#*:}" "$state")"; } >"$state/etc/$name"
        mount --bind "$state/etc/$name" "$root/etc/$name"
    done
fi
for pair in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
    mkdir -p "$root${pair#*:}"
    mount --bind "$state/${pair%%:*}" "$root${pair#*:}"
done

start() {
    ${root:+chroot "$root"} /usr/sbin/libvirtd --listen --pid-file "$state/libvirtd.pid" \
        --config /etc/libvirt/libvirtd.conf </dev/null >>"$state/log/libvirtd.log" 2>&1 &
}

start
while read -r order; do
    [ "$order" = start ] && start
done
