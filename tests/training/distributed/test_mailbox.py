"""What processes on other machines send to the program that started them."""

from lorasmith.errors import RunError
from lorasmith.training.distributed.lost import LOST
from lorasmith.training.distributed.mailbox import Mailbox, why_ended
from lorasmith.training.events import Resumed, StateSaved


def test_what_was_sent_is_taken_once_and_in_order():
    mailbox = Mailbox()
    mailbox.send(Resumed(1))
    mailbox.send(StateSaved(2))
    assert mailbox.take().events == [Resumed(1), StateSaved(2)]
    assert mailbox.take().events == []


def test_processes_that_begin_again_know_why_those_before_ended_and_a_saved_state_begins_the_count_anew():
    mailbox = Mailbox()
    assert mailbox.begin() == ""
    mailbox.failed("The first.")
    mailbox.failed("The second.")
    assert mailbox.begin() == "The second."
    assert (mailbox.take().begun, mailbox.take().failures) == (2, 2)
    mailbox.send(StateSaved(3))
    assert mailbox.take().failures == 0


def test_the_process_that_ended_is_named_rather_than_those_that_lost_it():
    lost = RunError("Another process of the run has ended.", code=LOST)
    assert why_ended({0: lost, 1: MemoryError("no more")}) == "Process 2 has ended (MemoryError: no more)."
    assert why_ended({1: lost, 0: lost}).startswith("Process 1 has ended (RunError: Another process")
