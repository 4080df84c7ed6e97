"""The files in which users of sd-scripts and its front ends keep their settings, read into options under sd-scripts' names.

    .json                     what the kohya_ss GUI saves, or a dataset configuration
    .toml                     a --config_file, with or without the dataset in it, or a --dataset_config
    .sh .bat .cmd .ps1 .txt   a command: accelerate launch ... sdxl_train_network.py --network_dim=16 ...

A command may name a --config_file and a --dataset_config; they are read along. As in sd-scripts, an option of the command counts
before one of the file, and one of a subset before one of its dataset, of [general] and of the command.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lorasmith.errors import SettingsError
from lorasmith.models.families import FAMILIES
from lorasmith.models.family import SdScripts
from lorasmith.secrets import without_secrets
from lorasmith.training.importers.documents import beside, read_json, read_text, read_toml
from lorasmith.training.importers.powershell import read_batch, read_powershell
from lorasmith.training.importers.shell import Script, read_shell

SCRIPTS: Mapping[str, tuple[str, ...]] = {
    script: tuple(name for name, family in FAMILIES.items() if family.sd_scripts and family.sd_scripts.script == script)
    for script in dict.fromkeys(family.sd_scripts.script for family in FAMILIES.values() if family.sd_scripts)
}
"""Script -> the families that it trains."""


@dataclass
class Found:
    """What a file holds."""

    form: str
    """What kind of file it is, in words."""
    options: dict[str, Any] = field(default_factory=dict)
    """sd-scripts' name of an option -> its value, numbers and booleans as such."""
    called: dict[str, str] = field(default_factory=dict)
    """Option -> what the file calls it, where that differs."""
    subsets: list[dict[str, Any]] = field(default_factory=list)
    """The folders of a dataset configuration, each with all options that hold for it."""
    family: str | None = None
    """Family of the base, where the file tells."""
    is_training: bool = True
    """Whether it describes a training, so that what is left out has sd-scripts' default; a dataset configuration alone does not."""
    unused: dict[str, str] = field(default_factory=dict)
    """Option -> why it does nothing there."""
    off: list[str] = field(default_factory=list)
    """Options that are empty, 0 or false, as the file calls them, and so do nothing."""
    notes: list[str] = field(default_factory=list)
    of_command: tuple[str, ...] = ()
    """Options of a command, which argparse takes in part, too: --max_train_epoch."""

    @property
    def sd_scripts(self) -> SdScripts | None:
        """What sd-scripts does for the family; None where that is not known."""
        return FAMILIES[self.family].sd_scripts if self.family is not None else None

    @property
    def is_flow(self) -> bool:
        """Whether the base is known to be a flow model."""
        return self.family is not None and FAMILIES[self.family].is_flow


def read_settings_file(path: Path) -> Found:
    """The options of a file.

    Raises SettingsError where it cannot be read, is none of the forms, or names a configuration that is not there.
    """
    if path.suffix.lower() == ".json":
        return _from_json(_tree(read_json(path), path), path)
    if path.suffix.lower() == ".toml":
        return _from_toml(read_toml(path), path)
    return _from_command(read_text(path), path)


def _tree(tree: Any, path: Path) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise SettingsError(f"{path} has no settings in it. Give a file that kohya_ss saved.", code="import.form", path=str(path))
    return tree


def switch(value: Any) -> Any:
    """true or false that was written as text, as such; everything else as it is."""
    return {"true": True, "false": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


def typed(value: Any) -> Any:
    """A number or boolean that was written as text, as such; everything else as it is."""
    if not isinstance(value, str):
        return value
    if isinstance(switch(value), bool):
        return switch(value)
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def words_of(value: Any) -> list[str]:
    """Arguments such as `conv_dim=8 algo=lokr`, from a list or from one text."""
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    return [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]


# -- a configuration in TOML, or a dataset in JSON --------------------------------------------------------------------


def _from_json(tree: dict[str, Any], path: Path) -> Found:
    if isinstance(tree.get("datasets"), list):
        return _dataset_alone(tree, path)
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
    "sd3_checkbox": "Stable Diffusion 3", "lumina_checkbox": "Lumina", "hunyuan_image_checkbox": "HunyuanImage", "anima_checkbox": "Anima",
}  # fmt: skip
"""The GUI's switch -> a family that is not known here."""


