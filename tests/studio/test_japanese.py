"""What the package says in English, the page says in Japanese: sentences by their codes, settings by their names."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import lorasmith
from lorasmith.adapters.compatibility import check, loading
from lorasmith.captions.advice.advise import RULES as CAPTION_RULES
from lorasmith.captions.advice.triggers import LEAKS
from lorasmith.curation.audit.kinds import KINDS
from lorasmith.datasets import folders, training_set
from lorasmith.evaluation import compare
from lorasmith.evaluation.proof import left_out
from lorasmith.evaluation.signs import run_signs, set_signs
from lorasmith.evaluation.signs.picture_signs import PICTURE_SIGNS
from lorasmith.evaluation.verdict import advice, wording
from lorasmith.evaluation.verdict.labels import meanings
from lorasmith.jobs.sweep import asha, effects, outcome
from lorasmith.models.families import FAMILIES
from lorasmith.models.lora_naming import Effect
from lorasmith.models.prompts import syntax
from lorasmith.studio import actions
from lorasmith.training import sample_requests
from lorasmith.training.planning import trigger_fit
from lorasmith.training.planning.lints.lints import LINTS
from lorasmith.training.recipes import reasons
from lorasmith.training.settings import checks
from lorasmith.training.settings.tree import Settings
from lorasmith.training.validation.bands import BANDS

WORDS = Path(__file__).parents[2] / "studio-ui" / "src" / "words" / "ja"
SENTENCES = wording.SENTENCES | compare.SENTENCES | effects.SENTENCES | asha.SENTENCES | outcome.SENTENCES | reasons.SENTENCES
"""Every sentence that carries a code, wherever it is made."""


def words(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((WORDS / f"{name}.json").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """Code -> the sentence in Japanese."""
    rooms = {code.partition(".")[0] for code in SENTENCES}
    return {f"{room}.{name}": text for room, sentences in words("sentences").items() if room in rooms for name, text in sentences.items()}


def test_every_sentence_of_a_verdict_a_sweep_or_a_recipe_has_its_japanese_and_none_is_left_over(said):
    assert set(said) == set(SENTENCES)


def test_a_japanese_sentence_says_every_value_of_its_english(said):
    slots = {code: set(re.findall(r"\{\{(\w+)\}\}", text)) for code, text in said.items()}
    assert slots == {code: set(inspect.signature(english).parameters) for code, english in SENTENCES.items()}


def test_labels_their_meanings_and_bands_have_their_japanese():
    own = words("sentences")
    assert set(own["label"]) == set(own["meaning"]) == set(meanings())
    assert set(own["band"]) == set(BANDS)


def test_what_families_say_for_recipes_has_its_japanese():
    own = words("sentences")
    said = {name: family.defaults for name, family in FAMILIES.items()}
    assert set(own["family_rate"]) == {f"{name} {kind}".strip() for name, each in said.items() for kind in ("", *each.rates_for)}
    assert set(own["family_rank"]) == {name for name, each in said.items() if each.network is not None}
    assert set(own["family_texts"]) == {name for name, each in said.items() if each.text_encoder_lr == 0}
    assert set(own["family_size"]) == {name for name, each in said.items() if each.larger_resolution}


OF_THE_STUDIO = {
    "studio.unreachable": set(), "studio.answer": {"status"}, "studio.fault": {"number"}, "disk.full": {"path"}, "disk.error": {"path"}
}  # fmt: skip
"""Problems that no error is raised for -> their values."""


def _raised(codes: set[str]) -> dict[str, list[set[str]]]:
    """Code -> the names of the values of each error that is raised with it."""
    found: dict[str, list[set[str]]] = {code: [] for code in codes}
    for file in Path(lorasmith.__file__).parent.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if any(f'"{code}"' in text for code in codes):
            for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
                said = {one.arg: one.value for one in call.keywords}
                code = getattr(said.get("code"), "value", None)
                if code in codes and ast.unparse(call.func).endswith("Error"):
                    found[code].append({name for name in said if name})
    return found


def test_problems_that_have_their_japanese_are_raised_and_have_its_values():
    rooms = words("problems")
    rooms.pop("action")
    said = {f"{room}.{name}": set(re.findall(r"\{\{(\w+)\}\}", text)) for room, own in rooms.items() for name, text in own.items()}
    raised = _raised(set(said) - set(OF_THE_STUDIO))
    assert [code for code, sites in raised.items() if not sites] == []
    assert [code for code, sites in raised.items() if not any(said[code] <= values for values in sites)] == []
    assert all(said[code] <= values for code, values in OF_THE_STUDIO.items() if code in said)


def test_what_can_be_done_about_a_problem_is_said_in_japanese():
    source = inspect.getsource(actions)
    labels = {*re.findall(r'label="([^"]+)"', source), *(verb.capitalize() for verb in actions.JOB_GOES_ON.values())}
    assert set(words("problems")["action"]) == labels


def test_every_check_of_pictures_has_its_japanese_name():
    assert set(KINDS) <= set(words("findings"))


def _codes() -> dict[str, set[str]]:
    """Room -> the codes of its findings, as its registry has them or, where it has none, its rules write them."""
    leaks = {code for code, *_ in LEAKS.values()}
    of_folders = "".join(inspect.getsource(module) for module in (folders, training_set))
    return {
        "audit": set(KINDS),
        "captions": (set(CAPTION_RULES) - {"trigger_leaks"}) | leaks | _written("captions", trigger_fit),
        "lint": set(LINTS),
        "folder": {folders.NOT_READ, *re.findall(r'folder_finding\(\s*"(\w+)"', of_folders)},
        "plan": {"ranks_of_a_file"},
        "settings": _written("settings", checks),
        "samples": _written("samples", sample_requests),
        "prompt": _written("prompt", syntax),
        "check": (set(re.findall(r'_finding\(\s*"(\w+)"', inspect.getsource(check))) - {"read_as"})  # which says what was read, in words
        | (set(get_args(Effect)) - {"loads"}) | _written("check", loading),
        "proof": set(re.findall(r'Finding\(\s*"proof\.(\w+)"', inspect.getsource(left_out))),
        "verdict": set(re.findall(r'_finding\(\s*"(\w+)"', inspect.getsource(advice))),
        "signs": set(run_signs.RUN_SIGNS) | set(PICTURE_SIGNS)
        | {code for module in (run_signs, set_signs) for code in re.findall(r'"signs\.(\w+)"', inspect.getsource(module))},
    }  # fmt: skip


def _written(room: str, *modules: ModuleType) -> set[str]:
    """The codes of a room that a module's findings have."""
    return {code for module in modules for code in re.findall(rf'Finding\(\s*(?:code=)?"{room}\.(\w+)"', inspect.getsource(module))}


