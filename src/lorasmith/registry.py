"""A setting whose values are the keys of a registry: the registry is the one list, and the setting reads it.

    KINDS: dict[str, Kind] = {...}
    KindName = Annotated[str, KeyOf(KINDS, "a kind of network")]

    class NetworkSettings(BaseModel):
        kind: KindName = "lora"

For the type checker the setting is a plain string. Its value is checked when settings are made, so that what was added to the registry
later (by a plugin, by a test) is accepted too; a name that is not there is refused with the nearest one that is. The JSON schema lists
the names, for forms and completion.

An entry is added where what it names is defined, and says everything about itself:

    SCHEDULES: dict[str, Schedule] = {}
    register(SCHEDULES, "cosine", Schedule(cosine, "falls in half a cosine"))
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:  # pydantic takes a fifth of a second, and verbs that read no settings come here too
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

Entry = TypeVar("Entry")


class KeyOf(Generic[Entry]):
    """Annotation of a string that must be a key of `registry` (or of what it returns); `what` is what that holds, with its article.

    `also_called` gives the names that an entry has elsewhere: whoever types one is told ours.
    """

    def __init__(
        self, registry: Mapping[str, Entry] | Callable[[], Mapping[str, Entry]], what: str,
        also_called: Callable[[Entry], Iterable[str]] = lambda entry: (),
    ) -> None:  # fmt: skip
        self._registry, self.what, self._also_called = registry, what, also_called

    def __repr__(self) -> str:
        return f"KeyOf({self.what}: {', '.join(self.registry)})"

    @property
    def registry(self) -> Mapping[str, Entry]:
        """What there is to choose from now."""
        return self._registry() if callable(self._registry) else self._registry

    def check(self, name: str) -> str:
        """`name`, if it is a key.

        Raises:
            ValueError: it is not; the sentence names the nearest key, or all of them.
        """
        if name not in self.registry:
            elsewhere = {other: key for key, entry in self.registry.items() for other in self._also_called(entry)}
            if name.lower() in elsewhere:
                raise ValueError(f"is not {self.what}; it is called {elsewhere[name.lower()]!r} here")
            raise ValueError(f"is not {self.what}; {nearest(name, self.registry, elsewhere)}")
        return name

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.registry)}


def nearest(name: str, names: Iterable[str], elsewhere: Mapping[str, str] = MappingProxyType({})) -> str:
    """What to write instead of a name that does not exist: "did you mean 'cosine'?", or "choose one of a, b." where none is near.

    In whatever case it was typed. `elsewhere` are names that other programs use, each with ours, which is the one that is suggested.
    """
    known = list(names)
    ours = {other.lower(): key for other, key in elsewhere.items()} | {key.lower(): key for key in known}
    near = difflib.get_close_matches(name.lower(), ours, n=1, cutoff=0.6)
    return f"did you mean {ours[near[0]]!r}?" if near else f"choose one of {', '.join(known)}."


def register(registry: dict[str, Entry], name: str, entry: Entry) -> Entry:
    """Add an entry under a new name.

    Raises:
        ValueError: the name is taken.
    """
    if name in registry:
        raise ValueError(f"The name {name!r} is already taken.")
    registry[name] = entry
    return entry


def in_words(registry: Mapping[str, Any]) -> str:
    """The names with their `words`, for the description of a setting: "l2 (the square, usual), l1 (...)"."""
    return ", ".join(f"{name} ({entry.words})" for name, entry in registry.items())