def _refuse_other_pages(tree: Mapping[str, Any], path: Path) -> None:
    """Raises SettingsError where another page than that for LoRAs saved the file, or one of another family's is trained."""
    if "LoRA_type" not in tree and "network_dim" not in tree:
        page = next((page for page, own in _PAGES.items() if set(own) & tree.keys()), "")
        raise SettingsError(
            f"{path} is of the {f'{page} page' if page else 'wrong page'} of kohya_ss, which trains no LoRA. Give a file that its LoRA page saved.",
            code="import.page", path=str(path), page=page,
        )  # fmt: skip
    known = {family.sd_scripts.gui_flag for family in FAMILIES.values() if family.sd_scripts}
    for switch, title in _OTHER_FAMILIES.items():
        if switch not in known and typed(tree.get(switch)) is True:
            raise SettingsError(
                f"{path} trains a LoRA of {title}, which Lorasmith does not. Give one for {', '.join(family.title for family in FAMILIES.values())}.",
                code="import.family", path=str(path), family=title,
            )  # fmt: skip


def _from_toml(tree: dict[str, Any], path: Path) -> Found:
    if not isinstance(tree.get("datasets"), list):
        found = Found("a configuration of sd-scripts (TOML)", _flat(tree))
    elif tree.keys() <= {"general", "datasets"}:
        return _dataset_alone(tree, path)
    else:
        found = Found(
            "a configuration of sd-scripts with its dataset (TOML)",
            _flat({k: v for k, v in tree.items() if k not in ("datasets", "general")}),
        )
        found.subsets = _subsets(tree, path)
    return _with_dataset(found, path)


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Sections are only for reading: sd-scripts puts all their options together."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {key: value}
    return flat


def _dataset_alone(tree: Mapping[str, Any], path: Path) -> Found:
    return Found("a dataset configuration of sd-scripts", subsets=_subsets(tree, path), is_training=False)


