"""An effort for proofs in tests: few pictures in few steps, but of every kind of prompt."""

import pytest

from lorasmith.evaluation.prompts import Counts
from lorasmith.evaluation.proof.plan import EFFORTS, Effort


@pytest.fixture(scope="module")
def tiny_effort():
    """It is called "tiny"."""
    tiny = Effort("for tests", Counts(3, 2, 2, 2, 3), most_steps=3, most_drawn=2, loss_pictures=2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(EFFORTS, "tiny", tiny)
        yield tiny
