"""What other trainers' settings call each family, word by word, as their source has it; what is not trained here is refused by its name.

OneTrainer: modules/util/enum/ModelType.py at 034da92, and KREA_2 of modules/modelLoader/Krea2ModelLoader.py. SimpleTuner: simpletuner/helpers/models/
model_metadata.json at 16774a3, krea2/model.py at af3c259; its quickstarts write z-image. ai-toolkit: `arch` of the classes in
extensions_built_in/diffusion_models at 072783b and of krea2/krea2.py at 7a089fd; switches of config/examples. It takes off what is behind a colon.
SD-Trainer (lora-scripts): model_train_type of mikazuki/app/api.py; "sd-lora" is for both Stable Diffusion 1.x and 2.x.
"""

import json

import pytest

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.import_settings import import_settings
from lorasmith.training.importers.option_table import family_or_refusal

WORDS = {
    "OneTrainer": {
        "STABLE_DIFFUSION_15": "sd1", "STABLE_DIFFUSION_20": "sd2", "STABLE_DIFFUSION_20_BASE": "sd2", "STABLE_DIFFUSION_21": "sd2",
        "STABLE_DIFFUSION_21_BASE": "sd2", "STABLE_DIFFUSION_XL_10_BASE": "sdxl", "FLUX_DEV_1": "flux", "FLUX_2": "klein", "CHROMA_1": "chroma",
        "QWEN": "qwen_image", "ANIMA": "anima", "Z_IMAGE": "zimage", "KREA_2": "krea2", "STABLE_DIFFUSION_3": "sd3", "STABLE_DIFFUSION_35": "sd3",
        **dict.fromkeys((
            "STABLE_DIFFUSION_15_INPAINTING", "STABLE_DIFFUSION_20_DEPTH", "STABLE_DIFFUSION_XL_10_BASE_INPAINTING",
            "WUERSTCHEN_2", "STABLE_CASCADE_1", "PIXART_SIGMA", "FLUX_FILL_DEV_1", "SANA", "HUNYUAN_VIDEO", "HI_DREAM_FULL", "ERNIE",
        )),
    },
    "SimpleTuner": {
        "sd1x": "sd1", "sd2x": "sd2", "sdxl": "sdxl", "flux": "flux", "flux2": "klein", "chroma": "chroma", "qwen_image": "qwen_image",
        "anima": "anima", "z_image": "zimage", "z-image": "zimage", "krea2": "krea2", "lumina2": "lumina2", "sd3": "sd3",
        **dict.fromkeys(("z_image_omni", "hidream", "sana", "wan", "ernie", "pixart", "auraflow", "omnigen", "kolors", "cosmos", "longcat_image")),
    },
    "ai-toolkit": {
        "sd1": "sd1", "sd15": "sd1", "sd2": "sd2", "is_v2": "sd2", "sdxl": "sdxl", "is_xl": "sdxl", "flux": "flux", "is_flux": "flux",
        "chroma": "chroma", "qwen_image": "qwen_image", "flux2_klein_4b": "klein", "flux2_klein_9b": "klein", "zimage": "zimage",
        "anima": "anima", "krea2": "krea2", "lumina2": "lumina2", "is_lumina2": "lumina2", "sd3": "sd3", "is_v3": "sd3",
        **dict.fromkeys((
            "flux2", "flux_kontext", "chroma_radiance", "qwen_image_edit", "qwen_image_edit_plus", "krea2_edit", "hidream", "omnigen2", "wan22_5b",
            "ernie_image", "flex1", "flex2",
        )),
    },
}  # fmt: skip
"""Trainer -> its word -> the family here; None: not trained."""
ROWS = [(trainer, word, family) for trainer, words in WORDS.items() for word, family in words.items()]


@pytest.mark.parametrize(("trainer", "word", "family"), ROWS, ids=[f"{trainer} {word}" for trainer, word, _ in ROWS])
def test_a_word_means_its_family_or_is_refused_by_name(trainer, word, family, tmp_path):
    if family is not None:
        assert family_or_refusal(word, tmp_path / "a.json", trainer) == family
        return
    with pytest.raises(SettingsError, match=f"trains {word} with {trainer}, which Lorasmith does not"):
        family_or_refusal(word, tmp_path / "a.json", trainer)


def test_no_record_has_a_word_that_was_not_looked_up():
    known = {(trainer, word) for trainer, word, family in ROWS if family is not None} | {("ai-toolkit", "sd")}
    known |= {("SD-Trainer", "sd-lora"), ("SD-Trainer", "sdxl-lora"), ("SD-Trainer", "flux-lora"), ("SD-Trainer", "chroma-lora")}
    assert {
        (trainer, word) for family in FAMILIES.values() for trainer, words in family.called_elsewhere.items() for word in words
    } <= known


# ---- distilled variants come with their training adapter

ADAPTER = "ostris/zimage_turbo_training_adapter/zimage_turbo_training_adapter_v2.safetensors"
JOB = {"job": "extension", "config": {"name": "kite", "process": [{
    "type": "diffusion_trainer", "network": {"type": "lora", "linear": 16}, "datasets": [{"folder_path": "pics"}],
    "model": {"name_or_path": "Tongyi-MAI/Z-Image-Turbo", "arch": "zimage:turbo", "assistant_lora_path": ADAPTER},
}]}}  # fmt: skip
TUNER = {
    "model_family": "z-image",
    "model_type": "lora",
    "pretrained_model_name_or_path": "Tongyi-MAI/Z-Image-Turbo",
    "max_train_steps": 100,
}


def merged(folder, tree):
    file = folder / "a.json"
    file.write_text(json.dumps(tree), encoding="utf-8")
    found = import_settings(file)
    carried = {each.ours: each.value for each in found.carried}
    return carried.get("base.merge")


@pytest.mark.parametrize(
    ("tree", "adapter"),
    [
        (JOB, [{"path": ADAPTER}]), (TUNER, None), ({**TUNER, "model_flavour": "base"}, None), ({**TUNER, "model_flavour": "ostris-de-turbo"}, None),
        ({**TUNER, "model_flavour": "turbo-ostris-v2"}, [{"path": ADAPTER}]), ({**TUNER, "model_flavour": "turbo"}, [{"path": ADAPTER.replace("v2", "v1")}]),
        ({**TUNER, "model_flavour": "turbo", "disable_assistant_lora": True}, None),
        ({**TUNER, "assistant_lora_path": "me/mine", "assistant_lora_weight_name": "a.safetensors", "assistant_lora_strength": 0.5},
         [{"path": "me/mine/a.safetensors", "strength": 0.5}]),
    ],
)  # fmt: skip
def test_the_training_adapter_of_a_distilled_base_is_merged_here_too(tmp_path, tree, adapter):
    assert merged(tmp_path, tree) == adapter
