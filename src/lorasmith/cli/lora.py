"""Verbs on LoRA files: check; lora show, resize, merge, convert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from lorasmith.adapters.base_weights import BaseWeights
    from lorasmith.adapters.files.network import Layer, Network
    from lorasmith.adapters.tools.convert import Converted

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="LoRA files: look into them, resize, merge and convert them.")

File = Annotated[Path, typer.Argument(help="LoRA file (safetensors), of any trainer.")]
Out = Annotated[Path, typer.Option(help="The new file.")]
Overwrite = Annotated[bool, typer.Option(help="Replace the new file where it exists.")]
Precision = Annotated[str | None, typer.Option(help="Numbers of the new file: fp32, fp16 or bf16. Empty: those of the (first) file.")]
Family = Annotated[str | None, typer.Option(help="sd1, sd2, sdxl or flux, where the file does not tell.")]
BaseOption = Annotated[str | None, typer.Option("--base", help="The base model: a file, a folder or a hub id.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def check(
    file: File,
    base: BaseOption = None,
    family: Family = None,
    program: Annotated[list[str] | None, typer.Option("--for", help="Only this program; may be given several times.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a LoRA file will do in AUTOMATIC1111, Forge, ComfyUI and diffusers, and whether it is sound and fits its base.

    lorasmith check mimi.safetensors
    lorasmith check mimi.safetensors --base models/animagine.safetensors --for ComfyUI

    Exit code 0: all is well. 1: something is dropped, drawn wrongly, damaged or does not fit. 2: the file is no LoRA.
    """
    import json

    from lorasmith.adapters.base_weights import empty_base
    from lorasmith.adapters.compatibility.check import check_file
    from lorasmith.adapters.compatibility.consumers import CONSUMERS
    from lorasmith.adapters.files.lora_file import load_tensors
    from lorasmith.errors import SettingsError

    names = {name.lower(): name for name in CONSUMERS} | {"a1111": "AUTOMATIC1111", "comfy": "ComfyUI"}
    programs = tuple(names.get(name.lower(), name) for name in program or CONSUMERS)
    if unknown := [name for name in programs if name not in CONSUMERS]:
        raise SettingsError(f"Nothing is known of the program '{unknown[0]}': choose from {', '.join(CONSUMERS)}.")
    content = load_tensors(file)
    compared = None
    if base is not None:
        from lorasmith.models.open import describe

        compared = empty_base(describe(base))
    report = check_file(content, family, compared, base)
    problems = report.problems(programs)
    if as_json:
        data = {"file": str(file)} | report.as_data() | {"problems": problems}
        data["consumers"] = {name: data["consumers"][name] for name in programs}
        typer.echo(json.dumps(data, indent=2))
        raise typer.Exit(1 if problems else 0)
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.kinds.items())
    ranks = ", ".join(f"{rank} ({count} layers)" for rank, count in report.ranks.items()) or "none"
    typer.echo(f"{file.name}: {report.family}, {report.layers} layers: {kinds}")
    typer.echo(f"ranks: {ranks}; names: {', '.join(report.dialects)}; compared with {report.base}")
    for name in programs:
        found = report.consumers[name]
        words = {
            "all": "loads all of it", "part": f"loads {found.loads} of {found.layers} layers", "wrong": "loads it and draws it wrongly",
            "none": "loads nothing", "unknown": "not tried", "family": f"has no {report.family} models",
        }[found.verdict]  # fmt: skip
        typer.echo(f"  {name:<14} {words}")
    for note in report.notes:
        typer.echo(f"note: {note}")
    for problem in problems:
        typer.echo(f"problem: {problem}")
    raise typer.Exit(1 if problems else 0)


@app.command()
def show(file: File, family: Family = None, as_json: Json = False) -> None:
    """Show what is in a LoRA file: its layers, ranks and strengths, and what it tells of its training.

    lorasmith lora show mimi.safetensors
    """
    import json
    from collections import Counter

    from lorasmith.adapters.files.dialects import read_network
    from lorasmith.adapters.files.lora_file import load_tensors
    from lorasmith.adapters.files.names import part_of

    content = load_tensors(file)
    network = read_network(content.tensors, content.metadata, family)
    parts = Counter(part_of(network.family, name)[0] for name in network.layers)
    numbers = sum(tensor.numel() for tensor in content.tensors.values())
    data = {
        "file": str(file), "family": network.family, "parts": dict(parts),
        "kinds": dict(Counter(layer.kind for layer in network.layers.values())),
        "ranks": {str(rank): n for rank, n in sorted(Counter(layer.rank for layer in network.layers.values() if layer.rank).items())},
        "alphas": {f"{alpha:g}": n for alpha, n in sorted(Counter(x.alpha for x in network.layers.values() if x.alpha is not None).items())},
        "dora": sum(layer.dora is not None for layer in network.layers.values()), "names": list(network.dialects), "numbers": numbers,
        "bytes": file.stat().st_size, "unread": network.unread, "notes": list(network.notes), "metadata": network.metadata,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(data, indent=2))
        return
    typer.echo(
        f"{file.name}: {network.family}, {numbers:,} numbers, {file.stat().st_size / 1e6:.1f} MB, names of {', '.join(network.dialects)}"
    )
    for label in ("parts", "kinds", "ranks", "alphas"):
        typer.echo(f"  {label}: {', '.join(f'{value} ({count} layers)' for value, count in data[label].items()) or 'none'}")  # type: ignore[attr-defined]
    if data["dora"]:
        typer.echo(f"  with magnitude (DoRA): {data['dora']} layers")
    for note in [*network.notes, *(f"{key} cannot be read: {reason}" for key, reason in network.unread.items())]:
        typer.echo(f"note: {note}")
    for key, value in sorted(network.metadata.items()):
        typer.echo(f"  {key}: {value if len(value) <= 100 else value[:97] + '...'}")


