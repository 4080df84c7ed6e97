"""Training on a device that takes nothing from the CPU's memory, as a GPU does: every family and every part of a step, with the CPU's losses."""

from pathlib import Path

import pytest
from PIL import Image

from lorasmith.adapters.files.lora_file import load_tensors
from lorasmith.adapters.kinds import KINDS
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.training.events import StepDone, ValidationDone
from lorasmith.training.optim.optimizers import OPTIMIZERS
from lorasmith.training.run import train
from tests.models.toys import PICTURE, PLAIN, toy_folder

SHORT = {"epochs": 1, "batch_size": 2}
WHOLE = {"train_text_encoder": True, "rank": 2}


@pytest.fixture
def losses_of(tmp_path):
    """Train with settings on a device; the losses of the steps and of the validation, and the run's folder."""

    def run(settings, device):
        seen = []

        def listen(event):
            if isinstance(event, StepDone):
                seen.append(event.loss)
            elif isinstance(event, ValidationDone):
                seen.extend(value for band in event.bands.values() for value in band["val_losses"].values())

        training = settings.training.model_copy(update={"device": device})
        folder = tmp_path / device
        result = train(settings.model_copy(update={"training": training}), folder, [listen])
        assert result.finished
        return seen, result

    return run


@pytest.fixture
def held_out(tmp_path, monkeypatch):
    """Two pictures in `held-out` that no run trains on."""
    monkeypatch.chdir(tmp_path)
    Path("held-out").mkdir()
    for number in range(2):
        draw_scene(random_scene(700 + number)).save(f"held-out/{number}.png")
        Path(f"held-out/{number}.txt").write_text("zorvex", encoding="utf-8")


def same_on_both(losses_of, settings):
    there, result = losses_of(settings, "auto")
    here, _ = losses_of(settings, "cpu")
    assert len(there) == len(here) >= 2
    assert there == pytest.approx(here, rel=1e-3)
    assert all(tensor.isfinite().all() for tensor in load_tensors(result.file).tensors.values())
    return result


@pytest.mark.parametrize("family", PLAIN)
def test_every_family_trains_and_draws(settings_for, losses_of, family):
    settings = settings_for(
        base={"path": str(toy_folder(family))}, network=WHOLE, training=SHORT,
        buckets={"resolution": PICTURE, "min_bucket_reso": 32, "max_bucket_reso": 2 * PICTURE, "bucket_reso_steps": 16},
        samples={"prompts": ["zorvex, red cat"], "width": PICTURE, "height": PICTURE, "steps": 2, "cfg_scale": 3.0},
    )  # fmt: skip
    result = same_on_both(losses_of, settings)
    assert all(Image.open(path).size == (PICTURE, PICTURE) for path in result.folder.glob("samples/*.png"))


PARTS = {
    **{f"network {name}": {"network": {"kind": name, "preset": "convolutions", "rank": 2 if "rank" in kind.settings else 16}}
       for name, kind in KINDS.items() if kind.trainable},
    "dora, dropouts": {"network": {"rank": 2, "dora": True, "dropout": 0.1, "rank_dropout": 0.1, "module_dropout": 0.1}},
    "norms": {"network": {"rank": 2, "scale_weight_norms": 1.0}},
    **{f"optimizer {name}": {"optimizer": {"type": name, "learning_rate": 1.0 if kind.learning_rate_free else 1e-4},
                             "schedule": {"lr_scheduler": "constant"}}
       for name, kind in OPTIMIZERS.items() if not kind.needs_gpu},
    "average": {"training": {**SHORT, "ema_decay": 0.9}},
    "accumulation": {"training": {**SHORT, "batch_size": 1, "gradient_accumulation_steps": 2}},
    "checkpointing": {"training": {**SHORT, "gradient_checkpointing": True}},
    "offload": {"training": {**SHORT, "offload_while_caching": True}},
    "swap": {"training": {**SHORT, "blocks_to_swap": 1}},
    "latents on disk": {"training": {**SHORT, "latents_in_memory": False}},
    "text encoders frozen": {"network": {"rank": 2, "train_text_encoder": False}, "captions": {"cached_variants": 2}},
    "captions": {"captions": {"caption_dropout_rate": 0.5, "caption_tag_dropout_rate": 0.2}, "base": {"clip_skip": 2, "weighted_captions": True}},
    "noise": {"noise": {"noise_offset": 0.05, "ip_noise_gamma": 0.1, "ip_noise_gamma_random_strength": True, "adaptive_noise_scale": 0.01}},
    "multires noise": {"noise": {"multires_noise_iterations": 4, "min_timestep": 100, "max_timestep": 900}},
    "huber": {"loss": {"loss_type": "huber", "huber_schedule": "snr"}},
    "weights": {"loss": {"min_snr_gamma": 5, "v_pred_like_loss": 0.1}},
    "debiased": {"loss": {"debiased_estimation": True, "min_snr_gamma": 0}},
    "preservation": {"loss": {"prior_preservation": 0.5}},
    "bf16": {"training": {**SHORT, "mixed_precision": "bf16", "weight_dtype": "bf16"}},
    "fp8 base": {"base": {"quantize": "fp8"}},
    "nf4 base": {"base": {"quantize": "nf4"}},
    "validation": {"validation": {"path": "held-out"}},
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_step(settings_for, losses_of, held_out, part):
    same_on_both(losses_of, settings_for(**{"training": SHORT, **PARTS[part]}))
