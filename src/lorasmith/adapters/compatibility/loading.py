"""What one program does with a network: what it loads, drops, refuses, or generates wrongly, as findings."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from lorasmith.adapters.compatibility.consumers import FORGE_LIMIT, naming, rule_for
from lorasmith.adapters.files.layout import CONTROL, NAMED_ADAPTER, ROTATIONS, NetworkOutline
from lorasmith.adapters.files.names import part_of
from lorasmith.adapters.files.peft_alphas import ADAPTER_CONFIG
from lorasmith.adapters.kinds import diag_oft, lora
from lorasmith.adapters.kinds.programs import CONSUMERS, VERSIONS, refused, wrong
from lorasmith.adapters.outline import LayerOutline
from lorasmith.findings import Evidence, Finding, Fix, Severity
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import LOADS, UNTRIED, Effect, Reading, drops

Verdict = Literal["all", "part", "wrong", "none", "unknown", "family"]
"""wrong: it loads and generates other images than trained. unknown: not tried. family: the program has none of these models."""


@dataclass(frozen=True)
class ConsumerReport:
    """What one program does with the file."""

    version: str
    """The version of the program that the rules were found with."""
    verdict: Verdict
    loads: int
    """Layers that load as they were trained."""
    layers: int
    findings: tuple[Finding, ...] = ()

    def words(self, family: str) -> str:
        """The verdict for people, after the program's name."""
        return {
            "all": "loads all of it", "part": f"loads {self.loads} of {self.layers} layers",
            "wrong": "loads it, and applies it differently than trained", "none": "loads nothing", "unknown": "not tried",
            "family": f"has no {family} models",
        }[self.verdict]  # fmt: skip

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "version": self.version, "verdict": self.verdict, "loads": self.loads, "layers": self.layers,
            "findings": [finding.as_data for finding in self.findings],
        }  # fmt: skip


def in_programs(network: NetworkOutline) -> dict[str, ConsumerReport]:
    """What each program does with a network."""
    return {program: in_program(program, network) for program in CONSUMERS}


def in_program(program: str, network: NetworkOutline) -> ConsumerReport:
    """What a program does with a network."""
    rules: dict[Reading, list[str]] = {}
    for rule, head in _rules(program, network):
        rules.setdefault(rule, []).append(head)
    total = sum(len(heads) for heads in rules.values())
    loads = sum(len(heads) for rule, heads in rules.items() if rule.effect == "loads")
    findings = [_finding(program, rule, heads, total) for rule, heads in rules.items() if rule.effect != "loads"]
    findings += _precision(program, network)
    effects: set[Effect] = {rule.effect for rule in rules} - {"loads"}
    if program == "Forge" and "refused" not in effects and loads and _unknown_keys(program, network) > FORGE_LIMIT:
        reason = refused(f"it ignores a file with more than {FORGE_LIMIT} keys that it does not know")
        findings.append(_finding(program, reason, list(network.layers), total))
        effects.add("refused")
    verdict = _verdict(effects, loads, whole=not network.unread or CONTROL in network.dialects)
    if program in FAMILIES[network.family].lora.consumers.without:
        verdict, loads = "family", 0
    return ConsumerReport(VERSIONS[program], verdict, 0 if verdict == "none" else loads, total, tuple(findings))


def _verdict(effects: set[Effect], loads: int, whole: bool) -> Verdict:
    if "refused" in effects:
        return "none"
    if "wrong" in effects:
        return "wrong"
    if effects <= {"untried"}:
        if not loads and not effects:
            return "none"
        return "all" if whole and not effects else "unknown"
    return "part" if loads else "none"


def _rules(program: str, network: NetworkOutline) -> list[tuple[Reading, str]]:
    """What happens to each layer, under each name that the file has for it."""
    incomplete = _incomplete_attention(network) if program == "AUTOMATIC1111" else frozenset()
    file, record = _File.of(network), FAMILIES[network.family]
    refusals = {way: rule(file.heads) for (asked, way), rule in record.lora.consumers.refused_files.items() if asked == program}
    found = []
    for layer in network.layers.values():
        for head in layer.written_as or (layer.name,):
            rule = _rule(program, network.family, head, layer)
            if rule.effect == "loads" and layer.name in incomplete:
                rule = drops("it needs query, key, value and output of an OpenCLIP attention together")
            if program == "AUTOMATIC1111" and rule.effect == "loads" and layer.name in file.dropped_biases:
                rule = wrong("it drops the changes of the biases of query, key and value in OpenCLIP encoders")
            if layer.bias is not None and rule.effect == "loads" and program == "AUTOMATIC1111":
                rule = wrong("it drops a change of the bias beside other kinds than full differences")
            if ROTATIONS in network.dialects and layer.kind is diag_oft.KIND and program == "ComfyUI":
                rule = drops("it does not know rotations that are written as matrices (oft_diag)")
            if CONTROL in network.dialects:
                rule = LOADS if program in _CONTROLLED else UNTRIED
            needed = record.lora.consumers.needed_names.get((program, naming(head, network.family)), frozenset())
            if rule.effect == "loads" and not needed <= file.heads:
                rule = drops(f"it reads these names in files with all blocks only, {min(needed)} with them")
            if rule.effect == "loads" and (reason := refusals.get(naming(head, network.family))):
                rule = refused(reason)
            if file.named_adapters and program in _NAMED_ADAPTERS and rule.effect == "loads":
                rule = _NAMED_ADAPTERS[program]
            if program == "diffusers":
                rule = _in_diffusers(rule, layer, naming(head, network.family), file)
            if rule.effect == "loads" and not _reads_alpha(program, layer, network):
                rule = wrong(f"it does not read the alpha in {network.alphas_from[layer.name]}, and applies the layer at strength 1")
            found.append((rule, head))
    return found


