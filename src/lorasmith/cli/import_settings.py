"""The verb that brings over settings of other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import AsJson
from lorasmith.cli.output import print_json
from lorasmith.command_line import quoted
from lorasmith.errors import SettingsError

if TYPE_CHECKING:
    from lorasmith.findings import Finding
    from lorasmith.training.importers.draft import Carried
    from lorasmith.training.importers.import_settings import Imported


def import_settings(
    file: Annotated[
        Path,
        typer.Argument(
            help="Settings of kohya_ss or sd-scripts (or a script with its command), ai-toolkit, OneTrainer or SimpleTuner, or a LoRA file."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Settings file to write; left out, nothing is written.")] = None,
    base: Annotated[Path | None, typer.Option(help="Base model, instead of the file's.")] = None,
    dataset: Annotated[list[Path] | None, typer.Option(help="Folder of pictures, instead of the file's; may be given again.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the settings file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make settings of those of another trainer, and say what became of each option.

    lorasmith import-settings config_lora.json --out zorvex.toml
    """
    from lorasmith.atomic import write_atomically
    from lorasmith.training.importers.import_settings import import_settings as imported_from
    from lorasmith.training.settings.toml import settings_toml

    if out is not None and out.exists() and not force:
        raise SettingsError(f"The file {out} exists already. Give another name, or --force.", code="import.exists", path=str(out))
    imported = imported_from(file, base, dataset or [])
    toml = settings_toml(imported.settings) if imported.settings is not None else None
    if as_json:
        print_json({**imported.as_data, "settings": toml})
    else:
        for line in report(imported):
            typer.echo(line)
    if toml is None:
        raise SettingsError(f"{file} makes no settings yet. {imported.fault}", code="import.incomplete", path=str(file))
    if out is not None:
        write_atomically(out, toml.encode("utf-8"))
    if not as_json:
        typer.echo(
            f"wrote {out}; look at it, then: lorasmith plan {quoted(out)}" if out is not None else "nothing is written; add --out my.toml"
        )


def report(imported: Imported) -> list[str]:
    """What became of each option, in lines."""
    same = [each for each in imported.carried if not each.why]
    changed = [each for each in imported.carried if each.why]
    lines = [f"{imported.file} is {imported.form}"]
    lines += _part("carried over", [_carried(each) for each in same])
    lines += _part("carried over with a change", [f"{_carried(each)}: {each.why}" for each in changed])
    lines += _part("not carried over", [_option(each) for each in imported.of("import.not_carried")])
    lines += _part("refused", [_option(each) for each in imported.of("import.refused")])
    lines += _part("unknown", [_option(each) for each in imported.of("import.unknown")])
    if imported.off:
        lines.append(f"empty or off: {', '.join(imported.off)}")
    lines += [f"missing: {each.message}" for each in imported.of("import.missing_path")]
    lines += [f"note: {each.message}" for each in imported.of("import.note")]
    if imported.fault:
        lines.append(f"A run would refuse these settings. {imported.fault}")
    return lines


def _part(title: str, lines: list[str]) -> list[str]:
    return [f"{title}: {len(lines)}", *(f"  {line}" for line in lines)] if lines else []


def _carried(each: Carried) -> str:
    from lorasmith.training.importers.draft import shown

    return f"{each.theirs} -> {each.ours} = {shown(each.theirs, each.value)}"


def _option(finding: Finding) -> str:
    """An option with its value, and why it was not carried over."""
    return f"{' '.join((*finding.subjects, *finding.details))}: {finding.why}"
