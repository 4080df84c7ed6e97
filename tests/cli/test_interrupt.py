"""Ctrl-C stops tidily once, and at once the second time."""

import os
import signal

import pytest

from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_asks_for_a_stop_and_the_second_one_ends_at_once(number):
    said, stopped = [], []
    before = signal.getsignal(number)
    with stop_on_ctrl_c("Stopping after this step.", said.append, lambda: stopped.append(1)) as stopping:
        assert not stopping()
        os.kill(os.getpid(), number)
        assert stopping()
        assert stopped == [1]
        assert said == ["Stopping after this step. Press Ctrl-C again to end at once."]
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), number)
        assert ended.value.code == STOPPED
    assert signal.getsignal(number) is before
