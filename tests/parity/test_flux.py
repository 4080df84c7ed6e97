"""Flux is trained and drawn with the timesteps, packing, targets and weights of sd-scripts."""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lorasmith.models.architectures.parts import AUTOENCODER_KL
from lorasmith.models.diffusion import Flow, add_noise
from lorasmith.models.flux import config
from lorasmith.models.flux.base import Flux
from lorasmith.models.flux.family import FLUX
from lorasmith.models.parts import Part, build
from lorasmith.models.patches import image_ids, pack, unpack
from lorasmith.models.texts import EncodedTexts
from lorasmith.training.objective.batch_loss import predict
from lorasmith.training.objective.flow_settings import FlowSettings
from lorasmith.training.objective.losses import LOSSES, THRESHOLDS
from lorasmith.training.objective.masked import sample_mean
from lorasmith.training.objective.noise_kinds import perturbed
from lorasmith.training.objective.timestep_samplings import wants_normal
from lorasmith.training.objective.timesteps import flow_sigmas, flow_weight
from tests.bounds import FUNCTION, assert_within_rounding
from tests.reference import FOLDER, reference_cases, reference_json

NAME = "07_flux.json"


def cases_of(kind: str) -> list:
    return [case for case in reference_cases(NAME) if not isinstance(case, dict) or case["kind"] == kind]


@cache
def reference() -> dict:
    return reference_json(NAME)


@cache
def tensors() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / reference()["tensor_file"])


def assert_like(ours: torch.Tensor, theirs) -> None:
    """A sigmoid, its shift, an exponential, some products and short sums, of numbers up to the largest of the results."""
    theirs = torch.as_tensor(theirs, dtype=torch.float32)
    largest = torch.maximum(ours.abs().max(), theirs.abs().max())
    assert_within_rounding(ours, theirs, roundings=8 * FUNCTION + 32, terms=largest)


