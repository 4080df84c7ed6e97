"""lora resize, merge, extract and convert: LoRA files and checkpoints become others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.lora.options import BaseOption, By, Config, ConvRank, Family, Out, Pictures, Precision, Prompts, Target
from lorasmith.cli.lora.pictures import check_pictures, draw_before_after
from lorasmith.cli.options import AllowPickle, LoraFile, Overwrite, refuse_without
from lorasmith.cli.output import shown
from lorasmith.pages.numbers import count, file_size

if TYPE_CHECKING:
    from lorasmith.adapters.tools.merge import Sparse


def resize(
    file: LoraFile,
    out: Out,
    rank: Annotated[int, typer.Option(help="The new rank; with --by the most that a layer may have.")],
    conv_rank: Annotated[int | None, typer.Option(help="The same for convolutions, those of 1x1 too. Empty: the rank.")] = None,
    by: By = None,
    target: Target = None,
    block_ranks: Annotated[
        str | None, typer.Option(help="Other ranks for blocks, named as in network.layers: 'IN08=16,TE*=4'. The first that fits decides.")
    ] = None,
    family: Family = None,
    precision: Precision = None,
    pictures: Pictures = None,
    prompts: Prompts = None,
    overwrite: Overwrite = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Write a LoRA in other ranks, keeping as much of what it does as they allow.

    lorasmith lora resize mimi.safetensors --rank 8 --out mimi-8.safetensors
    lorasmith lora resize mimi.safetensors --rank 32 --by sv_fro --target 0.95 --out mimi-small.safetensors
    lorasmith lora resize mimi.safetensors --rank 8 --block-ranks "IN08=16,TE*=4" --out mimi-blocks.safetensors
    """
    from lorasmith.adapters.tools.resize import resize_file

    check_pictures(pictures, prompts)
    refuse_without("--by", by, target=target)
    blocks = _ranks_by_pattern(block_ranks or "")
    reports = resize_file(
        file, out, rank, conv_rank, by, 0.9 if target is None else target, precision, overwrite, family, blocks, allow_pickle
    )
    before, after = sum(report.old_rank for report in reports), sum(report.rank for report in reports)
    least, most = min(report.rank for report in reports), max(report.rank for report in reports)
    typer.echo(f"{count(len(reports), 'layer')}, sum of ranks {before} -> {after} (each from {least} to {most})")
    if kept := [report.norm_retained for report in reports if report.norm_retained == report.norm_retained]:
        typer.echo(f"kept of the change's norm: {min(kept):.1%} in the worst layer, {sum(kept) / len(kept):.1%} on average")
    _say_what_became_of_embeddings([(file, 1.0)], into_base=False)
    _say_what_was_left_out(file)
    typer.echo(f"{out}: {file_size(file.stat().st_size)} -> {file_size(out.stat().st_size)}")
    if pictures is not None:
        draw_before_after((pictures, [(file, 1.0)]), (pictures, [(out, 1.0)]), prompts, out)


def _ranks_by_pattern(text: str) -> dict[str, int]:
    """'IN08=16,TE*=4' as patterns and ranks."""
    from lorasmith.errors import SettingsError

    ranks: dict[str, int] = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        pattern, equals, rank = piece.rpartition("=")
        if not equals or not rank.strip().isdecimal():
            raise SettingsError(f"'{piece}' of --block-ranks is not a block and its rank: write IN08=16.", code="resize.block_ranks")
        ranks.setdefault(pattern.strip(), int(rank))
    return ranks


