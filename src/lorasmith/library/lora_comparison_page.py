"""The page of a comparison of LoRA files."""

from __future__ import annotations

from pathlib import Path

from lorasmith.library.lora_comparison import LoraComparison
from lorasmith.pages.content import Bar, Code, Column, Facts, Page, Section, Table, Text, Words
from lorasmith.pages.numbers import file_size
from lorasmith.pages.render import write_page


def write_lora_comparison(comparison: LoraComparison, path: str | Path) -> Path:
    """Write the page, and give its path."""
    write_page(Path(path), lora_comparison_page(comparison))
    return Path(path)


def lora_comparison_page(comparison: LoraComparison) -> Page:
    """What the page contains: how alike the files are, then blocks, then settings."""
    names = [Path(info.file).stem for info in comparison.files]
    notes = tuple(Text(note, quiet=True) for note in comparison.notes)
    return Page(
        title=" and ".join(names),
        kicker="LoRA files compared with Lorasmith",
        top=(Facts(tuple((name, _said_of(comparison, k)) for k, name in enumerate(names))), *notes),
        sections=(
            Section("Norms by block", (_norms(comparison, names), Text(NORMS, quiet=True))),
            Section("How alike they are", (_cosines(comparison, names), Text(COSINES, quiet=True))),
            Section("Settings that differ", (_settings(comparison, names),)),
        ),
        footer="Made by Lorasmith from the files' own numbers and metadata.",
    )


NORMS = "Frobenius norms of the changes at strength 1, of all layers of a block together."
COSINES = "Cosine with the first file: 1 is the same change, 0 has nothing to do with it, below 0 undoes it."


def _said_of(comparison: LoraComparison, k: int) -> str:
    info = comparison.files[k]
    return f"{', '.join(info.kinds)} of rank {'/'.join(info.ranks) or '-'}, {file_size(info.bytes)}, norm {comparison.norms[k]:.3g}"


def _norms(comparison: LoraComparison, names: list[str]) -> Table:
    most = max((norm for block in comparison.blocks for norm in block.norms if norm is not None), default=0.0) or 1.0
    rows = tuple((f"{block.part} {block.block}", *(_bar(norm, most) for norm in block.norms)) for block in comparison.blocks)
    return Table("Norms by block", (Column("Block"), *map(Column, names)), rows)


def _bar(norm: float | None, most: float) -> Words | Bar:
    return "–" if norm is None else Bar(norm / most, f"{norm:.3g}")


def _cosines(comparison: LoraComparison, names: list[str]) -> Table:
    whole = ("all layers", *(_number(cosine) for cosine in comparison.cosines[0][1:]))
    rows = tuple((f"{block.part} {block.block}", *map(_number, block.cosines)) for block in comparison.blocks)
    return Table("Cosines by block", (Column("Block"), *(Column(name, "number") for name in names[1:])), (whole, *rows))


def _settings(comparison: LoraComparison, names: list[str]) -> Table | Text:
    if not comparison.settings:
        return Text("Their metadata say nothing that differs.", quiet=True)
    rows: tuple[tuple[Words | Bar, ...], ...] = tuple(
        (Code(one.setting), *("–" if value is None else str(value) for value in one.values)) for one in comparison.settings
    )
    return Table("Settings that differ", (Column("Setting"), *map(Column, names)), rows)


def _number(cosine: float | None) -> str:
    return "–" if cosine is None else f"{cosine:.3f}"
