"""The report of a run, as its reader sees it. Run folders are written by hand: nothing is trained here."""

import json
import re

import pytest
from PIL import Image

from lorasmith.errors import SettingsError
from lorasmith.evaluation.report import evenly_chosen, group_alike, write_report
from lorasmith.findings import Finding, Fix, SettingChange
from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from
from tests.pages.reader import ReadPage

PROMPTS = ("zorvex, happy, red sky", "zorvex <script>alert('x')</script> & friends")
PROOF = {
    "subject": "zorvex",
    "rows": [
        {"measure": "the creature is recognised", "before": 0.031, "after": 0.94, "wanted": "at least 80 %", "holds": True},
        {"measure": "other creatures still work", "before": 0.98, "after": 0.7, "wanted": "at least 90 %", "holds": False},
    ],
    "samples": 64,
    "command": "lorasmith demo run --out toy",
}


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run of mine")


def begin(folder, epochs=2, **sections):
    """A run folder with settings and manifest, and a way to emit what happens in it."""
    tree = {
        "name": "toy & co", "base": {"path": "bases/little"}, "datasets": [{"path": "pictures"}], "captions": {"trigger": "zorvex"},
        "network": {"rank": 8, "alpha": 4}, "training": {"epochs": epochs}, "optimizer": {"learning_rate": 2e-4, "text_encoder_lr": 5e-5},
        "samples": {"prompts": list(PROMPTS)}, **sections,
    }  # fmt: skip
    folder.create(settings_from(tree))
    pictures = {f"pictures/{k}.png": "0" * 64 for k in range(5)}
    manifest = {
        "inputs": {"pictures": pictures, "base": {"unet": "abc"}},
        "device": "cpu",
        "started": "2025-01-01",
        "versions": {"torch": "2.9.9"},
    }
    folder.manifest.write_text(json.dumps(manifest), encoding="utf-8")
    return EventLog(folder.events)


def sample(folder, emit, epoch, step, size=(64, 64), prompts=PROMPTS):
    for k, prompt in enumerate(prompts):
        path = folder.samples / f"epoch{epoch:06d}-step{step:08d}-{k:02d}.png"
        Image.new("RGB", size, (40 * epoch % 256, 80 * k, 120)).save(path)
        emit(events.SampleReady(f"samples/{path.name}", prompt, 1 + k, epoch, step))


def save(folder, emit, name, epoch, step, final=False):
    (folder.checkpoints / name).write_bytes(bytes(1_250_000))
    emit(events.CheckpointSaved(f"checkpoints/{name}", epoch, step, final))


def emit_steps(emit, first, last, epoch, loss=lambda step: 1 / step):
    for step in range(first, last + 1):
        emit(events.StepDone(step, epoch, loss(step), {"unet": 2e-4, "text_encoder": 5e-5}, 0.5))


def whole_run(folder, epochs=2, steps_an_epoch=10):
    emit = begin(folder, epochs)
    emit(events.Planned(epochs * steps_an_epoch, epochs, 5, steps_an_epoch, 1234))
    sample(folder, emit, 0, 0)
    for epoch in range(1, epochs + 1):
        step = epoch * steps_an_epoch
        emit_steps(emit, step - steps_an_epoch + 1, step, epoch)
        emit(events.EpochDone(epoch, step, 0.1))
        if epoch < epochs:
            save(folder, emit, f"toy-{epoch:06d}.safetensors", epoch, step)
        sample(folder, emit, epoch, step)
    save(folder, emit, "toy.safetensors", epochs, step, final=True)
    emit(events.Finished(step, 102.4, "checkpoints/toy.safetensors"))
    emit.close()
    return folder


def report(folder):
    path = write_report(folder.root)
    assert path == folder.root / "report.html"
    return ReadPage(path.read_text(encoding="utf-8"))


