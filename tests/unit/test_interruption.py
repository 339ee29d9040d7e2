"""Ctrl-C and ``kill`` on the command line."""

import os
import signal

import pytest

from snapgui.cli.interruption import SIGNALS, Interruption


@pytest.mark.parametrize("number", SIGNALS)
def test_before_a_change_a_signal_ends_the_command(number: signal.Signals) -> None:
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert interruption.cancel.is_set()


@pytest.mark.parametrize("number", SIGNALS)
def test_during_a_change_a_signal_is_only_noted(number: signal.Signals) -> None:
    with Interruption() as interruption:
        interruption.begin_change()
        for times in (1, 2):
            os.kill(os.getpid(), number)
            assert interruption.times == times
        assert interruption.cancel.is_set()


def test_what_a_shell_ignores_stays_ignored_and_the_rest_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGINT, usual)