def _rule(program: str, family: str, head: str, layer: LayerOutline) -> Reading:
    """What a program does with a layer under a name; DoRA around a layer that is not read does not help."""
    inside = layer.kind.forms[layer.kind.form(layer.tensors, layer.alpha)]
    without = rule_for(program, family, head, inside)
    return without if without.effect in ("refused", "dropped") else rule_for(program, family, head, layer.form)


_CONTROLLED = ("ComfyUI", "diffusers")
"""Programs that load control LoRAs of Black Forest Labs, with what is beside the LoRA."""
_NAMED_ADAPTERS = {
    "Forge": refused("it does not know names of adapters in keys (lora_A.NAME.weight)"),
    "diffusers": wrong("names of adapters in keys (lora_A.NAME.weight) leave its matrices without numbers: NaN, or others each time"),
}


def _in_diffusers(rule: Reading, layer: LayerOutline, way: str, context: _File) -> Reading:
    """What in diffusers depends on the other layers of the file, and on its metadata."""
    network = context.network
    record = FAMILIES[network.family]
    if way == "kohya, original path" and not record.lora.consumers.mixed_styles and "kohya, diffusers path" in context.styles:
        return drops("it deletes original names where names of diffusers are in the same file")
    part = part_of(network.family, layer.name)[0]
    if network.embeddings and not record.lora.consumers.reads_beside_embeddings:
        return refused(
            "it stops at the embeddings that are bundled in the file (ValueError): convert it to diffusers, which leaves them out"
        )
    if way == "kohya, CLIP" and part not in context.with_attention_output:
        return refused("it stops at a text encoder of which no out_proj is trained (ValueError)")
    if way in record.lora.consumers.alphas_refused_by_diffusers and layer.alpha is not None and layer.name not in network.alphas_from:
        return refused(f"it does not read alphas beside {'its own' if way == 'diffusers' else 'these'} names (ValueError)")
    if rule.effect == "loads" and layer.name in context.mixed_alphas:
        return wrong("where alphas differ it takes the most common one for the attention layers and the text encoders")
    return rule


def _reads_alpha(program: str, layer: LayerOutline, network: NetworkOutline) -> bool:
    """Whether a program scales a layer as its alpha says, also where that is not among the tensors."""
    source = network.alphas_from.get(layer.name)
    return source is None or layer.alpha == layer.rank or (program == "diffusers" and source != ADAPTER_CONFIG)


@dataclass(frozen=True)
class _File:
    """What of a whole file decides about single layers."""

    network: NetworkOutline
    heads: frozenset[str]
    """The names in it, without the tensors' ends."""
    styles: frozenset[str]
    """The ways of naming in it."""
    with_attention_output: frozenset[str]
    """Text encoders with a layer out_proj."""
    dropped_biases: frozenset[str]
    """Layers with a change of the bias that AUTOMATIC1111 does not apply."""
    named_adapters: bool
    """Whether keys have the name of an adapter in them."""
    mixed_alphas: frozenset[str]
    """Layers whose alpha diffusers replaces by the most common one of their part."""

    @classmethod
    def of(cls, network: NetworkOutline) -> _File:
        heads = frozenset(head for layer in network.layers.values() for head in layer.written_as)
        styles = {naming(head, network.family) for head in heads}
        outputs = {part_of(network.family, name)[0] for name in network.layers if name.endswith("_self_attn_out_proj")}
        parts = FAMILIES[network.family].lora.parts
        biases = frozenset(
            name
            for name, layer in network.layers.items()
            if parts[part_of(network.family, name)[0]].whole_attention and re.search(r"_self_attn_[qkv]_proj$", name) and layer.changes_bias
        )
        named = NAMED_ADAPTER in network.dialects
        return cls(network, heads, frozenset(styles), frozenset(outputs), biases, named, _replaced_alphas(network))