def long_ago(folder):
    """Move all events to a day long past, as in a folder that is looked at later."""
    text = re.sub(r'"time": [\d.]+', '"time": 1000000000.0', folder.events.read_text(encoding="utf-8"))
    folder.events.write_text(text, encoding="utf-8")


# -- a run that finished ----------------------------------------------------------------------------------------------


def test_a_finished_run_is_one_sentence_and_its_key_facts(folder):
    page = report(whole_run(folder))
    assert "Finished in 20 steps, after 1 min 42 s of training." in page.words
    assert "Rank / alpha 8 / 4" in page.words
    assert "2e-4 U-Net 5e-5 text encoder" in page.words
    assert "Trigger word zorvex" in page.words
    assert "Base little" in page.words
    assert "lorasmith resume" not in page.words


def test_pictures_travel_inside_the_page_and_say_what_they_are(folder):
    page = report(whole_run(folder))
    assert len(page.pictures) == 2 * 2 + 2 * 3  # before and after of two prompts, and three moments of each
    assert page.pictures[0]["alt"] == "Sample of untouched base, step 0: zorvex, happy, red sky (seed 1)"
    assert page.pictures[1]["alt"] == "Sample of epoch 2, step 20: zorvex, happy, red sky (seed 1)"


def test_what_a_user_wrote_stays_text(folder):
    page = report(whole_run(folder))
    assert "script" not in page.tags
    assert "zorvex <script>alert('x')</script> & friends" in page.words
    assert "toy & co" in page.words
    assert any("<script>" in picture["alt"] for picture in page.pictures)


def test_sections_come_in_order(folder):
    whole_run(folder)
    (folder.root / "proof.json").write_text(json.dumps(PROOF), encoding="utf-8")
    page = report(folder)
    assert page.headings == ["h1"] + ["h2"] * 6
    order = ["Before and after", "Proof", "Loss", "Over the epochs", "Files", "To train it again"]
    places = [page.words.index(heading) for heading in order]
    assert places == sorted(places)


def test_files_are_listed_with_epoch_step_and_size(folder):
    whole_run(folder)
    (folder.checkpoints / "toy-000001.safetensors").unlink()
    (folder.checkpoints / "stranger.safetensors").write_bytes(b"123")
    words = report(folder).words
    assert "toy-000001.safetensors 1 10 no longer there" in words
    assert "toy.safetensors final 2 20 1.2 MB" in words
    assert "stranger.safetensors from an earlier try, or copied there ? ? 3 bytes" in words


def test_settings_and_manifest_are_on_the_page(folder):
    words = report(whole_run(folder)).words
    assert "rank = 8" in words
    assert "torch 2.9.9" in words
    assert "5 images with captions" in words


def test_a_report_made_again_is_the_same(folder):
    whole_run(folder)
    first = write_report(folder.root).read_bytes()
    assert write_report(folder.root).read_bytes() == first
    assert not list(folder.root.glob(".*"))


def test_every_epoch_is_shown(folder):
    words = report(whole_run(folder, epochs=20, steps_an_epoch=1)).words
    assert "left out here" not in words
    heads = re.search(r"Over the epochs (base epoch .*?) “zorvex", words).group(1)
    assert heads.split(" epoch ") == ["base", *map(str, range(1, 21))]


def test_of_very_many_epochs_some_are_left_out_evenly_and_samples_within_epochs_first(folder):
    emit = begin(folder, epochs=70)
    for epoch in range(71):
        for step in {2 * epoch - 1, 2 * epoch} - {-1}:
            sample(folder, emit, epoch, step, size=(8, 8), prompts=PROMPTS[:1])
    emit.close()
    words = report(folder).words
    assert "81 of the 141 times that samples were generated are left out here." in words
    heads = re.search(r"left out here\. (base epoch .*?) “zorvex", words).group(1).split(" epoch ")
    assert (heads[0], heads[1], heads[-1], len(heads)) == ("base", "1", "70", 60)


