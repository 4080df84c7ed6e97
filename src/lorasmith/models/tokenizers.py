"""The tokenizers of a base model: those in its folder, else those in its files, else its family's standard ones (`models.family.Tokenizer`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lorasmith.errors import BaseModelError
from lorasmith.models.description import Description
from lorasmith.models.files.part_files import files_of_a_base
from lorasmith.models.files.tensor_file import open_tensors
from lorasmith.models.template import Template


def load_tokenizer(description: Description, name: str) -> Any:
    """The tokenizer `name` ("tokenizer", "tokenizer_2") of a base, as transformers has it.

    Raises BaseModelError where the folder's is damaged, or the standard one is neither installed, nor cached, nor on a hub in reach.
    """
    tokenizer = description.record.tokenizers[name]
    if name in description.tokenizers:
        return from_folder(description.tokenizers[name], tokenizer.class_name)
    if tokenizer.from_bytes and (found := _beside_weights(description, tokenizer.tensor)):
        return tokenizer.from_bytes(found)
    try:
        return tokenizer.load()
    except BaseModelError as error:
        raise BaseModelError(
            f"The base {description.source} has no {name}, and the standard one is not on this machine: {tokenizer.carrier}, or give a "
            f"diffusers folder with tokenizers as base.config ({error}).",
            code="base.tokenizer_missing",
            tokenizer=name,
        ) from error


def _beside_weights(description: Description, tensor: str) -> bytes | None:
    """What is in a tensor of this name in one of the base's files; None where none has it."""
    for path in dict.fromkeys(path for place in description.parts.values() for path in place.files):
        with files_of_a_base():
            file = open_tensors(path, allow_pickle=True)  # one that is not allowed was refused when the base was described
            if key := next((key for key in file.entries if key == tensor or key.endswith(f".{tensor}")), None):
                with file:
                    return bytes(file.into(key, slice(None), lambda numbers: numbers.clone()).tolist())
    return None


def load_tokenizers(description: Description) -> dict[str, Any]:
    """All tokenizers of a base by name. Raises as `load_tokenizer`."""
    return {name: load_tokenizer(description, name) for name in description.needed_tokenizers}


def caption_tokenizers(description: Description) -> dict[str, Any]:
    """The tokenizers whose limit a caption must keep, by name. Raises as `load_tokenizer`."""
    return {name: load_tokenizer(description, name) for name in caption_tokenizer_names(description)}


def caption_tokenizer_names(description: Description) -> tuple[str, ...]:
    """The names of those tokenizers."""
    needed, deciding = description.needed_tokenizers, description.record.caption_tokenizers or ()
    return tuple(name for name in deciding if name in needed) or needed


def tokens_read(description: Description, tokenizers: Mapping[str, Any], length: int | None = None) -> int:
    """Tokens of a caption that the base reads where `base.max_token_length` is `length`, the family's usual one where that is None.

    Begin, end and template do not count. An encoder that reads in chunks has the usual length in one.
    """
    record, usual = description.record, description.form.defaults.max_token_lengths[0]
    length = length or usual
    if record.reads_breaks:
        return length
    if record.template is None:
        return min(min(length, one.model_max_length) - one.num_special_tokens_to_add() for one in tokenizers.values())
    return min(length - _around(one, record.template) for one in tokenizers.values())


def _around(tokenizer: Any, template: Template) -> int:
    """Tokens of what is read beside a caption."""
    read = [template.beginning, template.after] if template.before_is_read else [template.after]
    marks: int = 0 if template.start else tokenizer.num_special_tokens_to_add()
    return marks + sum(len(tokenizer(text, add_special_tokens=False).input_ids) for text in read)


def from_folder(folder: Path, class_name: str) -> Any:
    """The tokenizer in a folder."""
    import transformers

    try:
        return getattr(transformers, class_name).from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exceptions on damaged files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150]
        raise BaseModelError(
            f"The tokenizer in {folder} cannot be opened ({reason}): download the base again.", code="base.damaged", path=str(folder)
        ) from error
