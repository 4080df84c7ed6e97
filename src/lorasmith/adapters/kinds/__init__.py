"""The kinds of network, by the name that a user types; and how the kind of a file's layer is recognised.

To add a kind: a file that describes it, a file that computes with it (see `kind`), and a line here.
"""

from __future__ import annotations

from lorasmith.adapters.kinds import boft, diag_oft, dora, dylora, full, glora, ia3, loha, lokr, lora, norm, oft_v2
from lorasmith.adapters.kinds.kind import Kind, Shapes
from lorasmith.errors import AdapterError
from lorasmith.registry import register

KINDS: dict[str, Kind] = {}
for _kind in (lora, loha, lokr, dylora, glora, ia3, diag_oft, boft, full, norm, oft_v2):
    register(KINDS, _kind.KIND.name, _kind.KIND)

ALPHA = "alpha"
DORA_SCALE = dora.SCALE


def trainable_kinds() -> dict[str, Kind]:
    """The kinds that can be trained; the others are only found in files."""
    return {name: kind for name, kind in KINDS.items() if kind.trainable}


def kinds_with(setting: str) -> frozenset[str]:
    """The kinds in which a setting of a layer has an effect."""
    return frozenset(name for name, kind in KINDS.items() if setting in kind.settings)


def kind_of(tensors: Shapes) -> Kind:
    """The kind of a file's layer, recognised by the suffixes of its tensors; a DyLoRA is a LoRA by then.

    A change of the bias can be beside any kind, as alpha and magnitude can.

    Raises:
        AdapterError: no kind has such tensors, or some of a kind's are missing.
    """
    suffixes = tensors.keys() - {ALPHA, DORA_SCALE} - (set() if full.DIFF in tensors else {full.DIFF_B})
    for kind in KINDS.values():
        if kind.file_kind is None and suffixes and suffixes <= set(kind.suffixes) and kind.recognises(tensors):
            _check_complete(kind, tensors)
            return kind
    raise AdapterError(
        f"A layer with the tensors {', '.join(sorted(tensors)) or '(none)'} is of no kind that is known here.", code="adapter.unknown_kind"
    )


def _check_complete(kind: Kind, tensors: Shapes) -> None:
    for group in kind.complete:
        if not any(needed <= tensors.keys() for needed in group):
            missing = min((sorted(needed - tensors.keys()) for needed in group), key=len)
            raise AdapterError(
                f"A layer of the kind {kind.title} lacks {', '.join(missing)}: the file is damaged.", code="adapter.incomplete_layer"
            )