def test_no_folder_of_the_machine_is_on_the_page(folder, tmp_path):
    home = tmp_path / "home" / "anna"
    places = {"base": {"path": str(home / "models/little.safetensors")}, "datasets": [{"path": str(home / "pictures/zorvex")}]}
    emit = begin(folder, **places, cache=str(home / "cache"), validation={"path": str(home / "held-out")})
    emit(events.Warned(f"{home}/pictures/zorvex/1.png has no caption; write one."))
    emit(events.Warned.of(Finding("folder.x", "warning", f"{home}/pictures/zorvex is odd.", "folder", (f"{home}/pictures/zorvex/2.png",))))
    emit(events.Stopped(3, f"{folder.root}/state is full."))
    emit.close()
    measured_in = folder.root.parent  # where earlier versions wrote the whole path
    (folder.root / "proof.json").write_text(json.dumps(PROOF | {"command": f"lorasmith demo run --out {measured_in}"}), encoding="utf-8")
    page = report(folder)
    assert f"lorasmith demo run --out {measured_in.name}" in page.words
    assert "anna" not in folder.report.read_text(encoding="utf-8")
    assert str(tmp_path) not in folder.report.read_text(encoding="utf-8")
    for kept in ("zorvex/1.png has no caption", "zorvex is odd.", "zorvex/2.png", "little.safetensors"):
        assert kept in page.words


def test_warnings_that_differ_in_a_name_are_shown_together(folder):
    emit = begin(folder)
    for k in range(3):
        emit(events.Warned(f"pictures/{k}.png has no caption; write one."))
    emit(events.Warned("the rank <i>is</i> large"))
    emit(events.Warned("pictures/0.png has no caption; write one."))  # again on resume
    emit.close()
    page = report(folder)
    assert "warning pictures/0.png has no caption; write one. pictures/1.png has no caption; write one. pictures/2.png" in page.words
    assert page.words.count("pictures/0.png") == 1
    assert "the rank <i>is</i> large" in page.words


def test_a_warning_with_a_finding_shows_what_to_do(folder):
    emit = begin(folder)
    whole = Finding("run.too_large", "warning", "The resolution is large.", "setting", fix=Fix("Set it.", (SettingChange("a.b", [512]),)))
    emit(events.Warned.of(whole))
    emit(events.Warned("It was odd.", {"code": "of a later version"}))
    emit(events.Warned.of(whole))  # again after a resume
    emit.close()
    words = report(folder).words
    assert words.count("The resolution is large. What to do: Set it. a.b = [512] run.too_large") == 1
    assert "warning It was odd." in words


# -- proof ------------------------------------------------------------------------------------------------------------


def test_the_proof_is_a_table_in_percent_with_plain_words(folder):
    whole_run(folder)
    (folder.root / "proof.json").write_text(json.dumps(PROOF), encoding="utf-8")
    words = report(folder).words
    assert "Has it learned zorvex ? 1 of 2 measures hold, judged on 64 samples." in words
    assert "the creature is recognised ✓ holds 3.1 % 94 % at least 80 %" in words
    assert "other creatures still work ✗ does not hold 98 % 70 % at least 90 %" in words
    assert "Measure it again, from the folder above the demo's: lorasmith demo run --out toy" in words


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": []}', json.dumps({**PROOF, "rows": [{**PROOF["rows"][0], "after": 17}]})])
def test_a_damaged_proof_is_named_and_not_shown(folder, text):
    whole_run(folder)
    (folder.root / "proof.json").write_text(text, encoding="utf-8")
    assert "proof.json is not in a form that this version knows" in report(folder).words


# -- runs that did not finish -----------------------------------------------------------------------------------------


