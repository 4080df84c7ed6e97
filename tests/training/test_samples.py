"""Samples of a run: prompts with flags, from settings and a file, and what their PNGs say."""

import pytest

from lorasmith.errors import SettingsError
from lorasmith.models.prompts.parameters import read_png
from lorasmith.training.events import SampleReady
from lorasmith.training.planning.check import check
from lorasmith.training.run import train
from lorasmith.training.sample_requests import sample_requests

SAMPLES = {
    "prompts": ["({trigger}:1.2), happy --n sad, {trigger} --w 64 --d 9", "happy"], "steps": 2, "cfg_scale": 2.0, "every_n_epochs": 2,
    "sampler": "Euler a",
}  # fmt: skip


@pytest.mark.parametrize("captions", [{}, {"cached_variants": 2}], ids=["text encoder at hand", "text encoder freed"])
def test_samples_of_a_run_say_how_they_were_generated(settings_for, tmp_path, captions):
    file = tmp_path / "prompts.txt"
    file.write_text('--prompt "{trigger}, old" --sampler_name "DPM++ 2M Karras" --steps 3\n', encoding="utf-8")
    trains_text = {"train_text_encoder": False} if captions else {}
    happened = []
    settings = settings_for(
        samples={**SAMPLES, "prompts_file": str(file)}, captions={"trigger": "zorvex", **captions}, network={"rank": 2, **trains_text}
    )
    result = train(settings, tmp_path / "run", [happened.append])
    ready = [event for event in happened if isinstance(event, SampleReady)]
    assert [(event.epoch, event.prompt, event.seed) for event in ready] == [
        (epoch, *one) for epoch in (0, 2) for one in (("(zorvex:1.2), happy", 9), ("happy", 2), ("zorvex, old", 3))
    ]
    said = [read_png(result.folder / event.path) for event in ready[3:]]
    assert [(one.request.negative_prompt, one.request.width, one.request.height, one.request.sampler, one.request.steps) for one in said] == [
        ("sad, zorvex", 64, 32, "euler_a", 2), ("", 32, 32, "euler_a", 2), ("", 32, 32, "dpmpp_2m_karras", 3)
    ]  # fmt: skip
    assert said[0].extra == {"Run": "toy", "Epoch": "2", "Step": str(result.step)}
    assert said[0].model == settings.base.path.stem
    assert len(said[0].model_hash) == 10


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({"prompts": ["a --stepz 3"]}, "There is no prompt flag --stepz: did you mean 'steps'"),
        ({"prompts": ["a <lora:b:1>"]}, "calls a LoRA, but a run samples the one that it trains"),
        ({"prompts": ["a --w 63"]}, "The width of the sample prompt 'a' is 63"),
        ({"prompts": ["a --ss flow_euler"]}, "does not fit this base"),
        ({"prompts_file": "nowhere.txt"}, "The prompt file nowhere.txt cannot be read"),
    ],
)
def test_what_cannot_be_sampled_is_said_before_the_run(settings_for, samples, words):
    with pytest.raises(SettingsError, match=words):
        check(settings_for(samples=samples))


def test_flags_that_do_nothing_are_findings_of_the_plan(settings_for):
    found = check(settings_for(samples={"prompts": ["a --cn pose.png --am 0.5", "[a|b]"]})).findings
    by_code = {finding.code: finding for finding in found}
    assert "prompt.syntax_without_effect" in by_code
    assert by_code["samples.flags_without_effect"].subjects == ("--am", "--cn"), "a run has one LoRA, at its own strength"


def test_a1111_labels_are_samplers_in_settings_too(settings_for):
    settings = settings_for(samples={"prompts": ["a"], "sampler": "DPM++ 2M Karras"})
    assert settings.samples.sampler == "dpmpp_2m_karras"
    assert [one.sampler for one in sample_requests(settings)] == ["dpmpp_2m_karras"]