def test_every_finding_of_pictures_captions_settings_files_and_verdicts_has_its_japanese_and_none_is_left_over():
    own = words("advice")
    codes = _codes()
    assert {room: set(own[room]) for room in codes} == codes
    assert set(own) == {*codes, "more", "measured"}
    assert len(codes["verdict"]) > len(advice.RULES)
    for room in codes:
        for rule, each in own[room].items():
            assert set(each) == {"message", "why", "fix"}, rule
            assert each["message"], rule


def _schema() -> dict[str, tuple[str, list[str]]]:
    """Dotted name of each setting, that of a folder as `datasets.repeats` -> its description and its choices; of a section, with "."."""
    schema = Settings.model_json_schema()
    found = {}
    for name, entry in schema["properties"].items():
        place = entry.get("$ref") or entry.get("items", {}).get("$ref")
        inner = schema["$defs"][place.rpartition("/")[2]] if place else None
        if inner is None:
            found[f"general.{name}"] = entry
            continue
        found[f"{name}."] = inner
        found |= {f"{name}.{own}": each for own, each in inner["properties"].items()}
    return {
        name: (entry.get("description", ""), [choice for form in [entry, *entry.get("anyOf", [])] for choice in form.get("enum", [])])
        for name, entry in found.items()
        if name != "general.version"  # no form shows it
    }


def test_every_setting_has_its_japanese_and_no_name_is_left_over():
    tree = words("settings_tree")
    names = {f"{section}.{name}" for section, own in tree.items() for name in own["settings"]}
    names |= {f"{section}." for section, own in tree.items() if "says" in own}
    assert names == set(_schema())
    assert all(each["label"] and each["says"] for own in tree.values() for each in own["settings"].values())


def test_choices_that_the_english_explains_are_explained_in_japanese_by_their_names():
    tree = words("settings_tree")
    for name, (english, choices) in _schema().items():
        section, _, own = name.partition(".")
        japanese = tree[section]["settings"][own]["says"] if own else ""
        for choice in choices:
            assert (choice not in english) or (choice in japanese), f"{name}: {choice}"
