"""Every network kind on a toy base of every family: from the settings to a file, and back onto the base."""

import copy
import inspect
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from itertools import cycle

import pytest
import torch

from lorasmith.adapters.attach import adapter_tensors, attach_layers, attach_network
from lorasmith.adapters.kinds import trainable_kinds
from lorasmith.adapters.layer import read_layers
from lorasmith.adapters.selection import Selection, select_network
from lorasmith.adapters.settings import NetworkSettings
from lorasmith.models.open import open_base
from tests.models.toys import toy_folder

FAMILIES = {
    "sd1": ("unet", "text_encoder"),
    "sd2": ("unet", "text_encoder"),
    "sdxl": ("unet", "text_encoder", "text_encoder_2"),
    "flux": ("transformer", "text_encoder", "text_encoder_2"),
    "chroma": ("transformer",),
    "zimage": ("transformer",),
    "lumina2": ("transformer",),
    "qwen_image": ("transformer",),
    "klein": ("transformer",),
    "anima": ("transformer",),
    "krea2": ("transformer",),
    "sd3": ("transformer", "text_encoder", "text_encoder_2"),
}
RANKED = {"lora", "loha", "lokr", "dylora", "glora"}


@cache
def base(family):
    """The parts of a toy that a network may go on, frozen."""
    opened = open_base(toy_folder(family), torch.float32)
    return {part: opened.parts[part] for part in FAMILIES[family]}


