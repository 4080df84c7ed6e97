"""Text encoders: the names of OpenCLIP, and the two ways in which transformers has written CLIP's own.

OpenCLIP keeps query, key and value in one matrix, and multiplies by its text projection from the other side. transformers wrote
`text_model.` before everything of a CLIP text encoder until version 5.6, and still does where a projection is beside it;
files of all years are around, so the prefix is taken as absent on both sides.
"""

from __future__ import annotations

from collections.abc import Collection

from lorasmith.models.take import Shapes, Take, stacked

_OPEN_CLIP = {
    "embeddings.token_embedding": "token_embedding", "final_layer_norm": "ln_final",
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def from_open_clip(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of a CLIP text encoder is in a file with OpenCLIP's names."""
    takes: dict[str, Take] = {}
    for name in shapes:
        plain = name.removeprefix("text_model.")
        if plain == "text_projection.weight":
            # OpenCLIP has a bare matrix; some converters wrote it as a linear layer's.
            linear = "text_projection" not in keys and "text_projection.weight" in keys
            takes[name] = Take("text_projection.weight") if linear else Take("text_projection", transposed=True)
        elif plain == "embeddings.position_embedding.weight":
            takes[name] = Take("positional_embedding")
        elif plain.startswith("encoder.layers."):
            _, _, layer, *inside, kind = plain.split(".")
            block, module = f"transformer.resblocks.{layer}", ".".join(inside)
            if module == "self_attn.q_proj":
                at = name.removesuffix(f"q_proj.{kind}")
                takes |= stacked(f"{block}.attn.in_proj_{kind}", shapes, [f"{at}{x}_proj.{kind}" for x in "qkv"])
            elif module not in ("self_attn.k_proj", "self_attn.v_proj"):
                takes[name] = Take(f"{block}.{_OPEN_CLIP[module]}.{kind}")
        else:
            module, _, kind = plain.rpartition(".")
            takes[name] = Take(f"{_OPEN_CLIP[module]}.{kind}")
    return takes


def from_transformers(shapes: Shapes, keys: Collection[str]) -> dict[str, Take]:
    """Where each tensor of a CLIP or T5 text encoder is in a file of transformers, of any year."""
    takes = {}
    for name in shapes:
        plain = name.removeprefix("text_model.")
        names = (name, plain, f"text_model.{plain}")
        takes[name] = Take(next((n for n in names if n in keys), name))
    # T5's words are one matrix under two names, of which a file may have one.
    for one, other in (("shared.weight", "encoder.embed_tokens.weight"), ("encoder.embed_tokens.weight", "shared.weight")):
        if one in takes and one not in keys and other in keys:
            takes[one] = Take(other)
    return takes
