"""What one program does with a network: what it loads, drops, refuses, or generates wrongly, as findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lorasmith.adapters.compatibility.consumers import FORGE_LIMIT, naming, rule_for
from lorasmith.adapters.files.network import Network
from lorasmith.adapters.kinds.programs import CONSUMERS, VERSIONS, refused
from lorasmith.adapters.layer import Layer
from lorasmith.findings import Evidence, Finding, Fix, Severity
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import Effect, Reading, drops

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

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "version": self.version, "verdict": self.verdict, "loads": self.loads, "layers": self.layers,
            "findings": [finding.as_data for finding in self.findings],
        }  # fmt: skip


def in_programs(network: Network, metadata: Mapping[str, str]) -> dict[str, ConsumerReport]:
    """What each program does with a network."""
    return {program: in_program(program, network, metadata) for program in CONSUMERS}


def in_program(program: str, network: Network, metadata: Mapping[str, str]) -> ConsumerReport:
    """What a program does with a network."""
    rules: dict[Reading, list[str]] = {}
    for rule, head in _rules(program, network, metadata):
        rules.setdefault(rule, []).append(head)
    total = sum(len(heads) for heads in rules.values())
    loads = sum(len(heads) for rule, heads in rules.items() if rule.effect == "loads")
    findings = [_finding(program, rule, heads, total) for rule, heads in rules.items() if rule.effect != "loads"]
    effects: set[Effect] = {rule.effect for rule in rules} - {"loads"}
    if program == "Forge" and "refused" not in effects and loads and _unknown_keys(program, network) > FORGE_LIMIT:
        reason = refused(f"it ignores a file with more than {FORGE_LIMIT} keys that it does not know")
        findings.append(_finding(program, reason, list(network.layers), total))
        effects.add("refused")
    verdict = _verdict(effects, loads)
    if program in FAMILIES[network.family].lora.consumers.without:
        verdict, loads = "family", 0
    return ConsumerReport(VERSIONS[program], verdict, 0 if verdict == "none" else loads, total, tuple(findings))


def _verdict(effects: set[Effect], loads: int) -> Verdict:
    if "refused" in effects:
        return "none"
    if "wrong" in effects:
        return "wrong"
    if effects <= {"untried"}:
        return "unknown" if effects else "all"
    return "part" if loads else "none"


def _rules(program: str, network: Network, metadata: Mapping[str, str]) -> list[tuple[Reading, str]]:
    """What happens to each layer, under each name that the file has for it."""
    incomplete = _incomplete_attention(network) if program == "AUTOMATIC1111" else frozenset()
    styles = {naming(head, network.family) for layer in network.layers.values() for head in layer.written_as}
    found = []
    for layer in network.layers.values():
        for head in layer.written_as or (layer.name,):
            rule = rule_for(program, network.family, head, layer.form)
            if rule.effect == "loads" and layer.name in incomplete:
                rule = drops("it needs query, key, value and output of an OpenCLIP attention together")
            if program == "diffusers":
                rule = _in_diffusers(rule, layer, naming(head, network.family), styles, network.family, metadata)
            found.append((rule, head))
    return found


def _in_diffusers(rule: Reading, layer: Layer, way: str, styles: set[str], family: str, metadata: Mapping[str, str]) -> Reading:
    """What in diffusers depends on the other layers of the file, and on its metadata."""
    if way == "kohya, original path" and not FAMILIES[family].lora.consumers.mixed_styles and "kohya, diffusers path" in styles:
        return drops("it deletes original names where names of diffusers are in the same file")
    has_peft_alpha = layer.alpha == layer.rank or "lora_adapter_metadata" in metadata
    if "diffusers" in styles and layer.alpha is not None and not has_peft_alpha:
        return Reading("untried", "alphas beside names of diffusers were not tried with it")
    return rule


def _unknown_keys(program: str, network: Network) -> int:
    """How many keys of the file the program does not know."""
    return sum(
        len(layer.tensors) + (layer.alpha is not None) + (layer.dora_scale is not None)
        for layer in network.layers.values()
        for head in layer.written_as[:1]
        if rule_for(program, network.family, head, layer.form).effect == "dropped"
    )


def _incomplete_attention(network: Network) -> frozenset[str]:
    """Layers of OpenCLIP attentions (SD 2's encoder, SDXL's second) of which not all four of query, key, value, out are there."""
    parts = FAMILIES[network.family].lora.parts.values()
    prefixes = tuple(f"{part.prefix}_" for part in parts if part.whole_attention)
    groups: dict[str, set[str]] = {}
    for name in network.layers:
        if name.startswith(prefixes) and "_self_attn_" in name:
            groups.setdefault(name.partition("_self_attn_")[0], set()).add(name)
    return frozenset(name for names in groups.values() if len(names) < 4 for name in names)


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
