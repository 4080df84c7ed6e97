"""On a CPU nothing is recorded; what recorded passes compute is compared on a GPU (tests/gpu)."""

from lorasmith.models.open import open_base
from lorasmith.training.learner.learner import make_learner
from tests.models.toys import toy_folder


def test_passes_on_a_cpu_stay_as_they_are(settings_for):
    base = open_base(toy_folder("sd1"))
    learner, _ = make_learner(settings_for(base={"path": str(toy_folder("sd1"))}), base)
    before = base.parts[base.denoiser].forward
    learner.record_passes()
    assert learner.recorded is None
    assert base.parts[base.denoiser].forward == before
