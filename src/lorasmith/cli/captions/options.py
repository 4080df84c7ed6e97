"""Options that the captions' verbs share, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.options import DEMO, base_of

if TYPE_CHECKING:
    from lorasmith.captions.collection import CaptionCollection
    from lorasmith.captions.scope import Scope
    from lorasmith.captions.token_limit import TokenCounter
    from lorasmith.captions.vocabulary import Vocabulary
    from lorasmith.models.description import Description

Folder = Annotated[Path, typer.Argument(help="Folder with pictures and their captions.")]
Where = Annotated[str | None, typer.Option(help='Only captions that this filter finds, such as "tag:hat AND tags:<5".')]
Only = Annotated[list[str] | None, typer.Option(help="Only this picture, caption or folder below FOLDER; may be given several times.")]
Extension = Annotated[str | None, typer.Option(help="Suffix of the caption files, such as .caption; by default, the folder's own.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change and write no caption.")]
Base = Annotated[str | None, typer.Option(help="Base model: a file, a folder, a hub id, or demo.", callback=base_of)]
VocabularyFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--vocabulary",
        help="Tag list (tagcomplete CSV, selected_tags.csv, e621's or Danbooru's export) or demo; may be given several times.",
    ),
]


def scope_of(where: str | None, only: Sequence[str] | None) -> Scope:
    from lorasmith.captions.scope import Scope

    return Scope(where, tuple(only or ()))


def note_what_is_left_alone(collection: CaptionCollection, scope: Scope) -> None:
    """Say how many captions of regularisation pictures a verb did not look at, and how to ask for them."""
    from lorasmith.captions.scope import left_alone
    from lorasmith.pages.numbers import count

    entries = left_alone(collection, scope)
    if not entries:
        return
    folder = entries[0].key.rpartition("/")[0]
    typer.echo(
        f"note: {count(len(entries), 'caption')} of regularisation pictures left alone; name their folder to take them: --only '{folder}'.",
        err=True,
    )


def split_options(given: Sequence[str] | None) -> tuple[str, ...]:
    """The tags of an option that may be given several times and may hold several between commas."""
    from lorasmith.captions.caption import split_tags

    return tuple(tag for one in given or () for tag in split_tags(one))


def one_of(value: str, choices: tuple[str, ...], option: str) -> str:
    """`value`, which must be one of the choices. Raises SettingsError."""
    from lorasmith.errors import SettingsError

    if value not in choices:
        raise SettingsError(f"--{option} cannot be {value!r}: choose {', '.join(choices[:-1])} or {choices[-1]}.")
    return value


def vocabulary_of(files: Sequence[str] | None) -> Vocabulary | None:
    """The tag lists that a user names, as one; demo is the demo world's. None where none is named."""
    if not files:
        return None
    from lorasmith.captions.vocabulary import merged, open_vocabulary

    if DEMO not in files:
        return open_vocabulary(list(files))
    from lorasmith.demo.vocabulary import demo_vocabulary

    others = [file for file in files if file != DEMO]
    return merged([demo_vocabulary(), *([open_vocabulary(others)] if others else [])])


def describe_base(base: str) -> Description:
    """What the files of the base that a user names say about it, without opening its weights."""
    from lorasmith.models.open import describe

    return describe(base)


def token_counter_of(base: str | None, limit: int | None = None) -> TokenCounter | None:
    """Counts tokens as the base does where it reads `limit`, by default as many as it reads at once; None where no base is named."""
    if base is None:
        return None
    from lorasmith.captions.token_limit import token_counter
    from lorasmith.models.tokenizers import caption_tokenizers, tokens_read

    description = describe_base(base)
    tokenizers = caption_tokenizers(description)
    return token_counter(tokenizers.values(), limit or tokens_read(description, tokenizers), in_chunks=description.record.reads_breaks)