def _replaced_alphas(network: NetworkOutline) -> frozenset[str]:
    """Layers of kohya's files whose alpha diffusers replaces by the most common one of their part (get_peft_kwargs, 0.42.1).

    The patterns by which it sets the others fit no attention layer of the U-Net and no layer of a text encoder.
    """
    record = FAMILIES[network.family]
    of_parts: dict[str, dict[str, float]] = {}
    for name, layer in network.layers.items():
        if layer.alpha is not None and lora.UP in layer.tensors and all(head.startswith("lora_") for head in layer.written_as):
            of_parts.setdefault(part_of(network.family, name)[0], {})[name] = layer.alpha
    replaced: set[str] = set()
    for part, alphas in of_parts.items():
        common = Counter(alphas.values()).most_common(1)[0][0]
        pattern = record.lora.consumers.common_alpha if part == record.denoiser else ""
        if pattern is not None:
            replaced |= {name for name, alpha in alphas.items() if alpha != common and re.search(pattern, name)}
    return frozenset(replaced)


def _unknown_keys(program: str, network: NetworkOutline) -> int:
    """How many keys of the file the program does not know."""
    return sum(
        len(layer.tensors) + (layer.alpha is not None) + (layer.dora_scale is not None)
        for layer in network.layers.values()
        for head in layer.written_as[:1]
        if rule_for(program, network.family, head, layer.form).effect == "dropped"
    )


def _incomplete_attention(network: NetworkOutline) -> frozenset[str]:
    """Layers of OpenCLIP attentions (SD 2's encoder, SDXL's second) of which not all four of query, key, value, out are there."""
    parts = FAMILIES[network.family].lora.parts.values()
    prefixes = tuple(f"{part.prefix}_" for part in parts if part.whole_attention)
    groups: dict[str, set[str]] = {}
    for name in network.layers:
        if name.startswith(prefixes) and "_self_attn_" in name:
            groups.setdefault(name.partition("_self_attn_")[0], set()).add(name)
    return frozenset(name for names in groups.values() if len(names) < 4 for name in names)


_HALF = {"float16": ("fp16", "1 %"), "bfloat16": ("bf16", "3 %")}
"""Numbers in half precision, and how far off a change at strength 0.5 to 1 was that a program computed in them."""


def _precision(program: str, network: NetworkOutline) -> list[Finding]:
    """Layers that a program computes in the file's own numbers, where these are of half precision."""
    rough: dict[str, list[str]] = {}
    for name, layer in network.layers.items():
        dtype = str(next(iter(layer.tensors.values())).dtype).removeprefix("torch.")
        if program in layer.kind.forms[layer.kind.form(layer.tensors, layer.alpha)].in_files_numbers and dtype in _HALF:
            rough.setdefault(dtype, []).append(name)
    found = []
    for dtype, names in rough.items():
        precision, error = _HALF[dtype]
        count, total = len(names), len(network.layers)
        found.append(
            Finding(
                code="check.precision",
                severity="note",
                message=f"{program} computes {count} of {total} layers in {precision}, as they are in the file: up to {error} of a change is off.",
                about="layer",
                subjects=tuple(names),
                evidence=Evidence(count, "layers", f"{count} of {total} layers."),
                fix=Fix("Write the file in fp32: lorasmith lora convert --precision fp32."),
                source=f"{program} {VERSIONS[program]}, measured with LoHa, LoKr and differences in half precision",
            )
        )
    return found


_SEVERITIES: dict[Effect, Severity] = {"dropped": "error", "wrong": "warning", "refused": "error", "untried": "note"}
_CONVERT = Fix("Convert the file (lorasmith lora convert), or generate with a program that reads it.")


def _finding(program: str, rule: Reading, heads: list[str], total: int) -> Finding:
    """What is wrong with these layers in a program."""
    count = "all layers" if len(heads) == total else f"{len(heads)} of {total} layers ({heads[0]})"
    what = {
        "refused": "refuses the file",
        "dropped": f"drops {count}",
        "wrong": f"applies {count} differently than trained",
        "untried": f"was not tried with {count}",
    }[rule.effect]
    return Finding(
        code=f"check.{rule.effect}",
        severity=_SEVERITIES[rule.effect],
        message=f"{program} {what}: {rule.reason}.",
        about="layer",
        subjects=tuple(heads),
        evidence=Evidence(len(heads), "layers", f"{len(heads)} of {total} layers."),
        fix=None if rule.effect == "untried" else _CONVERT,
        source=f"{program} {VERSIONS[program]}, tried with a network of every kind",
    )
