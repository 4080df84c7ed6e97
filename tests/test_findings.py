"""The one shape of a finding, and errors with a code."""

import json
import pickle

import pytest

from lorasmith.errors import AdapterError, InputError, LorasmithError, RunError, SettingsError
from lorasmith.findings import (
    CaptionChange,
    Evidence,
    Finding,
    Fix,
    MendChange,
    SettingChange,
    alike_together,
    one_of_each_first,
    worst_first,
)


def finding(code, severity="warning", subjects=()):
    return Finding(code=code, severity=severity, message="It is so.", about="picture", subjects=subjects)


def test_findings_are_listed_worst_first():
    found = [finding("b"), finding("c", "note", ("1", "2")), finding("a", subjects=("1",)), finding("d", "error"), finding("a")]
    assert [(each.code, len(each.subjects)) for each in worst_first(found)] == [("d", 0), ("a", 1), ("a", 0), ("b", 0), ("c", 2)]


@pytest.mark.parametrize(
    ("change", "kind"), [(SettingChange("network.rank", 16), "setting"), (MendChange("trim"), "mend"), (CaptionChange("add", {"tags": ["x"]}), "caption")]
)  # fmt: skip
def test_a_finding_with_a_change_survives_json(change, kind):
    whole = Finding(
        code="audit.too_small", severity="warning", message="It is small.", about="picture", subjects=("a/b.png",),
        evidence=Evidence(312, "pixels"), why="It is enlarged.", fix=Fix("Upscale it.", (change,)), confidence=0.9,
    )  # fmt: skip
    data = json.loads(json.dumps(whole.as_data))
    assert data["evidence"] == {"number": 312, "unit": "pixels", "text": "312 pixels"}
    assert data["fix"]["changes"][0]["kind"] == kind
    assert Finding.from_data(data).as_data == whole.as_data


@pytest.mark.parametrize("harm", [{"severity": "fatal"}, {"fix": {"words": "x", "changes": [{"kind": "magic"}]}}, {"evidence": 3}])
def test_data_that_are_not_a_finding_are_refused(harm):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Finding.from_data({**finding("a").as_data, **harm})


@pytest.mark.parametrize(
    ("error", "code"), [(SettingsError("No."), "settings"), (InputError("No."), "input"), (RunError("No.", code="run.disk_full"), "run.disk_full")]
)  # fmt: skip
def test_every_error_has_a_code(error, code):
    assert error.code == code


def test_an_error_keeps_code_and_values_from_process_to_process():
    sent: LorasmithError = pickle.loads(pickle.dumps(AdapterError("It is no LoRA.", code="adapter.foreign", path="a.safetensors")))
    assert (str(sent), sent.code, sent.values) == ("It is no LoRA.", "adapter.foreign", {"path": "a.safetensors"})


def test_many_equal_findings_are_shown_as_one_and_rare_ones_beside_them():
    many = [Finding("folder.caption_missing", "warning", f"{n}.png has no caption.", "picture", (f"{n}.png",)) for n in range(53)]
    rare = Finding("folder.too_small", "error", "dot.png is too small.", "picture", ("dot.png",))
    shown = alike_together([rare, *many])
    assert [finding.message for finding in shown] == ["dot.png is too small.", "0.png has no caption. The same holds for 52 more."]
    assert len(shown[1].subjects) == 53
    assert alike_together(many[:3]) == many[:3]


def test_many_findings_have_words_of_their_own_where_the_rule_gives_some():
    def without_caption(folder, total, number):
        of_many = f"{{}} of {total} pictures in {folder} have no caption: tag them."
        return Finding("folder.caption_missing", "warning", "No caption.", "picture", (f"{folder}/{number}.png",), of_many=of_many)

    found = [without_caption("a", 9, n) for n in range(9)] + [without_caption("b", 20, n) for n in range(4)]
    assert [str(finding) for finding in alike_together(found)] == [
        "9 of 9 pictures in a have no caption: tag them.", "4 of 20 pictures in b have no caption: tag them.",
    ]  # fmt: skip


def test_a_short_list_hides_no_rare_finding():
    many = [Finding("audit.blurred", "warning", f"{k} is blurred.", "picture", (f"{k}.png",)) for k in range(30)]
    rare = Finding("audit.tiny", "note", "One is tiny.", "picture", ("x.png",))

    listed = one_of_each_first([*many, rare], 5)

    assert listed == [*many[:4], rare]
    assert one_of_each_first([*many, rare], 1) == [many[0], rare]
