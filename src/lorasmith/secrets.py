"""Keys, tokens and passwords in what others wrote: recognised by an option's name or by how they look, and never shown.

Front ends save access keys with their settings, trainers write them into metadata, and reports and errors get pasted into threads. So
what is shown of a file that is not ours goes through `without_secrets`; an error goes through it before it is printed. What is written
into a file that is made from another's goes through `publishable`: LoRA files are uploaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lorasmith.json_text import json_of

HIDDEN = "(not shown)"

_NAMES = r"(?:api|access|secret|private|auth|hf|huggingface|wandb|civitai)_?keys?|token|passwords?|passwd|pwd|secrets?|credentials?"
_NAME = re.compile(rf"(?:^|_)(?:{_NAMES})$")
_PLAIN = re.compile(r"(?:^|_)(?:class|special|added|trigger|init|placeholder|replace|max|no|pad|unk|bos|eos)_token$")
"""Names that end alike and are about captions or texts."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ASSIGNED = re.compile(
    r"""(?P<name>(?<![A-Za-z])[A-Za-z][\w-]{0,200})(?:\\*["']?\s*=\s*\\*["']?|\\*["']\s*:\s*\\*["']?)(?P<value>[^\s"',;&\\]+)"""
)
"""A name with its value in code, a TOML or a JSON, also where that is a text within another JSON (\\"token\\": \\"...\\")."""
_ARGUMENT = re.compile(r"""--(?P<name>(?<![A-Za-z])[A-Za-z][\w-]{0,200})\s+["']?(?P<value>[^\s"']+)""")
_LOOKS = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}|\bsk-[\w-]{16,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\br8_\w{20,}|\bwandb_v\d_\w{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bxox[abprs]-[\w-]{10,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
"""Access keys of Hugging Face, OpenAI, GitHub, Replicate, W&B, AWS, Google and Slack, and name:password of an address."""
_PARAMETER = re.compile(r"""(?:[?&#]|&amp;|\\u0026)(?P<name>[\w.-]{1,60})=(?P<value>[^\s"'<>#;&\\)]+)""")
"""A parameter of an address, also as HTML and JSON write it."""
_OF_ADDRESSES = re.compile(
    r"(?:x_\w+_|q_)?sig(?:nature)?|(?:aws|oss|google)_?access_?(?:key_?)?id|key|auth|jwt|hmac|hm|(?:\w+_)?(?:api|access|resource|subscription|shared)_?key"
)
"""Names that say it of a parameter of an address alone: of signed links (S3, Google, Azure, CloudFront, Discord), and of keys in short."""


_COUNTS = "ss_tag_frequency"
"""The metadata entry that counts tags, of which any may be called as a secret is ("secret": 5)."""


def is_secret(name: str) -> bool:
    """Whether the name of an option, an environment variable or a metadata key says that its value is nobody's business."""
    name = _words_of(name)
    return bool(_NAME.search(name)) and not _PLAIN.search(name)


def is_secret_parameter(name: str) -> bool:
    """Whether the name of a parameter of an address says so: `token`, or the `X-Amz-Signature`, `sig` or `key` of a signed link."""
    return is_secret(name) or bool(_OF_ADDRESSES.fullmatch(_words_of(name)))


def _words_of(name: str) -> str:
    return _CAMEL.sub("_", name.lstrip("-")).replace("-", "_").replace(".", "_").lower()


def without_secrets(value: Any, name: str = "") -> Any:
    """The same text, number, list or mapping with `HIDDEN` where a secret is; `name` is what the value is called."""
    if name and is_secret(name) and value not in (None, "", False, True):
        return HIDDEN
    if isinstance(value, Mapping):
        return {_LOOKS.sub(HIDDEN, key) if isinstance(key, str) else key: without_secrets(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    if not isinstance(value, str):
        return value
    if name == _COUNTS:
        return _LOOKS.sub(HIDDEN, value)
    if value[:1] in ("{", "[") and (known := json_of(value)) is not None:
        clean = without_secrets(known)
        return value if clean == known else json.dumps(clean)
    for pattern in (_ASSIGNED, _ARGUMENT):
        value = pattern.sub(_hidden_assignment, value)
    value = _PARAMETER.sub(_hidden_parameter, value)
    return _LOOKS.sub(HIDDEN, value)


def publishable(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a file without its secrets: entries that are one are left out, and in others they are hidden."""
    return {key: without_secrets(value, key) for key, value in metadata.items() if not is_secret(key)}


def entries_with_secrets(metadata: Mapping[str, str]) -> list[str]:
    """The names, sorted, of the entries that `publishable` leaves out or changes."""
    clean = publishable(metadata)
    return sorted(key for key, value in metadata.items() if clean.get(key) != value)


def _hidden_assignment(found: re.Match[str]) -> str:
    if not is_secret(found["name"]) or found.string.startswith(HIDDEN, found.start("value")):
        return found[0]
    return found[0][: found.start("value") - found.start()] + HIDDEN


def _hidden_parameter(found: re.Match[str]) -> str:
    if not is_secret_parameter(found["name"]) or found["value"].startswith(HIDDEN.split()[0]):
        return found[0]
    return found[0][: found.start("value") - found.start()] + HIDDEN
