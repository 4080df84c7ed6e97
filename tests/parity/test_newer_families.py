"""The newer families are trained at the timesteps of musubi-tuner and sd-scripts, and drawn at those of diffusers.

Every file of the schema `families/1` in the reference's folder is taken, whatever its name.
"""

import json
import math

import pytest
import torch

from lorasmith.models.diffusion import Flow, add_noise
from lorasmith.models.families import FAMILIES
from lorasmith.models.patches import pack, unpack
from lorasmith.models.sigmas import flow
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.timesteps import flow_sigmas
from tests.bounds import FUNCTION, assert_within_rounding
from tests.reference import FOLDER

NAMES = {
    "flux": "flux",
    "qwen_image": "qwen_image",
    "zimage": "zimage",
    "krea2": "krea2",
    "anima": "anima",
    "flux2": "klein",
    "flux2 klein": "klein",
}
"""The reference's name of a family -> ours."""
DEFAULTS = {"time_shift_type": "exponential"}
"""Of diffusers' scheduler, which a record need not write."""
ROUNDINGS = 8 * FUNCTION + 32


def records(key):
    """The records of all files; those of families that are not here yet are skipped by name."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree.get("schema") == "families/1":
            found += [pytest.param(each, id=f"{path.stem} {key} {number}") for number, each in enumerate(tree[key])]
    return found or [pytest.param(None, marks=pytest.mark.skip(reason="the reference numbers are not on this machine"))]


def record_of(name):
    family = NAMES.get(name)
    if family not in FAMILIES:
        pytest.skip(f"the family {name} is not supported")
    return FAMILIES[family]


def own_shift(family, height, width):
    """The family's shift of sigmas for latents of this size, in tokens of 2 x 2; FLUX.2's are folded already."""
    patch = 1 if family == "flux2" else 2
    return math.exp(record_of(family).defaults.shift.mu((height // patch) * (width // patch)))


def sigmas_of(case, drawn, size):
    """Ours for the numbers that were drawn there, with the settings of the case."""
    sampling = case["args"]["timestep_sampling"]
    by_size = sampling.endswith("_shift")
    settings = FlowSettings(**{**case["args"], "timestep_sampling": "flux_shift" if by_size else sampling})
    return flow_sigmas(torch.tensor(drawn), settings, own_shift(case["family"], *size) if by_size else 1.0)


@pytest.mark.parametrize("case", records("maps"))
def test_every_drawn_number_becomes_the_sigma_of_the_reference(case):
    assert case["draw"] == "normal"
    ours, theirs = sigmas_of(case, case["in"], case["latent_hw"]), torch.tensor(case["sigma"])
    assert_within_rounding(ours, theirs, roundings=ROUNDINGS, terms=torch.ones(()))


@pytest.mark.parametrize("case", records("cases"))
def test_latents_are_noised_as_there(case):
    (draw,) = case["draws"]
    sigmas = sigmas_of(case, draw["value"], case["latent_shape"][-2:])
    # There a timestep of 1000 t + 1 is made before t is read back from it, in numbers of up to 1000.
    assert_within_rounding(sigmas, torch.tensor(case["sigmas"]), roundings=ROUNDINGS, terms=torch.ones(()))
    latents, noise, theirs = (torch.tensor(case[name]).reshape(case["latent_shape"]) for name in ("latents", "noise", "noisy"))
    noisy = add_noise(latents, noise, Flow({}).levels(1000 * sigmas))
    assert_within_rounding(noisy, theirs, roundings=ROUNDINGS, terms=latents.abs() + noise.abs())


@pytest.mark.parametrize("case", records("mu"))
def test_the_shift_grows_with_the_picture_as_there(case):
    for name, theirs in case.items():
        family = NAMES.get(name.removesuffix("_by_steps"))
        if family in FAMILIES:
            shift, tokens = FAMILIES[family].defaults.shift, case["image_seq_len"]
            by_steps = theirs if isinstance(theirs, dict) else {None: theirs}
            ours = {steps: shift.mu(tokens, None if steps is None else int(steps)) for steps in by_steps}
            assert ours == pytest.approx(by_steps, rel=1e-6)


@pytest.mark.parametrize("case", records("sampling_schedules"))
def test_pictures_are_drawn_at_the_sigmas_of_the_reference(case):
    config, steps = case["config"], case["steps"]
    ours = flow(steps, case.get("mu", math.log(config["shift"])), config.get("shift_terminal"))
    fractions = torch.tensor([sigma / (1 + sigma) for sigma in ours] + [0.0])
    assert_within_rounding(fractions, torch.tensor(case["sigmas"]), roundings=ROUNDINGS, terms=torch.ones(()))
    if (family := NAMES.get(case["family"])) in FAMILIES:
        assert config.items() <= {**DEFAULTS, **FAMILIES[family].usual.scheduler[1]}.items()


@pytest.mark.parametrize("case", records("geometry"))
def test_latents_are_packed_as_there(case):
    if "packed_shape" not in case or case["shape"][2] != 1:
        pytest.skip("it does not pack latents, or folds them before")
    latents = torch.arange(math.prod(case["shape"]), dtype=torch.float32).reshape(case["shape"])[:, :, 0]
    packed = pack(latents)
    assert list(packed.shape) == case["packed_shape"]
    assert [packed[0, token, :8].tolist() for token in (0, 1)] == [case["token0_first8"], case["token1_first8"]]
    assert torch.equal(unpack(packed, *latents.shape[-2:]), latents)
