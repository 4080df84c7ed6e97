"""A verb for each edit, made from the edit's own fields, and `convert`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer

from lorasmith.cli.captions import options
from lorasmith.cli.captions.save import save_plan, utf8_failures
from lorasmith.cli.options import AsJson

if TYPE_CHECKING:
    from lorasmith.captions.edits.edit import Edit

CountIn = Annotated[str, typer.Option(help="Count tags over the whole folder, or over the scope of --where and --only: folder or scope.")]


def edit_command(name: str) -> Any:
    """The command of an edit: its fields are arguments and options, its docstring is the help."""
    from lorasmith.captions.edits.registry import EDITS

    edit = EDITS[name]

    def run(**given: Any) -> None:
        fields = {field: given[field] for field in edit.model_fields}
        for field, info in edit.model_fields.items():
            if _command_line_type(info.annotation) is list:
                fields[field] = list(options.split_options(given[field]))
        shared = {key: value for key, value in given.items() if key not in edit.model_fields}
        _run_edit(name, fields, **shared)

    run.__signature__ = inspect.Signature(_parameters(edit))  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, help=inspect.getdoc(edit), hidden=not edit.listed)(run)
    return typer.main.get_command(app)


def _parameters(edit: type[Edit]) -> list[inspect.Parameter]:
    """What the command of an edit takes: the folder, the edit's own fields, and what all edits share."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("folder", keyword, annotation=options.Folder)]
    for field in (*edit.positional, *(field for field in edit.model_fields if field not in edit.positional)):
        info = edit.model_fields[field]
        read_as = _command_line_type(info.annotation)
        default = inspect.Parameter.empty if info.is_required() else None if read_as is list else info.default
        option: Any = typer.Argument if field in edit.positional else typer.Option
        names = [f"--{field.replace('_', '-')}"] if read_as is bool else []
        value: Any = list[str] if read_as is list else read_as
        annotation: Any = Annotated[value | None if default is None else value, option(*names, help=info.description)]
        parameters.append(inspect.Parameter(field, keyword, annotation=annotation, default=default))
    if edit.uses_vocabulary:
        parameters.append(inspect.Parameter("vocabulary", keyword, annotation=options.VocabularyFiles, default=None))
    if edit.counts_tags:
        parameters.append(inspect.Parameter("count_in", keyword, annotation=CountIn, default="folder"))
    shared: dict[str, tuple[Any, Any]] = {
        "where": (options.Where, None), "only": (options.Only, None), "extension": (options.Extension, None), "base": (options.Base, None),
        "dry_run": (options.DryRun, False), "as_json": (AsJson, False),
    }  # fmt: skip
    return parameters + [inspect.Parameter(key, keyword, annotation=one, default=value) for key, (one, value) in shared.items()]


def _command_line_type(annotation: Any) -> type:
    """What the command line reads for a field: list (of tags), bool, int, float, and str for everything else."""
    if NoneType in get_args(annotation):
        annotation = next(one for one in get_args(annotation) if one is not NoneType)
    kind = get_origin(annotation) or annotation
    return kind if kind in (list, bool, int, float) else str


def _run_edit(
    name: str,
    fields: Mapping[str, Any],
    *,
    folder: Path,
    where: str | None,
    only: list[str] | None,
    extension: str | None,
    base: str | None,
    dry_run: bool,
    as_json: bool,
    count_in: str = "folder",
    vocabulary: list[str] | None = None,
) -> None:
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.edits.planning import plan_edit
    from lorasmith.captions.edits.registry import edit_of

    options.one_of(count_in, ("folder", "scope"), "count-in")
    collection, scope = open_captions(folder, extension, unreadable_too=True), options.scope_of(where, only)
    options.note_what_is_left_alone(collection, scope)
    edit = edit_of(name, **fields)
    plan = plan_edit(
        collection, edit, scope,
        count_in=count_in, count_tokens=options.token_counter_of(base, edit.token_limit), vocabulary=options.vocabulary_of(vocabulary),  # type: ignore[arg-type]
    )  # fmt: skip
    save_plan(plan, dry_run, as_json, failures=utf8_failures(collection, scope), given=fields)


def convert(
    folder: options.Folder,
    encoding: Annotated[
        str | None,
        typer.Option("--from", help="Encoding that they were written in, such as cp1252; by default, each file's is recognised."),
    ] = None,
    where: options.Where = None,
    only: options.Only = None,
    extension: options.Extension = None,
    dry_run: options.DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write captions that are not UTF-8 as UTF-8; those that are stay as they are.

    lorasmith captions convert my-pictures --dry-run
    lorasmith captions convert my-pictures --only anna --from cp1252
    """
    from lorasmith.captions.collection import open_captions
    from lorasmith.captions.filters import parse_filter
    from lorasmith.captions.plan import CaptionPlan
    from lorasmith.captions.scope import select, select_unreadable
    from lorasmith.errors import DatasetError

    collection, scope = open_captions(folder, extension, unreadable_too=True), options.scope_of(where, only)
    select(collection, scope)  # refuses a scope that names what is not there
    changes, failures = {}, {}
    for entry in select_unreadable(collection, scope):
        try:
            caption = collection.converted(entry.key, encoding)
        except DatasetError as error:
            failures[collection.folder / entry.pictures[0]] = str(error)
            continue
        if where is None or parse_filter(where).matches(replace(entry, caption=caption)):
            changes[entry.key] = caption
    summary = f"convert from {encoding}" if encoding else "convert to UTF-8"
    save_plan(CaptionPlan(collection, f"{summary}{scope}", len(changes) + len(failures), changes), dry_run, as_json, failures=failures)
