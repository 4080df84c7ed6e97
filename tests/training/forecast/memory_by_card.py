"""What a training switches on for each card and what weights take, base by base: the tables of docs/guide/memory.md, made from the records.

python -m tests.training.forecast.memory_by_card     writes them again (some minutes, at full size on torch's meta device)
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from PIL import Image

from lorasmith.models.description import Description, PartPlace
from lorasmith.models.device import DEVICES
from lorasmith.models.families import FAMILIES
from lorasmith.training.forecast import memory_fit
from lorasmith.training.forecast.memory_fit import fit_to
from lorasmith.training.forecast.rehearsal import blank_base, part_bytes
from lorasmith.training.planning.check import CheckedRun, check
from lorasmith.training.settings.changes import changes_between
from lorasmith.training.settings.tree import settings_from
from tests.models.toys import toy_folder

GB = 10**9
CARDS = (6, 8, 12, 16, 24)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "guide" / "memory.md"
HEAD = f"| base | {' | '.join(f'{card} GB' for card in CARDS)} |\n| --- |{' --- |' * len(CARDS)}\n"
OF_WEIGHTS = "| base | bf16 | int8, fp8 | nf4 |\n| --- | --- | --- | --- |\n"
IN_WORDS = {
    "captions.cached_variants": "cached texts", "training.offload_while_caching": "offload",
    "training.gradient_checkpointing": "checkpointing", "base.quantize": "{}", "training.blocks_to_swap": "{} of {blocks} blocks swapped",
}  # fmt: skip


def described(family: str, variant: str = "") -> Description:
    """A base at full size, without files; the family's usual one where no variant is named."""
    record = FAMILIES[family]
    form = record.variant(variant)
    parts = {name: PartPlace((), "", "diffusers", part, "", {}) for name, part in form.parts.items()}
    return Description(Path("base"), "folder", record, variant, record.prediction.types[0], False, parts, form.scheduler, {}, (), ())


def sizes() -> list[tuple[str, str, str]]:
    """(title, family, variant) of each size that a family is published in."""
    rows = []
    for name, family in FAMILIES.items():
        seen = []
        for variant, form in family.variants.items():
            if form.parts not in seen:
                seen.append(form.parts)
                rows.append((name, variant))
    several = {name for name, _ in rows if sum(name == other for other, _ in rows) > 1}
    return [(f"{FAMILIES[name].title} {variant}" if name in several else FAMILIES[name].title, name, variant) for name, variant in rows]


@contextmanager
def card() -> Iterator[str]:
    """A made-up GPU: it is there, and computes in bf16; without bitsandbytes."""
    kind = DEVICES["cuda"]
    made = type("Card", (type(kind),), {"count": lambda self: 1, "has_bf16": lambda self: True})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DEVICES, "cuda", made(**vars(kind)))
        patch.setattr(memory_fit, "find_spec", lambda name: None)
        yield "cuda"


def full_size(family: str, variant: str, folder: Path, **sections) -> CheckedRun:
    """A checked run over one picture on a base at full size, without weights; bf16, rank 16, text encoders frozen, no samples."""
    description = described(family, variant)
    Image.new("RGB", (1024, 1024), "teal").save(folder / "a.png")
    (folder / "a.txt").write_text("zorvex", encoding="utf-8")
    made = settings_from({
        "base": {"path": str(toy_folder(family))}, "datasets": [{"path": str(folder)}],
        "buckets": {"resolution": description.form.defaults.resolution}, "network": {"rank": 16, "train_text_encoder": False},
        "training": {"epochs": 1, "memory": "auto", "mixed_precision": "bf16"}, "cache": str(folder / "cache"), **sections,
    })  # fmt: skip
    return replace(check(made), description=description)


def cells(family: str, variant: str, folder: Path) -> list[str]:
    """What is switched on for each card."""
    checked = full_size(family, variant, folder)
    with card() as device:
        return [_cell(checked, fit_to(checked, device, size * GB)) for size in CARDS]


def _cell(before: CheckedRun, fitted: CheckedRun) -> str:
    finding = fitted.of_settings[-1]
    if finding.severity == "warning":
        return f"does not fit: takes {finding.evidence.number:.1f} GB"
    chosen = {change.setting: change.after for change in changes_between(before.settings, fitted.settings)}
    denoiser = memory_fit.rehearsal_of(fitted.settings, fitted.description, fitted.training_set).parts[fitted.description.denoiser]
    assert chosen.keys() <= IN_WORDS.keys()
    words = [does.format(chosen[setting], blocks=len(denoiser.blocks)) for setting, does in IN_WORDS.items() if setting in chosen]
    return ", ".join(words) or "nothing"


def row(title: str, family: str, variant: str) -> str:
    """A row of the table."""
    with TemporaryDirectory() as folder:
        return f"| {title} | {' | '.join(cells(family, variant, Path(folder)))} |\n"


def weights_row(title: str, family: str, variant: str) -> str:
    """A row of the table of weights: GB of the denoiser, and in brackets of the text encoder that is quantised with it."""
    description = described(family, variant)
    base = blank_base(description, torch.bfloat16)
    bytes_of = {name: part_bytes(module, description.parts[name].config).whole for name, module in base.parts.items()}
    denoiser = bytes_of.pop(description.denoiser)
    texts = [sizes for sizes in bytes_of.values() if "nf4" in sizes]
    cells = [
        f"{denoiser[form] / GB:.2f}" + (f" ({sum(sizes[form] for sizes in texts) / GB:.2f})" if texts else "")
        for form in ("none", "int8", "nf4")
    ]
    return f"| {title} | {' | '.join(cells)} |\n"


def _written(page: str, head: str, rows: Iterable[str]) -> str:
    """The page with other rows in the table that begins with `head`."""
    before, rest = page.split(head, 1)
    return before + head + "".join(rows) + rest[rest.index("\n\n") + 1 :]


if __name__ == "__main__":
    weights = _written(PAGE.read_text(encoding="utf-8"), OF_WEIGHTS, [weights_row(*size) for size in sizes()])
    PAGE.write_text(_written(weights, HEAD, [row(*size) for size in sizes()]), encoding="utf-8")
