"""What the kohya_ss GUI saves (JSON), as the options that it would start sd-scripts with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.training.importers.found import Found, typed, words_of
from lorasmith.training.importers.sd_scripts_command import options_of
from lorasmith.training.importers.sd_scripts_options import our_schedule
from lorasmith.training.importers.sd_scripts_toml import dataset_alone, with_dataset
from lorasmith.training.optim.schedules import SCHEDULES


def from_json(tree: dict[str, Any], path: Path) -> Found:
    if isinstance(tree.get("datasets"), list):
        return dataset_alone(tree, path)
    if not {"LoRA_type", "max_resolution", "train_batch_size", "network_dim"} & tree.keys():
        raise SettingsError(
            f"{path} has none of the settings of kohya_ss. Give a file that its LoRA page saved.", code="import.form", path=str(path)
        )
    _refuse_other_pages(tree, path)
    return _from_gui(tree, path)


_PAGES: Mapping[str, tuple[str, ...]] = {
    "Textual Inversion": ("num_vectors_per_token", "init_word", "token_string"),
    "Finetune": ("image_folder", "dataset_repeats", "use_latent_files", "caption_metadata_filename"),
    "Dreambooth": ("stop_text_encoder_training", "learning_rate_te", "no_token_padding"),
}
"""Page of the GUI -> options that it alone saves, beside the LoRA page's; the LoRA page's own files have a LoRA_type or a network_dim."""
_OTHER_FAMILIES: Mapping[str, str] = {
    "sd3_checkbox": "Stable Diffusion 3", "hunyuan_image_checkbox": "HunyuanImage", "anima_checkbox": "Anima",
}  # fmt: skip
"""The GUI's switch -> a family whose settings in its files are not read."""


def _refuse_other_pages(tree: Mapping[str, Any], path: Path) -> None:
    """Raises SettingsError where another page than that for LoRAs saved the file, or one of another family's is trained."""
    if "LoRA_type" not in tree and "network_dim" not in tree:
        page = next((page for page, own in _PAGES.items() if set(own) & tree.keys()), "")
        raise SettingsError(
            f"{path} is of the {f'{page} page' if page else 'wrong page'} of kohya_ss, which trains no LoRA. Give a file that its LoRA page saved.",
            code="import.page", path=str(path), page=page,
        )  # fmt: skip
    known = {family.sd_scripts.gui_flag for family in FAMILIES.values() if family.sd_scripts}
    readable = [family.title for family in FAMILIES.values() if family.sd_scripts]
    for switch, title in _OTHER_FAMILIES.items():
        if switch not in known and typed(tree.get(switch)) is True:
            raise SettingsError(
                f"{path} is for {title}, for which kohya_ss's settings are not read. Give one for {', '.join(readable)}, or start from scratch: lorasmith new.",
                code="import.family", path=str(path), family=title,
            )  # fmt: skip


_PREFIXES = ("sd3_", "hunyuan_", "anima_", "lumina_")
_GUI_NAMES = {
    "max_resolution": "resolution", "optimizer": "optimizer_type", "lora_network_weights": "network_weights",
    "sdxl_cache_text_encoder_outputs": "cache_text_encoder_outputs", "sdxl_no_half_vae": "no_half_vae",
    "flux1_cache_text_encoder_outputs": "cache_text_encoder_outputs",
    "flux1_cache_text_encoder_outputs_to_disk": "cache_text_encoder_outputs_to_disk",
    "flux1_t5xxl_max_token_length": "t5xxl_max_token_length", "flux_fp8_base": "fp8_base",
}  # fmt: skip

# LoRA type -> module, algorithm and the arguments that the GUI hands on for it.
_LYCORIS = ("preset", "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "use_tucker", "use_scalar", "rank_dropout_scale",
            "train_norm", "bypass_mode", "dora_wd")  # fmt: skip
_BLOCKS = ("down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold", "block_dims", "block_alphas",
           "rank_dropout", "module_dropout")  # fmt: skip
