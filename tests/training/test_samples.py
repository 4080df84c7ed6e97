"""Samples of a run: prompts with flags, from settings and a file, and what their PNGs say."""

import pytest

from lorasmith.errors import SettingsError
from lorasmith.models.prompts.parameters import read_png
from lorasmith.training.due import due_after_epoch, due_after_step, samplings_in
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


@pytest.mark.parametrize("asks", ["prompts", "prompts_file", "negative_prompt"])
def test_a_prompt_that_asks_for_a_trigger_where_there_is_none_is_refused(settings_for, tmp_path, asks):
    (tmp_path / "p.txt").write_text("{trigger}, happy", encoding="utf-8")
    texts = {"prompts": ["{trigger}"], "prompts_file": str(tmp_path / "p.txt"), "negative_prompt": "{trigger}"}
    settings = settings_for(captions={"trigger": None, "keep_tokens": 0}, samples={"prompts": ["a"], asks: texts[asks]})
    with pytest.raises(SettingsError, match=r"\{trigger\}.*captions.trigger is not set"):
        check(settings)


def test_flags_that_do_nothing_are_findings_of_the_plan(settings_for):
    found = check(settings_for(samples={"prompts": ["a --cn pose.png --am 0.5", "[a|b]"]})).findings
    by_code = {finding.code: finding for finding in found}
    assert "prompt.syntax_without_effect" in by_code
    assert by_code["samples.flags_without_effect"].subjects == ("--am", "--cn"), "a run has one LoRA, at its own strength"


def test_a1111_labels_are_samplers_in_settings_too(settings_for):
    settings = settings_for(samples={"prompts": ["a"], "sampler": "DPM++ 2M Karras"})
    assert settings.samples.sampler == "dpmpp_2m_karras"
    assert [one.sampler for one in sample_requests(settings)] == ["dpmpp_2m_karras"]


@pytest.mark.parametrize(("by_epochs", "by_steps"), [(1, None), (2, 5), (0, 2), (1, 3), (4, 6), (0, None), (3, 1)])
@pytest.mark.parametrize(("epochs", "steps_per_epoch", "last"), [(6, 3, 3), (5, 4, 1), (1, 7, 7), (3, 1, 1)])
def test_samplings_are_counted_as_the_loop_does_them(settings_for, by_epochs, by_steps, epochs, steps_per_epoch, last):
    settings = settings_for(samples={"prompts": ["a"], "every_n_epochs": by_epochs, "every_n_steps": by_steps})
    steps = (epochs - 1) * steps_per_epoch + last
    sampled = {0}
    for step in range(1, steps + 1):
        ends = step % steps_per_epoch == 0 or step == steps
        of_epoch = ends and due_after_epoch(settings, -(-step // steps_per_epoch), step == steps, steps_per_epoch).samples
        if of_epoch or due_after_step(settings, step, steps).samples:
            sampled.add(step)
    assert samplings_in(settings, epochs, steps_per_epoch, steps) == len(sampled)


@pytest.mark.parametrize(("samples", "at"), [({"every_n_steps": 3}, [0, 3, 6]), ({"every_n_epochs": 0, "every_n_steps": 2}, [0, 2, 4, 6])])
def test_a_run_samples_each_moment_once_and_by_steps_alone_where_that_is_asked(settings_for, tmp_path, samples, at):
    seen = []
    train(settings_for(samples={"prompts": ["a"], "steps": 1, **samples}), tmp_path / "run", [seen.append])
    assert [event.step for event in seen if isinstance(event, SampleReady)] == at