@app.command()
def resize(
    file: File,
    out: Out,
    rank: Annotated[int, typer.Option(help="The new rank; with --by the most that a layer may have.")],
    conv_rank: Annotated[int | None, typer.Option(help="The same for convolutions.")] = None,
    by: Annotated[str | None, typer.Option(help="Choose each layer's rank: sv_ratio, sv_fro or sv_cumulative.")] = None,
    target: Annotated[float, typer.Option(help="For --by: a ratio (say 20), or a share (say 0.9).")] = 0.9,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a LoRA in other ranks, keeping as much of what it does as they can hold.

    lorasmith lora resize mimi.safetensors --rank 8 --out mimi-8.safetensors
    lorasmith lora resize mimi.safetensors --rank 32 --by sv_fro --target 0.95 --out mimi-small.safetensors
    """
    from lorasmith.adapters.files.lora_file import load_tensors
    from lorasmith.adapters.tools.resize import resize as resized

    _check_new(out, overwrite)
    content = load_tensors(file)
    layers, family = _layers(file, None, None)
    new, reports = resized(layers, rank, conv_rank, by, target)
    _save(out, new, family, content.metadata, precision, content.tensors)
    kept = [report.norm_retained for report in reports if report.norm_retained == report.norm_retained]
    before, after = sum(report.old_rank for report in reports), sum(report.rank for report in reports)
    typer.echo(
        f"{len(reports)} layers, ranks in all {before} -> {after} (from {min(r.rank for r in reports)} to {max(r.rank for r in reports)})"
    )
    if kept:
        typer.echo(f"kept of the change's norm: {min(kept):.1%} in the worst layer, {sum(kept) / len(kept):.1%} in the mean")
    typer.echo(f"{out}: {file.stat().st_size / 1e6:.1f} MB -> {out.stat().st_size / 1e6:.1f} MB")


@app.command()
def merge(
    files: Annotated[
        list[str], typer.Argument(help="LoRA files, each with its ratio behind a colon: mimi.safetensors:0.8. Without one: 1.")
    ],
    out: Out,
    rank: Annotated[int | None, typer.Option(help="Approximate the sum by this rank. Empty: exact, the ranks add up.")] = None,
    conv_rank: Annotated[int | None, typer.Option(help="The same for convolutions with kernels wider than 1x1.")] = None,
    base: BaseOption = None,
    family: Family = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Make one LoRA that does what several do together, each at its ratio.

    lorasmith lora merge mimi.safetensors:0.8 watercolour.safetensors:0.5 --out both.safetensors
    """
    from lorasmith.adapters.files.lora_file import load_tensors
    from lorasmith.adapters.tools.merge import merge as merged
    from lorasmith.errors import AdapterError

    _check_new(out, overwrite)
    chosen = [_with_ratio(text) for text in files]
    opened = _opened(base)
    loaded = [_layers(path, family, opened) for path, _ in chosen]
    families = {name for _, name in loaded if name}
    if len(families) > 1:
        raise AdapterError(f"The files are for different families ({', '.join(sorted(families))}): only LoRAs of one family can be merged.")
    new = merged([(layers, ratio) for (layers, _), (_, ratio) in zip(loaded, chosen, strict=True)], rank, conv_rank, opened)
    first = load_tensors(chosen[0][0])
    words = ", ".join(f"{path.name}:{ratio:g}" for path, ratio in chosen)
    metadata = {key: value for key, value in first.metadata.items() if key in ("ss_base_model_version", "ss_v2", "modelspec.architecture")}
    metadata |= {"modelspec.merged_from": words, "modelspec.title": out.stem, "ss_output_name": out.stem}
    _save(out, new, next(iter(families), None), metadata, precision, first.tensors)
    ranks = [layer.rank for layer in new.values() if layer.rank is not None]
    typer.echo(f"{words}: {len(new)} layers" + (f", ranks from {min(ranks)} to {max(ranks)}" if ranks else ", written as differences"))
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


@app.command()
def convert(
    file: File,
    out: Out,
    to: Annotated[str, typer.Option(help="kohya (names alone), lora, diff, or diffusers (a LoRA in diffusers' names).")] = "kohya",
    rank: Annotated[int | None, typer.Option(help="Rank of the LoRA that stands for layers that are none.")] = None,
    base: BaseOption = None,
    family: Family = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a network another way: in the names that all programs read, as a plain LoRA, or as differences.

    lorasmith lora convert from-diffusers.safetensors --out kohya.safetensors
    lorasmith lora convert loha.safetensors --to lora --rank 16 --out lora.safetensors
    """
    from lorasmith.adapters.files.lora_file import load_tensors, save_lora
    from lorasmith.adapters.tools.convert import convert as converted
    from lorasmith.adapters.tools.convert import diffusers_tensors
    from lorasmith.errors import SettingsError

    if to not in ("kohya", "lora", "diff", "diffusers"):
        raise SettingsError(f"A LoRA cannot be written as '{to}': choose kohya, lora, diff or diffusers.")
    _check_new(out, overwrite)
    content = load_tensors(file)
    opened = _opened(base)
    network = _network(file, family, opened)
    layers = network.layers
    reports: list[Converted] = []
    if to != "kohya":
        layers, reports = converted(layers, "diff" if to == "diff" else "lora", rank, opened)
    if to == "diffusers":
        tensors = diffusers_tensors(network.family, layers, opened.shape if opened else None)
        save_lora(out, tensors, {"format": "pt"} | network.metadata, _dtype(precision, content.tensors))
    else:
        _save(out, layers, network.family, content.metadata, precision, content.tensors)
    for note in network.notes:
        typer.echo(f"note: {note}")
    lossy = sorted((report for report in reports if report.error > 0), key=lambda report: -report.error)
    if lossy:
        mean = sum(report.error for report in lossy) / len(lossy)
        typer.echo(f"{len(lossy)} of {len(reports)} layers approximated: lost {mean:.1%} of the change in the mean,")
        typer.echo(f"{lossy[0].error:.1%} at most ({lossy[0].name}, {lossy[0].kind} -> rank {lossy[0].rank})")
    else:
        typer.echo("exact: nothing of the change was lost but the rounding of numbers")
    typer.echo(f"{out}: {len(layers)} layers, {out.stat().st_size / 1e6:.1f} MB")


# ---- what they share


def _network(file: Path, family: str | None, base: BaseWeights | None) -> Network:
    from lorasmith.adapters.files.dialects import read_network
    from lorasmith.adapters.files.lora_file import load_tensors

    content = load_tensors(file)
    return read_network(content.tensors, content.metadata, base.family if base else family, base.shape if base else None).whole()


def _layers(file: Path, family: str | None, base: BaseWeights | None) -> tuple[Mapping[str, Layer], str | None]:
    """A file's layers and family; those of a model that is not known here by the names that they have, in kohya's layout."""
    from lorasmith.adapters.files.lora_file import load_tensors
    from lorasmith.adapters.files.network import layers_by_their_names
    from lorasmith.errors import AdapterError

    try:
        network = _network(file, family, base)
    except AdapterError as error:
        try:
            return layers_by_their_names(load_tensors(file).tensors), None
        except AdapterError:
            raise error from None
    return network.layers, network.family


def _opened(base: str | None) -> BaseWeights | None:
    if base is None:
        return None
    from lorasmith.adapters.base_weights import loaded_base
    from lorasmith.models.open import describe

    return loaded_base(describe(base))


def _with_ratio(text: str) -> tuple[Path, float]:
    from lorasmith.errors import SettingsError

    path, colon, ratio = text.rpartition(":")
    if not colon or ratio.endswith(".safetensors") or "/" in ratio or "\\" in ratio:
        return Path(text), 1.0
    try:
        return Path(path), float(ratio)
    except ValueError:
        raise SettingsError(f"The ratio '{ratio}' of {path} is no number: write {path}:0.8.") from None


def _check_new(out: Path, overwrite: bool) -> None:
    from lorasmith.errors import InputError

    if out.suffix != ".safetensors":
        raise InputError(f"{out} does not end in .safetensors, which is what the programs look for: name it so.")
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already: give another name, or --overwrite.")


def _dtype(precision: str | None, tensors: Mapping[str, Tensor]):  # type: ignore[no-untyped-def]
    """The type of the new file's numbers: as asked, else that of most of the old one's."""
    from collections import Counter

    import torch

    from lorasmith.errors import SettingsError

    known = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if precision is not None:
        if precision not in known:
            raise SettingsError(f"Numbers cannot be written as '{precision}': choose fp32, fp16 or bf16.")
        return known[precision]
    counts = Counter(tensor.dtype for key, tensor in tensors.items() if not key.endswith(".alpha") and tensor.dtype in known.values())
    return counts.most_common(1)[0][0] if counts else torch.float32


def _save(
    out: Path,
    layers: Mapping[str, Layer],
    family: str | None,
    metadata: Mapping[str, str],
    precision: str | None,
    tensors: Mapping[str, Tensor],
) -> None:
    from lorasmith.adapters.files.lora_file import save_lora
    from lorasmith.adapters.files.network import file_metadata, file_tensors

    save_lora(out, file_tensors(layers), file_metadata(layers, family, metadata), _dtype(precision, tensors))
