"""What a LoRA file will do in each program, before the user finds out: what loads, what is dropped or drawn wrongly, and why.

    report = check_file(load_tensors("mimi.safetensors"))
    report.consumers["diffusers"].verdict      # "all", "part", "wrong", "none" or "unknown"
    report.problems()                          # sentences; empty for a sound file

Also whether the file is damaged (numbers that are not finite, layers that do nothing, a wrong alpha), whether its layers and
their shapes fit a base, and which type the UIs will show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from lorasmith.adapters.base_weights import BaseWeights, standard_base
from lorasmith.adapters.compatibility.consumers import CONSUMERS, FORGE_LIMIT, VERSIONS, naming, rule_for, ui_type
from lorasmith.adapters.files.dialects import read_network
from lorasmith.adapters.files.lora_file import LoraFile
from lorasmith.adapters.files.network import Layer, Network
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import Reading


@dataclass(frozen=True)
class Finding:
    """One thing that a program does not do right: with how many layers, why, and one of them."""

    effect: str
    layers: int
    reason: str
    example: str


@dataclass(frozen=True)
class ConsumerReport:
    """What one program does with the file."""

    version: str
    """The version of the program that the rules were found with."""
    verdict: str
    """all, part, wrong (loads and draws otherwise than trained), none, unknown (not tried), or family (it has none of these models)."""
    loads: int
    """Layers that load as they were trained."""
    layers: int
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class CheckReport:
    """All that can be said of a LoRA file without drawing with it."""

    family: str
    layers: int
    kinds: dict[str, int]
    ranks: dict[str, int]
    """Rank, as a string -> layers; empty for kinds without one."""
    dialects: list[str]
    consumers: dict[str, ConsumerReport]
    damage: list[str]
    base: str
    """What the layers were compared with."""
    misfits: list[str]
    """Layers that the base does not have, or that have another shape there."""
    ui_type: str | None
    """What AUTOMATIC1111 takes it for, by its metadata."""
    notes: list[str]

    def problems(self, programs: tuple[str, ...] = CONSUMERS) -> list[str]:
        """What is wrong, in sentences: damage, misfits, and what these programs drop or draw wrongly."""
        found = [*self.damage, *self.misfits]
        for program in programs:
            report = self.consumers[program]
            if report.verdict not in ("all", "family"):
                found += [f"{program}: {_sentence(finding, report.layers)}" for finding in report.findings if finding.effect != "untried"]
        return found

    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"problems": self.problems()}


def check_file(
    file: LoraFile,
    family: str | None = None,
    base: BaseWeights | None = None,
    base_name: str | None = None,
) -> CheckReport:
    """Look at a file. It is compared with `base` (its shapes are enough), else with the family at its standard size.

    Raises:
        AdapterError: no network in the file, or its family cannot be told.
    """
    network = read_network(file.tensors, file.metadata, base.family if base else family, base.shape if base else None)
    kinds: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for layer in network.layers.values():
        kinds[made_of(layer)] = kinds.get(made_of(layer), 0) + 1
        if layer.rank is not None:
            ranks[str(layer.rank)] = ranks.get(str(layer.rank), 0) + 1
    idle = _idle(network)
    past_reading = _past_reading(network, idle) if len(idle) < len(network.layers) else frozenset()
    damage = [*_damage(file.tensors), *_unread(network), *_sentence_of_idle(network, [name for name in idle if name not in past_reading])]
    notes = list(network.notes)
    if past_reading:
        notes.append(
            f"{len(past_reading)} layers at the end of a text encoder are zero: training did not read so far (SDXL's first encoder, clip skip)"
        )
    shown = ui_type(file.metadata)
    expected = FAMILIES[network.family].ui_type
    if expected and shown and shown != expected:
        notes.append(f"its metadata makes AUTOMATIC1111 take it for {shown}, and hide it beside an {expected} base")
    if not file.metadata:
        notes.append("it has no metadata: the UIs cannot tell what it is for, nor how it was trained")
    if missing := sum(layer.alpha is None and layer.rank is not None for layer in network.layers.values()):
        notes.append(f"{missing} layers have no alpha: every program takes alpha / rank as 1")
    compared = base or standard_base(network.family)
    misfits = _misfits(network, compared.shapes())
    if base is None and sum(misfits.values()) > len(network.layers) / 2:
        notes.append(f"it is for no {network.family} of the standard size: compare it with its base (--base)")
        misfits = {}
    return CheckReport(
        network.family,
        len(network.layers),
        kinds,
        dict(sorted(ranks.items(), key=lambda item: int(item[0]))),
        list(network.dialects),
        {program: _in_program(program, network, file.metadata) for program in CONSUMERS},
        damage,
        base_name or f"{network.family} at its standard size",
        list(misfits),
        shown,
        notes,
    )


def made_of(layer: Layer) -> str:
    """What a layer is made of, in the words of `consumers.KINDS`."""
    if layer.dora:
        scale = layer.tensors["dora_scale"]
        return "DoRA in one row" if scale.dim() == 1 else f"DoRA along the {layer.dora}s"
    if "lora_mid.weight" in layer.tensors or "lokr_t2" in layer.tensors:
        return f"{layer.kind} in Tucker form"
    if "rescale" in layer.tensors and layer.kind == "diag-oft":
        return "rotation with rescale"
    if layer.kind == "diag-oft" and layer.alpha:
        return "diag-oft with a constraint"
    return "boft without alpha" if layer.kind == "boft" and layer.alpha is None else layer.kind


# ---- the programs


def _in_program(program: str, network: Network, metadata: Mapping[str, str]) -> ConsumerReport:
    rules: dict[Reading, list[str]] = {}
    open_clip = _incomplete_attention(network) if program == "AUTOMATIC1111" else frozenset()
    both_styles = {naming(head, network.family) for layer in network.layers.values() for head in layer.written_as}
    for layer in network.layers.values():
        for head in layer.written_as or (layer.name,):
            rule = rule_for(program, network.family, head, made_of(layer), _is_conv(layer))
            if rule.effect == "loads" and layer.name in open_clip:
                rule = Reading("dropped", "it needs query, key, value and output of an OpenCLIP attention together")
            original = naming(head, network.family) == "kohya, original path"
            if (
                program == "diffusers"
                and original
                and not FAMILIES[network.family].lora.consumers.mixed_styles
                and "kohya, diffusers path" in both_styles
            ):
                rule = Reading("dropped", "it deletes original names where names of diffusers are in the same file")
            if program == "diffusers" and "diffusers" in both_styles and not _has_peft_alpha(layer, metadata) and layer.alpha is not None:
                rule = Reading("untried", "alphas beside names of diffusers were not tried with it")
            rules.setdefault(rule, []).append(head)
    total = sum(len(heads) for heads in rules.values())
    loads = sum(len(heads) for rule, heads in rules.items() if rule.effect == "loads")
    findings = [Finding(rule.effect, len(heads), rule.reason, heads[0]) for rule, heads in rules.items() if rule.effect != "loads"]
    effects = {finding.effect for finding in findings}
    unknown_keys = sum(
        len(layer.tensors) + (layer.alpha is not None)
        for layer in network.layers.values()
        for head in layer.written_as[:1]
        if rule_for(program, network.family, head, made_of(layer), _is_conv(layer)).effect == "dropped"
    )
    if program == "Forge" and unknown_keys > FORGE_LIMIT and "refused" not in effects and loads:
        findings.append(Finding("refused", total, f"it ignores a file with more than {FORGE_LIMIT} keys that it does not know", ""))
        effects.add("refused")
    if program in FAMILIES[network.family].lora.consumers.without:
        return ConsumerReport(VERSIONS[program], "family", 0, total, findings)
    if "refused" in effects:
        return ConsumerReport(VERSIONS[program], "none", 0, total, findings)
    if "wrong" in effects:
        verdict = "wrong"
    elif effects <= {"untried"}:
        verdict = "unknown" if effects else "all"
    else:
        verdict = "part" if loads else "none"
    return ConsumerReport(VERSIONS[program], verdict, loads, total, findings)


def _has_peft_alpha(layer: Layer, metadata: Mapping[str, str]) -> bool:
    return layer.alpha == layer.rank or "lora_adapter_metadata" in metadata


def _is_conv(layer: Layer) -> bool:
    return any(tensor.dim() == 4 for end, tensor in layer.tensors.items() if end != "oft_blocks")


def _incomplete_attention(network: Network) -> frozenset[str]:
    """Layers of OpenCLIP attentions (SD 2's encoder, SDXL's second) of which not all four of query, key, value, out are there."""
    parts = FAMILIES[network.family].lora.parts.values()
    prefixes = tuple(f"{part.prefix}_" for part in parts if part.whole_attention)
    groups: dict[str, set[str]] = {}
    for name in network.layers:
        if name.startswith(prefixes) and "_self_attn_" in name:
            groups.setdefault(name.partition("_self_attn_")[0], set()).add(name)
    return frozenset(name for names in groups.values() if len(names) < 4 for name in names)


def _sentence(finding: Finding, total: int) -> str:
    if finding.effect == "refused":
        return f"refuses the file: {finding.reason}"
    what = {"dropped": "drops", "wrong": "draws wrongly", "untried": "was not tried with"}[finding.effect]
    count = "all layers" if finding.layers == total else f"{finding.layers} of {total} layers"
    of = f" ({finding.example})" if finding.example and finding.layers < total else ""
    return f"{what} {count}{of}: {finding.reason}"


# ---- the file itself


def _damage(tensors: Mapping[str, Tensor]) -> list[str]:
    found = []
    broken = [key for key, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        found.append(
            f"{len(broken)} tensors have numbers that are not finite (NaN or infinity), {broken[0]} first: the training broke down"
        )
    shaped = [key for key, tensor in tensors.items() if key.endswith(".alpha") and tensor.numel() == 1 and tensor.dim() > 0]
    if shaped:
        found.append(f"{len(shaped)} alphas are lists of one number instead of a number, {shaped[0]} first: not every program reads that")
    zero = [key for key, tensor in tensors.items() if key.endswith(".alpha") and tensor.numel() == 1 and float(tensor) == 0]
    if zero and not any("oft_blocks" in key for key in tensors):
        found.append(f"{len(zero)} alphas are 0, {zero[0]} first: these layers do nothing")
    return found


def _unread(network: Network) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for key, reason in network.unread.items():
        reasons.setdefault(reason, []).append(key)
    return [f"{len(found)} tensors cannot be read, {found[0]} first: {reason}" for reason, found in reasons.items()]


def _idle(network: Network) -> list[str]:
    """Layers that change nothing, because one of the factors of their product is zero."""
    return [
        layer.name
        for layer in network.layers.values()
        if layer.kind in ("lora", "loha", "lokr", "full", "ia3")
        and not layer.dora
        and any(not tensor.any() for end, tensor in layer.tensors.items() if end not in ("on_input", "diff_b"))
        and not ("diff_b" in layer.tensors and layer.tensors["diff_b"].any())
    ]


def _past_reading(network: Network, idle: list[str]) -> frozenset[str]:
    """The idle layers at the end of a text encoder, where whole blocks are idle: SDXL reads its first encoder up to the last
    block but one, as every family does with clip skip, and what is not read is not trained."""
    blocks: dict[str, dict[int, list[str]]] = {}
    for name in network.layers:
        if found := re.match(r"(lora_te\d?)_text_model_encoder_layers_(\d+)_", name):
            blocks.setdefault(found[1], {}).setdefault(int(found[2]), []).append(name)
    past: set[str] = set()
    zero = set(idle)
    for of_encoder in blocks.values():
        for number in sorted(of_encoder, reverse=True)[:-1]:
            if not zero.issuperset(of_encoder[number]):
                break
            past.update(of_encoder[number])
    return frozenset(past)


def _sentence_of_idle(network: Network, idle: list[str]) -> list[str]:
    if not idle:
        return []
    if len(idle) == len(network.layers):
        return ["every layer is zero: the file changes nothing"]
    return [f"{len(idle)} of {len(network.layers)} layers are zero and change nothing, {idle[0]} first"]


def _misfits(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Sentence -> of how many layers it speaks. Trained normalisations are not looked at."""
    unknown = [name for name, layer in network.layers.items() if name not in shapes and layer.kind != "norm"]
    wrong = []
    for name, layer in network.layers.items():
        if name in shapes and layer.kind != "norm" and (reason := _misfit(layer, shapes[name])):
            wrong.append(f"{name} {reason}")
    found = {}
    if unknown:
        found[f"the base lacks {len(unknown)} of {len(network.layers)} layers, {unknown[0]} first"] = len(unknown)
    if wrong:
        found[f"{len(wrong)} of {len(network.layers)} layers do not fit the base, first {wrong[0]}"] = len(wrong)
    return found