def test_a_stopped_run_says_where_and_how_to_go_on(folder):
    emit = begin(folder)
    emit(events.Planned(20, 2, 5, 10, 1234))
    emit_steps(emit, 1, 7, 1)
    emit(events.Stopped(7, f"stopped after step 7 of 20; go on with: lorasmith resume {folder.root}"))
    emit.close()
    words = report(folder).words
    assert (
        "Stopped after 7 of 20 steps. Continue where it stopped, from the folder above this run's: lorasmith resume 'run of mine'" in words
    )
    assert "Epochs 0 of 2" in words


def test_a_run_that_failed_gives_its_reason(folder):
    emit = begin(folder)
    emit(events.Planned(20, 2, 5, 10, 1234))
    emit_steps(emit, 1, 3, 1)
    emit(events.Stopped(0, "the loss is no number at step 4; lower the learning rate"))
    emit.close()
    assert "Stopped after 3 of 20 steps: the loss is no number at step 4; lower the learning rate." in report(folder).words


def test_a_run_that_still_goes_says_so(folder):
    emit = begin(folder)
    emit(events.Planned(20, 2, 5, 10, 1234))
    emit_steps(emit, 1, 1, 1)
    emit.close()
    words = report(folder).words
    assert "Still going: 1 of 20 steps when this page was made" in words
    assert "lorasmith resume" in words


def test_a_killed_run_says_so_long_afterwards(folder):
    emit = begin(folder)
    emit(events.Planned(20, 2, 5, 10, 1234))
    emit_steps(emit, 1, 4, 1)
    emit.close()
    long_ago(folder)
    folder.events.write_text(folder.events.read_text(encoding="utf-8")[:-20], encoding="utf-8")  # the kill cut the last line off
    words = report(folder).words
    assert "Killed, or out of power, after 3 of 20 steps; the last event is of 2001-09-" in words
    assert "Continue from the last saved state" in words


def test_a_run_with_a_file_of_prompts_does_not_say_that_it_generates_no_samples(folder):
    emit = begin(folder)
    emit(events.Planned(20, 2, 5, 10, 1234))
    emit.close()
    text = folder.settings.read_text(encoding="utf-8")
    folder.settings.write_text(
        re.sub(r"(?m)^prompts = .*$", "prompts = []", text).replace("# prompts_file =", 'prompts_file = "p.txt"'), encoding="utf-8"
    )
    assert "No sample has been generated yet." in report(folder).words


def test_a_run_that_says_nothing_for_long_still_goes_while_a_process_works_on_it(folder):
    emit = begin(folder)
    emit(events.Planned(20, 2, 5, 10, 1234))
    emit.close()
    long_ago(folder)
    with folder.in_use():
        assert "Still going: 0 of 20 steps" in report(folder).words
    assert "Killed, or out of power" in report(folder).words


def test_a_run_that_finished_early_says_why_and_not_where(folder):
    emit = begin(folder)
    emit(events.Planned(4, 1, 5, 4, 1234))
    emit_steps(emit, 1, 2, 1)
    why = f"After epochs 1 and 2 the LoRA learns its training images alone. Continue anyway with: lorasmith resume {folder.root} --set x="
    emit(events.Finished(2, 2.0, "checkpoints/toy.safetensors", why))
    emit.close()
    words = report(folder).words
    assert "Finished early in 2 steps, after 2.0 s of training: After epochs 1 and 2 the LoRA learns its training images alone." in words
    assert str(folder.root) not in words


def test_a_run_killed_before_its_first_saved_state_counts_its_steps_once(folder):
    emit = begin(folder)
    emit(events.Planned(4, 1, 5, 4, 1234))
    emit_steps(emit, 1, 3, 1)
    emit(events.Planned(4, 1, 5, 4, 1234))
    emit_steps(emit, 1, 4, 1)
    emit(events.EpochDone(1, 4, 0.5))
    emit(events.Finished(4, 2.0, "checkpoints/toy.safetensors"))
    emit.close()
    words = report(folder).words
    assert "Steps 4 batch size 1" in words
    assert "Epochs 1 Steps" in words