def _subsets(tree: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """The folders, each with what holds for it; a dataset configuration of any other shape is one sentence."""
    datasets, general = tree["datasets"], tree.get("general", {})
    of_each = [dataset.get("subsets", []) if isinstance(dataset, dict) else None for dataset in datasets if isinstance(datasets, list)]
    is_sound = isinstance(general, dict) and all(
        isinstance(folders, list) and all(isinstance(one, dict) for one in folders) for folders in of_each
    )
    if not is_sound or not any(of_each):
        raise SettingsError(
            f"{path} has no [[datasets.subsets]] with the folders. Give a dataset configuration of sd-scripts.",
            code="import.form",
            path=str(path),
        )
    found = []
    for dataset in datasets:
        shared = {**general, **{key: value for key, value in dataset.items() if key != "subsets"}}
        found += [{**shared, **subset} for subset in dataset.get("subsets", [])]
    return found


def _with_dataset(found: Found, path: Path) -> Found:
    """With the dataset configuration that the options name, if they do."""
    name = found.options.get("dataset_config")
    if name and not found.subsets:
        place = _beside(str(name), path)
        tree = _tree(read_json(place), place) if place.suffix == ".json" else read_toml(place)
        found.subsets = _subsets({"datasets": [], **tree}, place)
        found.notes.append(f"The dataset is that of {place}.")
        for option in ("train_data_dir", "reg_data_dir", "in_json"):
            if found.options.pop(option, None):
                found.unused[option] = "dataset_config decides"
    return found


def _beside(name: str, path: Path) -> Path:
    """A file that `path` names: from where the command runs, or beside `path`."""
    found = beside(name, path) or beside(str(Path(name).with_suffix(".toml")), path)
    if found is None:
        raise SettingsError(
            f"{path} names {name}, which is not here. Put it beside {path.name}.", code="import.missing", path=str(path), name=name
        )
    return found


# -- a command --------------------------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\$\{\w+[^}]*\}|\$(?:env:)?\w+|%\w+%|\$\(")
_NAMED_LIKE_A_TRAINER = re.compile(r"(\w*train\w*|fine_tune\w*|train_db)\.py")
LISTS = frozenset({"network_args", "optimizer_args", "lr_scheduler_args", "text_encoder_lr", "base_weights", "base_weights_multiplier"})


def _from_command(text: str, path: Path) -> Found:
    try:
        read = _reader(text.replace("\r\n", "\n"), path)
    except ValueError as error:
        raise SettingsError(
            f"{path} cannot be read as a script, because {error}. Close them.", code="import.script", path=str(path)
        ) from error
    commands = [command for words in read.commands if (command := _training(words)) is not None]
    if not commands:
        raise SettingsError(
            f"{path} has no training of a LoRA with sd-scripts in it. Give a command with one of {', '.join(SCRIPTS)}.",
            code="import.form", path=str(path),
        )  # fmt: skip
    before, script, after = commands[0]
    if script not in SCRIPTS:
        raise SettingsError(
            f"{path} runs {script}. Lorasmith trains what {', '.join(SCRIPTS)} train.", code="import.script", path=str(path)
        )
    options = _options(after)
    if not options:
        raise SettingsError(
            f"{path} runs {script} without an option. Give the command with its options.", code="import.script", path=str(path)
        )
    families = SCRIPTS[script]
    found = Found(f"a command for {script}", family=families[0] if len(families) == 1 else None)
    found.unused = {f"accelerate launch --{name}": "it is for the launcher; Lorasmith starts by itself" for name in _options(before)}
    found.notes += [f"What the script does where {condition} was not read." for condition in read.unread]
    if len(commands) > 1:
        found.notes.append(f"The file has {len(commands)} trainings; this is the first.")
    if name := options.pop("config_file", None):
        place = _beside(str(name), path)
        config = _from_toml(read_toml(place), place)
        found.options, found.subsets = config.options, config.subsets
        found.unused |= config.unused
        found.notes += [f"With the configuration {place}.", *config.notes]
    found.options = {**found.options, **options}
    found.of_command = tuple(options)
    left_open = sorted(name for name, value in found.options.items() if isinstance(value, str) and _VARIABLE.search(value))
    found.notes += [
        f"{name} contains a variable that the file does not set: {without_secrets(found.options[name], name)}." for name in left_open
    ]
    return _with_dataset(found, path)


def _reader(text: str, path: Path) -> Script:
    """The script, read as its ending says, or as its text does."""
    suffix = path.suffix.lower()
    if suffix == ".ps1" or (suffix == ".txt" and re.search(r"`[ \t]*\n", text)):
        return read_powershell(text)
    if suffix in (".bat", ".cmd") or re.search(r"\^[ \t]*\n", text):
        return read_batch(text)
    if suffix == ".txt" and re.search(r"\b[A-Za-z]:\\", text):
        return read_batch(re.sub(r"\\[ \t]*\n", " ", text))
    return read_shell(text)


def _training(words: list[str]) -> tuple[list[str], str, list[str]] | None:
    """(words before the script, its name, words after it) where a command trains something."""
    for n, word in enumerate(words):
        script = re.split(r"[\\/]", word)[-1]
        if _NAMED_LIKE_A_TRAINER.fullmatch(script):
            return words[:n], script, words[n + 1 :]
    return None


def _options(words: list[str]) -> dict[str, Any]:
    """--name value, --name=value, --name a b c, and --flag; a name given twice counts as given last."""
    options: dict[str, Any] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            options[name] = [value] if equals else []
        elif name:
            options[name].append(word)
    return {
        name: values if name in LISTS else True if not values else typed(values[0]) if len(values) == 1 else " ".join(values)
        for name, values in options.items()
    }


# -- what the GUI saves -----------------------------------------------------------------------------------------------

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

    _gui_other_families(rest, found)
    if found.is_flow:
        _gui_flow(rest, found, put)
    _gui_network(rest, found, put, path)
    _gui_length(rest, found, put)
    _gui_rates(rest, found, put)
    offset_type = rest.pop("noise_offset_type", "Original")
    original = offset_type == "Original"
    others = ("multires_noise_iterations", "multires_noise_discount") if original else ("noise_offset", "adaptive_noise_scale")
    _gui_unused(rest, found, others, f"noise_offset_type is {offset_type}")
    for family in FAMILIES.values():
        if family.sd_scripts and family.name != found.family:
            _gui_unused(rest, found, family.sd_scripts.options, f"it is for {family.title}")
    more = rest.pop("additional_parameters", "")
    for name, value in rest.items():
        put(_GUI_NAMES.get(name, name), value, name)
    if more:
        for name, value in _options(words_of(more)).items():
            put(name, value, f"additional_parameters --{name}")
    return _with_dataset(found, path)


def family_of_switches(tree: Mapping[str, Any]) -> str | None:
    """The family whose switch is on; None: one without a switch."""
    switches = {family.sd_scripts.gui_flag: name for name, family in FAMILIES.items() if family.sd_scripts and family.sd_scripts.gui_flag}
    return next((name for switch, name in switches.items() if tree.get(switch)), None)


_SD3_ALONE = ("weighting_scheme", "logit_mean", "logit_std", "mode_scale")


def _gui_other_families(rest: dict[str, Any], found: Found) -> None:
    """The page saves the options of families that are off too; they are for nobody."""
    for name in [name for name in rest if name.startswith(_PREFIXES)]:
        rest.pop(name)
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