def merge(
    files: Annotated[
        list[str], typer.Argument(help="LoRA files, each with its ratio after a colon: mimi.safetensors:0.8. Without one: 1.")
    ],
    out: Out,
    rank: Annotated[int | None, typer.Option(help="Approximate the sum by this rank. Empty: exact, the ranks add up.")] = None,
    conv_rank: ConvRank = None,
    method: Annotated[
        str | None, typer.Option(help="Add only a share of each change's numbers: ties or dare. Empty: the plain sum.")
    ] = None,
    density: Annotated[float | None, typer.Option(help="For --method: the share of numbers that is used. Empty: 0.5.")] = None,
    seed: Annotated[int | None, typer.Option(help="For --method dare: which numbers are drawn. Empty: 0.")] = None,
    base: BaseOption = None,
    into: Annotated[
        str | None, typer.Option(help="Merge into this base, a file or a diffusers folder: --out is a whole checkpoint.")
    ] = None,
    config: Config = None,
    family: Family = None,
    precision: Precision = None,
    pictures: Pictures = None,
    prompts: Prompts = None,
    overwrite: Overwrite = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Make one LoRA that does what several do together, each at its ratio; or a base that has them in it.

    lorasmith lora merge mimi.safetensors:0.8 watercolour.safetensors:0.5 --out both.safetensors
    lorasmith lora merge mimi.safetensors:0.8 watercolour.safetensors:0.5 --method ties --density 0.5 --rank 32 --out both.safetensors
    lorasmith lora merge mimi.safetensors:0.8 --into base.safetensors --out base-with-mimi.safetensors
    """
    from lorasmith.adapters.tools.merge import merge_files
    from lorasmith.errors import SettingsError

    check_pictures(pictures, prompts)
    chosen = [_with_ratio(text) for text in files]
    if into is not None:
        _refuse_beside_into(
            rank=rank, conv_rank=conv_rank, method=method, density=density, seed=seed, base=base, family=family, precision=precision
        )
        _merge_into(chosen, into, out, config, overwrite, allow_pickle)
        if pictures is not None:
            draw_before_after((pictures, chosen), (str(out), []), prompts, out)
        return
    if config is not None:
        raise SettingsError("--config has no effect without --into: remove it.", code="merge.no_effect")
    layers = merge_files(chosen, out, rank, conv_rank, base, family, precision, overwrite, _sparse(method, density, seed), allow_pickle)
    ranks = [layer.rank for layer in layers if layer.rank is not None]
    merged = ", ".join(f"{path.name}:{ratio:g}" for path, ratio in chosen)
    typer.echo(
        f"{merged}: {count(len(layers), 'layer')}" + (f", ranks from {min(ranks)} to {max(ranks)}" if ranks else ", written as differences")
    )
    if rank is not None:
        worst = max(layers, key=lambda layer: layer.error)
        mean = sum(layer.error for layer in layers) / len(layers)
        typer.echo(f"the rank lost {mean:.1%} of the change on average, {worst.error:.1%} at most ({worst.name})")
    _say_what_became_of_embeddings(chosen, into_base=False)
    typer.echo(f"{out}: {file_size(out.stat().st_size)}")
    if pictures is not None:
        draw_before_after((pictures, chosen), (pictures, [(out, 1.0)]), prompts, out)


def _sparse(method: str | None, density: float | None, seed: int | None) -> Sparse | None:
    """The sparse method that was asked for; options without an effect are refused."""
    from lorasmith.adapters.tools.merge import Sparse
    from lorasmith.errors import SettingsError

    for name, value, of in (("density", density, method), ("seed", seed, method == "dare")):
        if value is not None and not of:
            raise SettingsError(
                f"--{name} has no effect without --method{'' if name == 'density' else ' dare'}: remove it.", code="merge.no_effect"
            )
    return None if method is None else Sparse(method, 0.5 if density is None else density, seed or 0)


def _refuse_beside_into(**options: object) -> None:
    """Raises SettingsError for an option that has no effect on a whole checkpoint."""
    from lorasmith.errors import SettingsError

    if given := [name for name, value in options.items() if value is not None]:
        raise SettingsError(
            f"--{given[0].replace('_', '-')} has no effect with --into, whose family, precision and weights count: remove it.",
            code="merge.no_effect",
        )


def _merge_into(chosen: list[tuple[Path, float]], base: str, out: Path, config: Path | None, overwrite: bool, allow_pickle: bool) -> None:
    from lorasmith.adapters.tools.merge_into_base import merge_into_base
    from lorasmith.cli.progress import progress_bar

    with progress_bar("merging") as progress:
        changed = merge_into_base(chosen, base, out, overwrite, config, progress=progress, allow_pickle=allow_pickle)
    lost = sorted((each.rounding for each in changed), reverse=True)
    merged = ", ".join(f"{path.name}:{ratio:g}" for path, ratio in chosen)
    typer.echo(f"{merged} into {Path(base).name}: {count(len(changed), 'tensor')} changed")
    typer.echo(f"rounding to the base's precision lost {lost[len(lost) // 2]:.2g} of a tensor's change (median), {lost[0]:.2g} at most")
    _say_what_became_of_embeddings(chosen, into_base=True)
    typer.echo(f"{out}: {file_size(_bytes(out))}")


def _say_what_became_of_embeddings(chosen: list[tuple[Path, float]], into_base: bool) -> None:
    """Say which embeddings that are bundled in the files are in what was written."""
    from lorasmith.adapters.files.bundled import notes_on_merging

    for note in notes_on_merging([path for path, _ in chosen], into_base):
        typer.echo(f"note: {shown(note)}")


def _bytes(path: Path) -> int:
    """The size of a file, or of all files in a folder."""
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def extract(
    tuned: Annotated[str, typer.Argument(help="The fine-tuned checkpoint: a file, a diffusers folder or a hub id.")],
    out: Out,
    base: Annotated[str, typer.Option(help="The base that it was made from.")],
    kind: Annotated[
        str, typer.Option(help="lora, locon (with convolutions) or full (all layers number for number, biases and norms too).")
    ] = "lora",
    rank: Annotated[int | None, typer.Option(help="The rank; with --by the most that a layer may have. Empty: 32.")] = None,
    conv_rank: ConvRank = None,
    by: By = None,
    target: Target = None,
    part: Annotated[list[str] | None, typer.Option(help="What is compared: unet, text_encoder ... Empty: the denoiser alone.")] = None,
    config: Config = None,
    precision: Precision = None,
    pictures: Pictures = None,
    prompts: Prompts = None,
    overwrite: Overwrite = False,
) -> None:
    """Write what a fine-tuned checkpoint changed in its base as a LoRA.

    lorasmith lora extract tuned.safetensors --base base.safetensors --rank 32 --out extracted.safetensors
    lorasmith lora extract tuned.safetensors --base base.safetensors --kind locon --by sv_fro --target 0.95 --out small.safetensors
    """
    from lorasmith.adapters.tools.extract import extract_file
    from lorasmith.cli.progress import progress_bar

    check_pictures(pictures, prompts)
    refuse_without("--by", by, target=target)
    with progress_bar("comparing") as progress:
        found = extract_file(
            tuned, base, out, kind, rank, conv_rank, by, 0.95 if target is None else target, part or (), precision, overwrite, config, progress=progress
        )  # fmt: skip
    for note in found.notes:
        typer.echo(f"note: {note}")
    ranks = [layer.rank for layer in found.layers if layer.rank is not None]
    typer.echo(
        f"{', '.join(found.parts)}: {count(len(found.layers), 'layer')}"
        + (f", ranks from {min(ranks)} to {max(ranks)}" if ranks else ", written number for number")
        + f"; {count(found.unchanged, 'layer')} unchanged"
    )
    if found.left_out:
        most = ", ".join(each.name for each in found.left_out[:3])
        typer.echo(
            f"not in the file: {count(len(found.left_out), 'tensor')} with {found.share(found.left_out):.1%} of the difference's norm "
            f"(the largest: {most})"
        )
    worst = max(found.layers, key=lambda layer: layer.error)
    typer.echo(f"lost {found.error:.1%} of the difference in all, {worst.error:.1%} in the worst layer ({worst.name})")
    typer.echo(f"{out}: {file_size(out.stat().st_size)}")
    if pictures is not None:
        draw_before_after((tuned, []), (pictures, [(out, 1.0)]), prompts, out)


def convert(
    file: LoraFile,
    out: Out,
    to: Annotated[
        str,
        typer.Option(
            help="everywhere (names that all programs read), kohya (sd-scripts' and musubi-tuner's names, with alphas), lora, diff, diffusers "
            "(a LoRA in diffusers' names), or peft (a folder)."
        ),
    ] = "everywhere",
    rank: Annotated[int | None, typer.Option(help="Rank of the LoRA that replaces layers of other kinds.")] = None,
    base: BaseOption = None,
    family: Family = None,
    precision: Precision = None,
    pictures: Pictures = None,
    prompts: Prompts = None,
    overwrite: Overwrite = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Write a network another way: in the names that all programs read, as a plain LoRA, or as differences.

    lorasmith lora convert from-diffusers.safetensors --out for-all.safetensors
    lorasmith lora convert loha.safetensors --to lora --rank 16 --out lora.safetensors
    """
    from lorasmith.adapters.tools.convert import convert_file

    check_pictures(pictures, prompts, of_folder=to == "peft")
    refuse_without("--to lora, diffusers or peft", to in ("lora", "diffusers", "peft"), rank=rank)
    reports, notes = convert_file(file, out, to, rank, base, family, precision, overwrite, allow_pickle)
    for note in notes:
        typer.echo(f"note: {shown(note)}")
    if lossy := sorted((report for report in reports if report.error > 0), key=lambda report: -report.error):
        mean, worst = sum(report.error for report in lossy) / len(lossy), lossy[0]
        typer.echo(f"{len(lossy)} of {count(len(reports), 'layer')} approximated: lost {mean:.1%} of the change on average,")
        typer.echo(f"{worst.error:.1%} at most ({worst.name}, {worst.kind.name} -> rank {worst.rank})")
    else:
        typer.echo(_rounded([report.rounding for report in reports]))
    _say_what_was_left_out(file)
    typer.echo(f"{out}: {count(len(reports), 'layer')}, {file_size(_bytes(out))}")
    if pictures is not None:
        draw_before_after((pictures, [(file, 1.0)]), (pictures, [(out, 1.0)]), prompts, out)


def _say_what_was_left_out(file: Path) -> None:
    """Say which entries of a file's metadata were not copied into the one that was made from it, as they have secrets in them."""
    from lorasmith.adapters.files.header import read_lora_header
    from lorasmith.secrets import entries_with_secrets

    if file.is_file() and (entries := entries_with_secrets(read_lora_header(file, allow_pickle=True).metadata)):
        typer.echo(f"note: access keys and passwords in the metadata of {file.name} were left out ({shown(', '.join(entries))}).")


def _rounded(lost: list[float | None]) -> str:
    """What rounding lost where nothing was approximated: 'exact' is said only of what was measured."""
    measured = [each for each in lost if each is not None]
    most = max(measured, default=0.0)
    if len(measured) < len(lost):
        return f"nothing was approximated; what rounding lost was measured in {len(measured)} of {count(len(lost), 'layer')}: {most:.1g} at most"
    if most > 0.01:
        return f"rounding lost {most:.1%} of a layer's change: write the file in fp32 (--precision)"
    return "exact: nothing of the change was lost" + (
        f" but the rounding of numbers ({most:.1g} of a layer's change at most)" if most else ""
    )


def _with_ratio(text: str) -> tuple[Path, float]:
    from lorasmith.errors import SettingsError

    path, colon, ratio = text.rpartition(":")
    if not colon or ratio.endswith(".safetensors") or "/" in ratio or "\\" in ratio:
        return Path(text), 1.0
    try:
        return Path(path), float(ratio)
    except ValueError:
        raise SettingsError(f"The ratio '{ratio}' of {path} is not a number: write {path}:0.8.", code="merge.ratio") from None