def test_a_run_before_its_first_step_has_a_page_too(folder):
    emit = begin(folder)
    emit(events.PhaseStarted("model", "bases/little"))
    emit.close()
    folder.manifest.unlink()
    words = report(folder).words
    assert "Still going: 0 steps" in words
    assert "No sample has been generated yet." in words
    assert "No step has been trained yet." in words
    assert "No LoRA file has been saved yet." in words
    assert "no manifest" in words


def test_a_run_with_samples_of_the_base_alone_shows_it_as_before(folder):
    emit = begin(folder)
    sample(folder, emit, 0, 0)
    emit.close()
    page = report(folder)
    assert len(page.pictures) == 2
    assert "before Not generated yet. after" in page.words


def test_a_run_without_prompts_says_how_to_get_samples(folder):
    emit = begin(folder, samples={})
    emit.close()
    assert "This run generates no samples. Set samples.prompts" in report(folder).words


@pytest.mark.parametrize("harm", ["gone", "damaged", "outside"])
def test_a_sample_that_cannot_be_read_leaves_a_note(folder, harm):
    emit = begin(folder)
    sample(folder, emit, 0, 0)
    first = folder.samples / "epoch000000-step00000000-00.png"
    if harm == "gone":
        first.unlink()
    elif harm == "damaged":
        first.write_bytes(first.read_bytes()[:60])
    else:
        first.rename(folder.root.parent / "private.png")
        first.symlink_to(folder.root.parent / "private.png")
    emit.close()
    page = report(folder)
    assert len(page.pictures) == 1
    assert "The picture is missing or damaged." in page.words


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(tmp_path, folder):
    with pytest.raises(SettingsError, match=r"is not the folder of a run .* Give the folder of a run"):
        write_report(tmp_path)
    begin(folder).close()
    folder.events.unlink()
    with pytest.raises(SettingsError, match="nothing was trained there"):
        write_report(folder.root)
    assert not folder.report.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"inputs": 3, "versions": []}', '{"inputs": {"pictures": [], "base": "x"}}'])
def test_a_damaged_manifest_still_gives_a_page(folder, text):
    whole_run(folder)
    folder.manifest.write_text(text, encoding="utf-8")
    assert "Versions, device and inputs" in report(folder).words


def test_a_validated_run_shows_how_held_out_and_trained_images_changed(folder):
    emit = EventLog(whole_run(folder).events)
    for epoch, (held_out, trained) in enumerate([(0.0, 0.0), (-0.004, -0.006), (-0.002, -0.012)]):
        gap = held_out - trained
        emit(events.ValidationDone(epoch, 10 * epoch, 0.1, 0.1, held_out, 0.001, trained, 0.002, gap, 0.002, {}, {}))
    emit.close()
    page = report(folder)
    assert "-0.0020 ± 0.0010 on held-out images and -0.0120 ± 0.0020 on trained ones" in page.words
    assert "held-out images trained images" in page.words


def test_a_page_names_nothing_of_the_machine_it_was_made_on(folder):
    whole_run(folder)
    long_ago(folder)
    assert str(folder.root.parent) not in write_report(folder.root).read_text(encoding="utf-8")


def test_choosing_evenly_keeps_both_ends():
    assert evenly_chosen(range(3), 8) == [0, 1, 2]
    assert evenly_chosen(range(15), 8) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert evenly_chosen(range(100), 2) == [0, 99]


def test_messages_are_grouped_by_what_they_say():
    assert group_alike(["a.png has 3 signs", "the rank is large", "b c/d.jpg has 12 signs", "a.png has 3 signs"]) == [
        ["a.png has 3 signs"], ["the rank is large"], ["b c/d.jpg has 12 signs"],
    ]  # fmt: skip
    assert group_alike(["x/a.png has 3 signs", "y/b.jpg has 12 signs"]) == [["x/a.png has 3 signs", "y/b.jpg has 12 signs"]]