GUI_TYPES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "Standard": ("networks.lora", "", _BLOCKS),
    "Kohya LoCon": ("networks.lora", "", (*_BLOCKS, "conv_dim", "conv_alpha", "conv_block_dims", "conv_block_alphas")),
    "Kohya DyLoRA": ("networks.dylora", "", ("conv_dim", "conv_alpha", "unit", *_BLOCKS)),
    "LoRA-FA": ("networks.lora_fa", "", _BLOCKS),
    "Flux1": ("networks.lora_flux", "", (
        "train_blocks", "split_qkv", "train_t5xxl", "rank_dropout", "module_dropout", "train_double_block_indices", "train_single_block_indices",
        "img_attn_dim", "img_mlp_dim", "img_mod_dim", "single_dim", "txt_attn_dim", "txt_mlp_dim", "txt_mod_dim", "single_mod_dim", "in_dims",
    )),
    "Lumina": ("networks.lora_lumina", "", ("rank_dropout", "module_dropout")),
    "LoCon": ("lycoris.kohya", "locon", _LYCORIS), "LyCORIS/LoCon": ("lycoris.kohya", "locon", _LYCORIS),
    "LyCORIS/LoHa": ("lycoris.kohya", "loha", _LYCORIS),
    "LyCORIS/LoKr": ("lycoris.kohya", "lokr", (*_LYCORIS, "factor", "use_cp", "decompose_both")),
    "LyCORIS/iA3": ("lycoris.kohya", "ia3", ("preset", "conv_dim", "conv_alpha", "train_on_input")),
    "LyCORIS/DyLoRA": ("lycoris.kohya", "dylora", (*_LYCORIS, "unit")),
    "LyCORIS/GLoRA": ("lycoris.kohya", "glora", _LYCORIS),
    "LyCORIS/Diag-OFT": ("lycoris.kohya", "diag-oft", (*_LYCORIS, "constraint", "rescaled")),
    "LyCORIS/BOFT": ("lycoris.kohya", "boft", (*_LYCORIS, "constraint", "rescaled")),
    "LyCORIS/Native Fine-Tuning": ("lycoris.kohya", "full", _LYCORIS),
}  # fmt: skip
_GUI_NETWORK_ARGS = {"LyCORIS_preset": "preset", "constrain": "constraint"} | {
    name: name for _, _, names in GUI_TYPES.values() for name in names if name not in ("preset", "constraint")
}  # fmt: skip


def _from_gui(tree: dict[str, Any], path: Path) -> Found:
    """The options that the GUI would start sd-scripts with."""
    found = Found("settings of the kohya_ss GUI (JSON)", family=family_of_switches(tree))
    rest = {name: typed(value) for name, value in tree.items()}

    def put(option: str, value: Any, called: str) -> None:
        found.options[option] = value
        if called != option:
            found.called[option] = called

    _gui_prefixed(rest, found, put)
    if found.is_flow:
        _gui_flow(rest, found, put)
    _gui_zeros(rest, found)
    _gui_network(rest, found, put, path)
    _gui_cycles(rest, found, put)
    _gui_length(rest, found, put)
    _gui_rates(rest, found, put)
    offset_type = rest.pop("noise_offset_type", "Original")
    original = offset_type == "Original"
    others = ("multires_noise_iterations", "multires_noise_discount") if original else ("noise_offset", "adaptive_noise_scale")
    _gui_unused(rest, found, others, f"noise_offset_type is {offset_type}")
    for family in FAMILIES.values():
        if family.sd_scripts and family.name != found.family:
            own = found.sd_scripts.options if found.sd_scripts else {}
            _gui_unused(rest, found, [name for name in family.sd_scripts.options if name not in own], f"it is for {family.title}")
    more = rest.pop("additional_parameters", "")
    for name, value in rest.items():
        put(_GUI_NAMES.get(name, name), value, name)
    if more:
        for name, value in options_of(words_of(more)).items():
            put(name, value, f"additional_parameters --{name}")
    return with_dataset(found, path)


def family_of_switches(tree: Mapping[str, Any]) -> str | None:
    """The family whose switch is on; None: one without a switch."""
    switches = {family.sd_scripts.gui_flag: name for name, family in FAMILIES.items() if family.sd_scripts and family.sd_scripts.gui_flag}
    return next((name for switch, name in switches.items() if tree.get(switch)), None)


_SD3_ALONE = ("weighting_scheme", "logit_mean", "logit_std", "mode_scale")


def _gui_prefixed(rest: dict[str, Any], found: Found, put: Any) -> None:
    """The options that the page has for each of some families by itself; those of families that are off are for nobody."""
    own = found.sd_scripts.gui_prefix if found.sd_scripts else ""
    for name in [name for name in rest if name.startswith(_PREFIXES)]:
        value = rest.pop(name)
        if own and name.startswith(own):
            option = name.removeprefix(own)
            rest.pop(option, None)  # the same of another family
            put(option, value, name)
        else:
            found.off.append(name)


def _gui_flow(rest: dict[str, Any], found: Found, put: Any) -> None:
    """What the page does for Flux alone: the rate of T5, the blocks of split_mode, and nothing of the rows for Stable Diffusion 3."""
    _gui_unused(rest, found, _SD3_ALONE, "the GUI hands it on for Stable Diffusion 3 alone")
    t5, encoder = rest.pop("t5xxl_lr", 0), rest.get("text_encoder_lr")
    if rest.get("train_t5xxl") and encoder:
        put("text_encoder_lr", [rest.pop("text_encoder_lr"), t5 or encoder], "text_encoder_lr, t5xxl_lr")
    elif t5:
        found.unused["t5xxl_lr"] = "the GUI hands it on with train_t5xxl and text_encoder_lr alone"
    if rest.pop("split_mode", False):
        found.notes.append("split_mode trains the single blocks alone there; so it is here, by network.layers.")
        rest["train_blocks"] = "single"


def _gui_unused(rest: dict[str, Any], found: Found, names: Iterable[str], why: str) -> None:
    """Options that the GUI leaves out in this case."""
    for name in names:
        if not rest.get(name, 1):
            found.off.append(name)
        if rest.pop(name, None):
            found.unused[name] = why