def _misfit(layer: Layer, shape: tuple[int, ...]) -> str | None:
    """Why a layer does not fit a weight of this shape; None where it does."""
    out, width, *kernel = shape
    columns = width
    for side in kernel:
        columns *= side
    t = layer.tensors
    sizes: tuple[tuple[int, int], ...] = ()
    if layer.kind == "lora":
        down = t["lora_down.weight"]
        has = (t["lora_up.weight"].shape[0], down.shape[1] if "lora_mid.weight" in t else down[0].numel())
        sizes = ((has[0], out), (has[1], width if "lora_mid.weight" in t else columns))
    elif layer.kind == "loha":
        tucker = "hada_t1" in t
        sizes = ((t["hada_w1_a"].shape[1 if tucker else 0], out), (t["hada_w1_b"].shape[1], width if tucker else columns))
    elif layer.kind == "full":
        sizes = ((t["diff"].shape[0], out), (t["diff"][0].numel(), columns))
    elif layer.kind == "glora":
        sizes = ((t["b1.weight"].shape[0], out), (t["b2.weight"][0].numel(), columns))
    elif layer.kind == "ia3":
        sizes = ((t["weight"].numel(), width if bool(t["on_input"]) else out),)
    elif layer.kind in ("diag-oft", "boft"):
        blocks = t["oft_blocks"]
        sizes = ((blocks.shape[-3] * blocks.shape[-1], out),)
    elif layer.kind == "lokr":
        first = (t["lokr_w1"] if "lokr_w1" in t else t["lokr_w1_a"]).shape[0]
        second = t["lokr_w2"].shape[0] if "lokr_w2" in t else t["lokr_w2_a"].shape[1 if "lokr_t2" in t else 0]
        sizes = ((first * second, out),)
    if all(has == needs for has, needs in sizes):
        return None
    return (
        f"is made for {' x '.join(str(has) for has, _ in sizes)} numbers where the base has {' x '.join(str(needs) for _, needs in sizes)}"
    )
