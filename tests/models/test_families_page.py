"""The table of families in docs/guide/base-models.md is made from their records, here, and checked to be in step.

python -m tests.models.test_families_page     writes it again
"""

from pathlib import Path

from lorasmith.models.families import FAMILIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "base-models.md"
HEAD = "| family | parts | captions | samples | timesteps | files | licence |\n| --- | --- | --- | --- | --- | --- | --- |\n"


def table() -> str:
    """One row for each family and variant."""
    rows = []
    for family in FAMILIES.values():
        for name, variant in family.variants.items():
            defaults = variant.defaults
            told = f", guidance {defaults.guidance}" if defaults.guidance else ""
            cells = [
                f"{family.title}{' ' + name if name else ''}",
                ", ".join(f"`{name}`{f' ({part.model})' if part.model else ''}" for name, part in variant.parts.items()),
                f"{family.captions.form}, {defaults.max_token_lengths[0]} tokens",
                f"{defaults.resolution} pixels, {defaults.steps} steps, cfg {defaults.cfg_scale:g}{told}",
                defaults.timestep_sampling if family.is_flow else "all alike",
                f"`{family.lora.parts[family.denoiser].prefix}`, {defaults.save_precision}",
                variant.licence,
            ]
            rows.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


def test_the_table_is_in_step():
    assert table() in PAGE.read_text(encoding="utf-8"), "write it again: python -m tests.models.test_families_page"


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(HEAD, 1)
    after = rest[rest.index("\n\n") :]
    PAGE.write_text(before + table().removesuffix("\n") + after, encoding="utf-8")