def _gui_network(rest: dict[str, Any], found: Found, put: Any, path: Path) -> None:
    """The network's module and arguments, of those that the GUI hands on for its type."""
    lora_type = str(rest.pop("LoRA_type", "Standard"))
    if lora_type not in GUI_TYPES:
        raise SettingsError(
            f"{path} trains {lora_type!r}, which Lorasmith does not. It knows {', '.join(GUI_TYPES)}.",
            code="import.network",
            path=str(path),
        )
    module, algo, handed_on = GUI_TYPES[lora_type]
    put("network_module", module, "LoRA_type")
    args = [f"algo={algo}"] if algo else []
    for name, argument in _GUI_NETWORK_ARGS.items():
        if name not in rest:
            continue
        if (value := rest.pop(name)) in (None, "", False):
            found.off.append(name)
        elif argument not in handed_on:
            found.unused[name] = f"the GUI hands it on for other LoRA types than {lora_type}"
        elif value or argument in ("conv_dim", "conv_alpha"):
            args.append(f"{argument}={value}")
        else:
            found.off.append(name)
    put("network_args", args, "LoRA_type")


_NEVER_ZERO = ("max_grad_norm", "prior_loss_weight", "network_alpha", "network_dim", "train_batch_size", "gradient_accumulation_steps", "min_bucket_reso",
               "max_bucket_reso", "bucket_reso_steps", "huber_c", "huber_scale", "guidance_scale", "discrete_flow_shift", "max_timestep", "lr_scheduler_power")  # fmt: skip
"""Options that the GUI cannot set to 0: it hands on nothing that is 0, and their defaults are not."""


def _gui_zeros(rest: dict[str, Any], found: Found) -> None:
    for name in _NEVER_ZERO:
        value = rest.get(name)
        if isinstance(value, int | float) and value == 0:
            del rest[name]
            found.unused[name] = "the GUI hands on nothing that is 0, which means the default there"


def _gui_cycles(rest: dict[str, Any], found: Found, put: Any) -> None:
    """Where the number of restarts is left empty, it is that of the epochs."""
    epochs = rest.get("epoch")
    is_empty = rest.get("lr_scheduler_num_cycles") in ("", None)
    schedule = SCHEDULES.get(our_schedule(str(rest.get("lr_scheduler") or "")) or "")
    if is_empty and epochs and schedule is not None and schedule.restarts:
        rest.pop("lr_scheduler_num_cycles", None)
        put("lr_scheduler_num_cycles", epochs, "epoch")
        found.notes.append(
            f"lr_scheduler_num_cycles is empty, which means epoch ({epochs}) to the GUI, so that the schedule starts again as often."
        )


def _gui_length(rest: dict[str, Any], found: Found, put: Any) -> None:
    """max_train_epochs counts before max_train_steps, and that before epoch; lr_warmup is in percent, and lr_warmup_steps counts before it."""
    given = [name for name in ("max_train_epochs", "max_train_steps", "epoch") if rest.get(name)]
    found.off += [
        name
        for name in ("max_train_epochs", "max_train_steps", "epoch", "lr_warmup", "lr_warmup_steps")
        if rest.get(name, 1) in ("", 0, None)
    ]
    if given == ["epoch"] and rest.get("dataset_config"):
        found.unused["epoch"] = "with a dataset_config the GUI hands on no length, and sd-scripts trains its 1600 steps"
        rest.pop("epoch")
        given = []
    for name in ("max_train_epochs", "max_train_steps", "epoch"):
        value = rest.pop(name, None)
        if name in given[:1]:
            put("max_train_steps" if name == "max_train_steps" else "max_train_epochs", value, name)
        elif value:
            found.unused[name] = f"{given[0]} decides"
    percent, steps = rest.pop("lr_warmup", 0), rest.pop("lr_warmup_steps", 0)
    if steps:
        put("lr_warmup_steps", steps, "lr_warmup_steps")
        if percent:
            found.unused["lr_warmup"] = "lr_warmup_steps decides"
    elif isinstance(percent, int | float) and percent:
        put("lr_warmup_steps", percent / 100, "lr_warmup")


def _gui_rates(rest: dict[str, Any], found: Found, put: Any) -> None:
    """Rates of 0 are not given; with only one of the two, only that part trains."""
    unet, encoder = (rest.pop(name, 0) or 0 for name in ("unet_lr", "text_encoder_lr"))
    encoders = found.options.get("text_encoder_lr") or [encoder]  # of Flux both are there already
    encoder = encoders[0]
    if unet:
        put("unet_lr", unet, "unet_lr")
    if encoder:
        put("text_encoder_lr", encoders, found.called.get("text_encoder_lr", "text_encoder_lr"))
    if unet and not encoder:
        put("network_train_unet_only", True, "text_encoder_lr")
    if encoder and not unet:
        put("network_train_text_encoder_only", True, "unet_lr")
    if not unet and not encoder:
        found.off += ["unet_lr", "text_encoder_lr"]
    if (unet or encoder) and rest.pop("learning_rate", None):
        found.unused["learning_rate"] = "unet_lr and text_encoder_lr decide"