def assert_like_bf16(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal after rounding to bfloat16, or next to each other."""
    torch.testing.assert_close(ours.bfloat16().float(), theirs.float(), rtol=2**-7, atol=1e-6)


def settings(args: dict) -> FlowSettings:
    return FlowSettings(**{key: value for key, value in args.items() if key in FlowSettings.model_fields})


def numbers(draw: dict) -> torch.Tensor:
    """What a random call of the reference gave."""
    return tensors()[draw["tensor"]] if "tensor" in draw else torch.tensor(draw["value"])


def drawn_for_timesteps(draws: list, flow: FlowSettings, count: int) -> torch.Tensor:
    """The one draw of a number per sample, as we draw it: normal, of mean 0 and deviation 1."""
    found = next(numbers(d) for d in draws if d["call"] in ("torch.rand", "torch.randn", "torch.normal") and len(numbers(d)) == count)
    if flow.timestep_sampling == "sigma" and flow.weighting_scheme == "logit_normal":
        return (found - flow.logit_mean) / flow.logit_std
    return found


def size_shift(height, width):
    """The family's shift for latents of this size."""
    return math.exp(FLUX.defaults.shift.mu((height // 2) * (width // 2)))


@pytest.mark.parametrize("case", cases_of("get_noisy_model_input_and_timesteps"), ids=lambda case: case.get("id"))
def test_timesteps_and_noisy_latents_are_as_there(case):
    flow = settings(case["args"])
    count, _, height, width = case["latent_shape"]
    sigmas = flow_sigmas(drawn_for_timesteps(case["draws"], flow, count), flow, size_shift(height, width))
    if case["sigmas_dtype"] == "torch.bfloat16":  # there, the scheduler's sigmas are rounded too; ours never are
        assert_like_bf16(sigmas, torch.tensor(case["sigmas"]))
        sigmas = sigmas.bfloat16().float()
    else:
        assert_like(sigmas, case["sigmas"])
    half = case["weight_dtype"] == "bfloat16"
    (assert_like_bf16 if half else assert_like)(1000 * sigmas, torch.tensor(case["timesteps"]))
    if case["noisy_tensor"] not in tensors():
        return  # its values are not stored: only the size mattered
    latents, noise = tensors()[f"{case['id']}.latents"], tensors()[f"{case['id']}.noise"]
    if case["args"]["ip_noise_gamma"]:
        more = next(numbers(d) for d in case["draws"] if d["call"] == "torch.randn_like")
        strength = numbers(case["draws"][-1]).item() if case["args"]["ip_noise_gamma_random_strength"] else 1.0
        noise = perturbed(noise, more, case["args"]["ip_noise_gamma"] * strength)
    levels = Flow({}).levels(1000 * sigmas)
    noisy, theirs = add_noise(latents, noise, levels), tensors()[case["noisy_tensor"]]
    if half:  # there, both terms are rounded before they are summed, and may nearly cancel
        clean_share, noise_share = (level.view(-1, 1, 1, 1) for level in levels)
        assert ((noisy - theirs.float()).abs() <= 2**-7 * ((clean_share * latents).abs() + (noise_share * noise).abs())).all()
    else:
        assert_like(noisy, theirs)


@pytest.mark.parametrize("case", reference_cases(NAME, "maps"), ids=lambda case: str(case.get("args", "absent")))
def test_every_drawn_number_becomes_the_sigma_of_the_reference(case):
    flow = settings(reference()["args_defaults"] | case["args"])
    assert wants_normal(flow.timestep_sampling, flow.weighting_scheme) == (case["draw"] == "normal")
    sigmas = flow_sigmas(torch.tensor(case["in"]), flow, size_shift(*case["latent_hw"]))
    assert_like(sigmas, case["sigma"])
    assert_like(1000 * sigmas, case["timestep"])


@pytest.mark.parametrize("case", reference_cases(NAME, "loss_weighting"), ids=lambda case: case.get("weighting_scheme"))
def test_losses_are_weighted_as_there(case):
    assert_like(flow_weight(torch.tensor(case["sigmas"]), case["weighting_scheme"]), case["weight"])


@pytest.mark.parametrize("case", reference_cases(NAME, "geometry"), ids=lambda case: case.get("id"))
def test_latents_are_packed_as_there(case):
    latents = torch.arange(math.prod(case["shape"]), dtype=torch.float32).reshape(case["shape"])
    packed = pack(latents)
    assert torch.equal(packed, tensors()[f"{case['id']}.packed"])
    assert packed[0, 0, :8].tolist() == case["packed_first_token_first8"]
    height, width = case["shape"][-2:]
    assert torch.equal(image_ids(height, width).expand(case["img_ids_shape"]), tensors()[f"{case['id']}.img_ids"])
    assert torch.equal(unpack(packed, height, width), latents)


@pytest.mark.parametrize("case", reference_cases(NAME, "flux_shift_mu"), ids=lambda case: str(case.get("image_seq_len")))
def test_the_shift_grows_with_the_picture_as_there(case):
    mu = FLUX.defaults.shift.mu(case["image_seq_len"])
    assert mu == pytest.approx(case["mu"], rel=1e-6)
    assert math.exp(mu) == pytest.approx(case["exp_mu"], rel=1e-6)


@pytest.mark.parametrize("case", reference_cases(NAME, "sampling_schedules"), ids=lambda case: str(case.get("num_steps")))
def test_pictures_are_drawn_at_the_sigmas_of_the_reference(case):
    scheduler = (config.SCHEDULER if case["shift"] else config.SCHEDULER_SCHNELL)[1]
    flow = Flow(scheduler)
    sigmas = [*flow.sigmas(case["num_steps"], case["image_seq_len"]), 0.0]
    assert_like(torch.tensor([sigma * flow.signal(sigma) for sigma in sigmas]), case["timesteps"])


class Recorder(torch.nn.Module):
    """In place of the transformer: gives a set answer and keeps what it was asked."""

    config = SimpleNamespace(guidance_embeds=True)
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, answer: torch.Tensor):
        super().__init__()
        self.answer = answer
        self.somewhere = torch.nn.Parameter(torch.zeros(()))  # a module is where its parameters are

    def forward(self, **asked):
        self.asked = asked
        return SimpleNamespace(sample=self.answer)


def flux_with(transformer: torch.nn.Module) -> Flux:
    vae = build(Part(AUTOENCODER_KL, {"block_out_channels": (4,), "norm_num_groups": 2, "latent_channels": 16, "sample_size": 1024}))
    tokenizer = SimpleNamespace(bos_token_id=0, eos_token_id=1, pad_token_id=1)
    unasked = SimpleNamespace(config=None)
    modules = {"transformer": transformer, "text_encoder": unasked, "text_encoder_2": unasked, "vae": vae}
    return Flux(modules, {"tokenizer": tokenizer, "tokenizer_2": tokenizer}, Flow(config.SCHEDULER[1]), {})


@pytest.mark.parametrize("case", cases_of("process_batch"), ids=lambda case: case.get("id"))
def test_the_whole_way_to_the_loss_is_as_there(case):
    args, flow = case["args"], settings(case["args"])
    latents, noise, answer = (tensors()[f"{case['id']}.{name}"] for name in ("latents", "noise", "dit_output"))
    count, _, height, width = latents.shape
    sigmas = flow_sigmas(drawn_for_timesteps(case["draws"], flow, count), flow, size_shift(height, width))
    recorder = Recorder(answer)
    said = predict(flux_with(recorder), latents, noise, 1000 * sigmas, EncodedTexts(torch.zeros(count, 3, 8), torch.zeros(count, 8)), flow)
    assert_like(recorder.asked["hidden_states"], tensors()[f"{case['id']}.dit_img"])
    assert_like(recorder.asked["timestep"], case["dit_timesteps_arg"])
    assert_like(recorder.asked["guidance"], case["dit_guidance_arg"])
    c = torch.ones(count)
    if args["loss_type"] in ("huber", "smooth_l1"):
        c = THRESHOLDS[args["huber_schedule"]].of_samples(1000 * sigmas, None, args["huber_c"], args["huber_scale"])
    elements = LOSSES[args["loss_type"]].elements(said.prediction, said.target, c.view(-1, 1, 1, 1))
    per_sample = sample_mean(elements) * said.weight * torch.tensor(case["loss_weights"])
    assert_like(per_sample.mean(), np.float32(case["loss"]))