def outputs(parts):
    """What each part gives for fixed inputs."""
    generator = torch.Generator().manual_seed(1)

    def numbers(*shape):
        return torch.randn(shape, generator=generator)

    found = []
    config = next(iter(parts.values())).config
    if "num_kv_heads" in config:
        mask = torch.arange(7) < torch.tensor([[7], [5]])
        found.append(parts["transformer"](
            numbers(2, config.in_channels, 8, 8), torch.tensor([0.3, 0.9]), numbers(2, 7, config.cap_feat_dim), mask
        ).sample)  # fmt: skip
    elif "cap_feat_dim" in config:
        pictures, captions = numbers(2, config.in_channels, 1, 8, 8).unbind(), [numbers(tokens, config.cap_feat_dim) for tokens in (7, 5)]
        found.append(torch.stack(parts["transformer"](list(pictures), torch.tensor([0.3, 0.9]), captions).sample))
    elif "text_embed_dim" in config:
        found.append(parts["transformer"](
            numbers(2, config.in_channels, 1, 8, 8), torch.tensor([0.3, 0.9]), numbers(2, 6, config.text_embed_dim)
        ).sample)  # fmt: skip
    elif "num_text_layers" in config:
        image = torch.stack([torch.zeros(16), torch.arange(16) // 4, torch.arange(16) % 4], dim=-1)
        states = numbers(2, 6, config.num_text_layers, config.text_hidden_dim)
        places = torch.cat([torch.zeros(6, 3), image])
        found.append(parts["transformer"](numbers(2, 16, config.in_channels), states, torch.tensor([0.3, 0.9]), places).sample)
    elif "pos_embed_max_size" in config:
        states, pooled = numbers(2, 6, config.joint_attention_dim), numbers(2, config.pooled_projection_dim)
        found.append(parts["transformer"](numbers(2, config.in_channels, 8, 8), states, pooled, torch.tensor([300.0, 900.0])).sample)
    elif "transformer" in parts:
        axes = len(config.axes_dims_rope)
        text, image = torch.zeros(6, axes), torch.zeros(16, axes)
        image[:, 1], image[:, 2] = torch.arange(16) // 4, torch.arange(16) % 4
        pooled = {"pooled_projections": numbers(2, config.pooled_projection_dim)} if "pooled_projection_dim" in config else {}
        guidance = {"guidance": torch.tensor([3.5, 3.5])} if config.get("guidance_embeds") else {}
        asked = inspect.signature(parts["transformer"].forward).parameters
        places = {"img_shapes": [[(1, 4, 4)]] * 2} if "img_shapes" in asked else {"img_ids": image, "txt_ids": text}
        found.append(parts["transformer"](
            numbers(2, 16, config.in_channels), numbers(2, 6, config.joint_attention_dim), timestep=torch.tensor([0.3, 0.9]),
            return_dict=False, **places, **pooled, **guidance,
        )[0])  # fmt: skip
    else:
        added = None
        if config.addition_embed_type == "text_time":
            added = {"text_embeds": numbers(2, config.projection_class_embeddings_input_dim - 48), "time_ids": torch.full((2, 6), 64.0)}
        states = numbers(2, 7, config.cross_attention_dim)
        found.append(parts["unet"](numbers(2, 4, 8, 8), torch.tensor([100, 700]), states, added_cond_kwargs=added).sample)
    ids = torch.tensor([[3, 5, 8, 2, 1], [4, 4, 9, 7, 1]])
    return found + [parts[part](ids).last_hidden_state for part in FAMILIES_OF_TEXT if part in parts]


FAMILIES_OF_TEXT = ("text_encoder", "text_encoder_2")


def settings_for(kind, family):
    """One kind for all layers: of SD 1 with the convolutions, plain and strided; of SD 2 inside DoRA where that can be."""
    size = {"rank": 2, "alpha": 2} if kind in RANKED else {}
    if family == "sd1":
        size["preset"] = "convolutions"
    if family == "sd2" and kind in ("lora", "loha", "lokr"):
        size["dora"] = True
    if family == "krea2" and kind == "boft":  # which pairs outputs, and that layer has one
        size["layers"] = [{"pattern": "*txtfusion_projector", "exclude": True}]
    return NetworkSettings(kind=kind, **size)


def mixed_network(family):
    """All kinds at once, from layer to layer another, and every layer that a file has a name for."""
    settings = NetworkSettings(rank=2, preset="full")
    chosen, kinds = select_network(family, base(family), settings), cycle(trainable_kinds())
    return {
        part: Selection(of_part.targets, {name: replace(own, kind=next(kinds)) for name, own in of_part.settings.items()})
        for part, of_part in chosen.items()
    }


def promises_hold(family, chosen, steps, learning_rate):
    """It starts as the base, learns, and predicts the same from its file and merged; the base is as before."""
    parts = base(family)
    with torch.no_grad():
        before = outputs(parts)
    adapters = [attach_network(parts[part], of_part.targets, of_part.settings, seed=1) for part, of_part in chosen.items()]
    try:
        goals = [value + 0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(7)) for value in before]
        optimizer = torch.optim.AdamW([p for adapter in adapters for p in adapter.parameters()], lr=learning_rate, weight_decay=0)
        losses = []
        for step in range(steps):
            with ExitStack() as stack:
                for adapter in adapters:
                    stack.enter_context(adapter.at_step(seed=1, step=step))
                found = outputs(parts)
                loss = sum((value - goal).square().mean() for value, goal in zip(found, goals, strict=True))
                if step == 0:
                    assert all(torch.equal(a, b) for a, b in zip(found, before, strict=True))
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        with torch.no_grad():
            trained = outputs(parts)
        losses.append(sum((value - goal).square().mean() for value, goal in zip(trained, goals, strict=True)).item())
        assert losses[-1] < losses[0]
        assert all((a - b).abs().max() > 1e-4 for a, b in zip(trained, before, strict=True))
        layers = read_layers({key: value.clone() for key, value in adapter_tensors(*adapters).items()})
    finally:
        for adapter in adapters:
            adapter.detach()
    with torch.no_grad():
        copies = copy.deepcopy(parts)
        loaded = [attach_layers(copies[part], of_part.targets, layers) for part, of_part in chosen.items()]
        for a, b in zip(outputs(copies), trained, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        for adapter in loaded:
            adapter.merge_into_base()
        for a, b in zip(outputs(copies), trained, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
        assert all(torch.equal(a, b) for a, b in zip(outputs(parts), before, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_kinds_in_one_network_keep_their_promises_on_every_family(family):
    chosen = mixed_network(family)
    assert {own.kind for of_part in chosen.values() for own in of_part.settings.values()} == trainable_kinds().keys()
    promises_hold(family, chosen, steps=2, learning_rate=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", trainable_kinds())
def test_each_kind_alone_keeps_its_promises_on_every_family(kind, family):
    chosen = select_network(family, base(family), settings_for(kind, family))
    rate = 5e-5 if kind in ("diag-oft", "boft") else 3e-4  # Adam moves all of a rotation's many angles at once
    promises_hold(family, chosen, steps=4, learning_rate=rate)
