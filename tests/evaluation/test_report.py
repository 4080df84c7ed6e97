"""The report of a run, as its reader sees it. Run folders are written by hand: nothing is trained here."""

import base64
import io
import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lorasmith.errors import SettingsError
from lorasmith.evaluation.loss_curve import learning_rate_curve, loss_curve, smoothed, spoken_rate, thinned, ticks
from lorasmith.evaluation.report import evenly_chosen, group_alike, spoken_seconds, spoken_size, write_report
from lorasmith.training import events
from lorasmith.training.events import EventLog
from lorasmith.training.records.run_folder import RunFolder
from lorasmith.training.settings.tree import settings_from

VOID = {"meta", "img", "br", "link", "input", "hr"}
PROMPTS = ("zorvex, happy, red sky", "zorvex <script>alert('x')</script> & friends")
PROOF = {
    "subject": "zorvex",
    "rows": [
        {"measure": "the creature is recognised", "before": 0.031, "after": 0.94, "wanted": "at least 80 %", "holds": True},
        {"measure": "other creatures still work", "before": 0.98, "after": 0.7, "wanted": "at least 90 %", "holds": False},
    ],
    "samples": 64,
    "command": "lorasmith prove runs/toy",
}


class Page(HTMLParser):
    """A page as text by element, and checked for elements that are never closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.tags, self.attributes = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    @property
    def pictures(self):
        return [attributes for tag, attributes in self.attributes if tag == "img"]


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run of mine")


def begin(folder, epochs=2, **sections):
    """A run folder with settings and manifest, and a way to tell what happens in it."""
    tree = {
        "name": "toy & co", "base": {"path": "bases/little"}, "datasets": [{"path": "pictures"}], "captions": {"trigger": "zorvex"},
        "network": {"rank": 8, "alpha": 4}, "training": {"epochs": epochs}, "optimizer": {"learning_rate": 2e-4, "text_encoder_lr": 5e-5},
        "samples": {"prompts": list(PROMPTS)}, **sections,
    }  # fmt: skip
    folder.create(settings_from(tree))
    pictures = {f"pictures/{k}.png": "0" * 64 for k in range(5)}
    folder.write_manifest(
        {
            "inputs": {"pictures": pictures, "base": {"unet": "abc"}},
            "device": "cpu",
            "started": "2025-01-01",
            "versions": {"torch": "2.9.9"},
        }
    )
    return EventLog(folder.events)


def draw(folder, tell, epoch, step, size=(64, 64), prompts=PROMPTS):
    for k, prompt in enumerate(prompts):
        path = folder.samples / f"epoch{epoch:06d}-step{step:08d}-{k:02d}.png"
        Image.new("RGB", size, (40 * epoch % 256, 80 * k, 120)).save(path)
        tell(events.SampleReady(f"samples/{path.name}", prompt, 1 + k, epoch, step))


def save(folder, tell, name, epoch, step, final=False):
    (folder.checkpoints / name).write_bytes(bytes(1_250_000))
    tell(events.CheckpointSaved(f"checkpoints/{name}", epoch, step, final))


def tell_steps(tell, first, last, epoch, loss=lambda step: 1 / step):
    for step in range(first, last + 1):
        tell(events.StepDone(step, epoch, loss(step), {"unet": 2e-4, "text_encoder": 5e-5}, 0.5))


def whole_run(folder, epochs=2, steps_an_epoch=10):
    tell = begin(folder, epochs)
    tell(events.Planned(epochs * steps_an_epoch, epochs, 5, steps_an_epoch, 1234))
    draw(folder, tell, 0, 0)
    for epoch in range(1, epochs + 1):
        step = epoch * steps_an_epoch
        tell_steps(tell, step - steps_an_epoch + 1, step, epoch)
        tell(events.EpochDone(epoch, step, 0.1))
        if epoch < epochs:
            save(folder, tell, f"toy-{epoch:06d}.safetensors", epoch, step)
        draw(folder, tell, epoch, step)
    save(folder, tell, "toy.safetensors", epochs, step, final=True)
    tell(events.Finished(step, 102.4, "checkpoints/toy.safetensors"))
    tell.close()
    return folder


def report(folder):
    path = write_report(folder.root)
    assert path == folder.root / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def long_ago(folder):
    """Move all events to a day long past, as in a folder that is looked at later."""
    text = re.sub(r'"time": [\d.]+', '"time": 1000000000.0', folder.events.read_text(encoding="utf-8"))
    folder.events.write_text(text, encoding="utf-8")


def svg_of(text):
    return ElementTree.fromstring(text)


def points_of(svg):
    lines = svg.iter("{http://www.w3.org/2000/svg}polyline")
    return [[tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in lines]


# -- a run that finished ----------------------------------------------------------------------------------------------


def test_a_finished_run_is_told_in_one_sentence_with_its_key_facts(folder):
    page = report(whole_run(folder))
    assert "Finished in 20 steps, after 1 min 42 s of training." in page.words
    assert "Rank / alpha 8 / 4" in page.words
    assert "2e-4 U-Net 5e-5 text encoder" in page.words
    assert "Trigger word zorvex" in page.words
    assert "Base little" in page.words
    assert "lorasmith resume" not in page.words


def test_the_page_stands_alone(folder):
    page = report(whole_run(folder))
    html = (folder.root / "report.html").read_text(encoding="utf-8")
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "url(" not in html
    assert "@import" not in html
    for _, attributes in page.attributes:
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href") is None
    assert set(re.findall(r"https?://[^\s\"<]+", html)) == {"http://www.w3.org/2000/svg"}


def test_pictures_travel_inside_the_page_and_say_what_they_are(folder):
    page = report(whole_run(folder))
    assert len(page.pictures) == 2 * 2 + 2 * 3  # before and after of two prompts, and three moments of each
    for picture in page.pictures:
        data = base64.b64decode(picture["src"].removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).size == (64, 64)
        assert picture["class"] == "pixels"
    assert page.pictures[0]["alt"] == "Sample of untouched base, step 0: zorvex, happy, red sky (seed 1)"
    assert page.pictures[1]["alt"] == "Sample of epoch 2, step 20: zorvex, happy, red sky (seed 1)"


def test_large_pictures_are_made_smaller_and_not_shown_as_pixels(folder):
    tell = begin(folder)
    draw(folder, tell, 0, 0, size=(1024, 512))
    draw(folder, tell, 1, 10, size=(1024, 512))
    tell.close()
    pictures = report(folder).pictures
    assert {(p["width"], p["height"]) for p in pictures} == {("640", "320"), ("256", "128")}
    assert not any("class" in p for p in pictures)


def test_what_a_user_wrote_stays_text(folder):
    page = report(whole_run(folder))
    assert "script" not in page.tags
    assert "zorvex <script>alert('x')</script> & friends" in page.words
    assert "toy & co" in page.words
    assert any("<script>" in picture["alt"] for picture in page.pictures)


def test_headings_come_in_order_and_every_table_names_its_columns(folder):
    whole_run(folder)
    (folder.root / "proof.json").write_text(json.dumps(PROOF), encoding="utf-8")
    page = report(folder)
    assert [tag for tag in page.tags if re.fullmatch(r"h\d", tag)] == ["h1"] + ["h2"] * 7
    order = ["Before and after", "Proof", "Loss", "Over the epochs", "Files", "To train it again"]
    places = [page.words.index(heading) for heading in order]
    assert places == sorted(places)
    ids = [attributes["id"] for _, attributes in page.attributes if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {name for _, a in page.attributes for name in a.get("aria-labelledby", "").split()}
    assert named <= set(ids)


def test_files_are_listed_with_epoch_step_and_size(folder):
    whole_run(folder)
    (folder.checkpoints / "toy-000001.safetensors").unlink()
    (folder.checkpoints / "stranger.safetensors").write_bytes(b"123")
    words = report(folder).words
    assert "toy-000001.safetensors 1 10 no longer there" in words
    assert "toy.safetensors final 2 20 1.2 MB" in words
    assert "stranger.safetensors from an earlier try, or put there ? ? 3 bytes" in words


def test_settings_and_manifest_are_on_the_page(folder):
    words = report(whole_run(folder)).words
    assert "rank = 8" in words
    assert "torch 2.9.9" in words
    assert "5 pictures with captions" in words


def test_a_report_made_again_is_the_same(folder):
    whole_run(folder)
    first = write_report(folder.root).read_bytes()
    assert write_report(folder.root).read_bytes() == first
    assert not list(folder.root.glob(".*"))


def test_of_many_epochs_eight_are_shown_with_the_first_and_the_last(folder):
    page = report(whole_run(folder, epochs=20, steps_an_epoch=1))
    assert "13 of the 21 times that samples were drawn are left out here." in page.words
    heads = re.search(r"left out here\. (base epoch .*?) zorvex", page.words).group(1)
    assert heads.split(" epoch ") == ["base", "3", "6", "9", "11", "14", "17", "20"]


def test_warnings_that_differ_in_a_name_are_shown_together(folder):
    tell = begin(folder)
    for k in range(3):
        tell(events.Warned(f"pictures/{k}.png has no caption; write one."))
    tell(events.Warned("the rank <i>is</i> large"))
    tell(events.Warned("pictures/0.png has no caption; write one."))  # told again on resume
    tell.close()
    page = report(folder)
    assert "pictures/0.png has no caption; write one. 2 more like this" in page.words
    assert page.words.count("pictures/0.png") == 1
    assert "the rank <i>is</i> large" in page.words


# -- proof ------------------------------------------------------------------------------------------------------------


def test_the_proof_is_a_table_in_percent_with_plain_words(folder):
    whole_run(folder)
    (folder.root / "proof.json").write_text(json.dumps(PROOF), encoding="utf-8")
    words = report(folder).words
    assert "Has it learned zorvex ? 1 of 2 measures hold, judged on 64 samples." in words
    assert "the creature is recognised ✓ holds 3.1 % 94 % at least 80 %" in words
    assert "other creatures still work ✗ does not hold 98 % 70 % at least 90 %" in words
    assert "lorasmith prove runs/toy" in words


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": []}', json.dumps({**PROOF, "rows": [{**PROOF["rows"][0], "after": 17}]})])
def test_a_proof_that_is_none_is_named_and_not_shown(folder, text):
    whole_run(folder)
    (folder.root / "proof.json").write_text(text, encoding="utf-8")
    assert "proof.json lies in the run folder but is not of the form" in report(folder).words


# -- runs that did not finish -----------------------------------------------------------------------------------------


def test_a_stopped_run_says_where_and_how_to_go_on(folder):
    tell = begin(folder)
    tell(events.Planned(20, 2, 5, 10, 1234))
    tell_steps(tell, 1, 7, 1)
    tell(events.Stopped(7, f"stopped after step 7 of 20; go on with: lorasmith resume {folder.root}"))
    tell.close()
    words = report(folder).words
    assert "Stopped after 7 of 20 steps. Go on where it stopped:" in words
    assert f"lorasmith resume '{folder.root}'" in words  # quoted, since the name has blanks
    assert "Epochs 0 of 2" in words


def test_a_run_that_failed_gives_its_reason(folder):
    tell = begin(folder)
    tell(events.Planned(20, 2, 5, 10, 1234))
    tell_steps(tell, 1, 3, 1)
    tell(events.Stopped(0, "the loss is no number at step 4; lower the learning rate"))
    tell.close()
    assert "Stopped after 3 of 20 steps: the loss is no number at step 4; lower the learning rate." in report(folder).words


def test_a_run_that_still_goes_says_so(folder):
    tell = begin(folder)
    tell(events.Planned(20, 2, 5, 10, 1234))
    tell_steps(tell, 1, 1, 1)
    tell.close()
    words = report(folder).words
    assert "Still going: 1 of 20 steps when this page was made" in words
    assert "lorasmith resume" in words


def test_a_killed_run_says_so_long_afterwards(folder):
    tell = begin(folder)
    tell(events.Planned(20, 2, 5, 10, 1234))
    tell_steps(tell, 1, 4, 1)
    tell.close()
    long_ago(folder)
    folder.events.write_text(folder.events.read_text(encoding="utf-8")[:-20], encoding="utf-8")  # the kill cut the last line off
    words = report(folder).words
    assert "Broken off without a word after 3 of 20 steps; last heard of on 2001-09-" in words
    assert "Go on from the last saved state:" in words


def test_a_run_killed_before_its_first_saved_state_counts_its_steps_once(folder):
    tell = begin(folder)
    tell(events.Planned(4, 1, 5, 4, 1234))
    tell_steps(tell, 1, 3, 1)
    tell(events.Planned(4, 1, 5, 4, 1234))
    tell_steps(tell, 1, 4, 1)
    tell(events.EpochDone(1, 4, 0.5))
    tell(events.Finished(4, 2.0, "checkpoints/toy.safetensors"))
    tell.close()
    words = report(folder).words
    assert "Steps 4 batch size 1" in words
    assert "Epochs 1 Steps" in words


def test_a_run_before_its_first_step_has_a_page_too(folder):
    tell = begin(folder)
    tell(events.PhaseStarted("model", "bases/little"))
    tell.close()
    folder.manifest.unlink()
    words = report(folder).words
    assert "Still going: 0 steps" in words
    assert "No sample has been drawn yet." in words
    assert "No step has been done yet." in words
    assert "No LoRA file has been saved yet." in words
    assert "no manifest" in words


def test_a_run_with_only_the_base_drawn_shows_it_as_before(folder):
    tell = begin(folder)
    draw(folder, tell, 0, 0)
    tell.close()
    page = report(folder)
    assert len(page.pictures) == 2
    assert "before not drawn yet after" in page.words


def test_a_run_without_prompts_says_how_to_get_samples(folder):
    tell = begin(folder, samples={})
    tell.close()
    assert "This run draws no samples; name some under samples.prompts" in report(folder).words


@pytest.mark.parametrize("harm", ["gone", "damaged", "outside"])
def test_a_picture_that_cannot_be_had_leaves_a_note(folder, harm):
    tell = begin(folder)
    draw(folder, tell, 0, 0)
    first = folder.samples / "epoch000000-step00000000-00.png"
    if harm == "gone":
        first.unlink()
    elif harm == "damaged":
        first.write_bytes(first.read_bytes()[:60])
    else:
        first.rename(folder.root.parent / "private.png")
        first.symlink_to(folder.root.parent / "private.png")
    tell.close()
    page = report(folder)
    assert len(page.pictures) == 1
    assert "picture is missing or damaged" in page.words


def test_a_folder_that_is_no_run_is_refused_in_one_sentence(tmp_path, folder):
    with pytest.raises(SettingsError, match=r"no run folder .* give the folder of a run"):
        write_report(tmp_path)
    begin(folder).close()
    folder.events.unlink()
    with pytest.raises(SettingsError, match="nothing was run there"):
        write_report(folder.root)
    assert not folder.report.exists()


# -- curves -----------------------------------------------------------------------------------------------------------


def test_the_loss_curve_has_a_faint_and_a_strong_line_and_is_described():
    svg = svg_of(loss_curve([(k, 1 / k) for k in range(1, 31)], [(1, 10), (2, 20), (3, 30)]))
    faint, strong = points_of(svg)
    assert len(faint) == len(strong) == 30
    assert faint[0][0] == 0
    assert faint[-1][0] == 1000
    assert faint[0][1] < faint[-1][1]  # a falling loss goes down the page
    texts = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"loss", "steps", "epoch 1", "2", "3", "30"} <= set(texts)
    title, description = svg[0], svg[1]
    assert title.text == "Loss over the steps"
    assert "the mean over the 3 steps around each" in description.text
    assert svg.get("aria-labelledby").split() == [title.get("id"), description.get("id")]


def test_a_validated_run_shows_how_held_out_and_trained_pictures_changed_with_their_margins(folder):
    tell = EventLog(whole_run(folder).events)
    for epoch, (held_out, trained) in enumerate([(0.0, 0.0), (-0.004, -0.006), (-0.002, -0.012)]):
        gap = held_out - trained
        tell(events.ValidationDone(epoch, 10 * epoch, 0.1, 0.1, held_out, 0.001, trained, 0.002, gap, 0.002, {}, {}))
    tell.close()
    page = write_report(folder.root).read_text(encoding="utf-8")
    assert "-0.0020 ± 0.0010 on pictures that were held out and -0.0120 ± 0.0020 on trained ones" in page
    curve = page[page.index("change-curve-title") :].partition("</figure>")[0]
    assert curve.count('stroke-width="1.5"') == 6  # a margin at every point
    assert "held out" in curve
    assert "trained" in curve


def test_one_step_is_a_dot():
    svg = svg_of(loss_curve([(1, 0.25)], [(1, 1)]))
    assert points_of(svg) == []
    assert len(list(svg.iter("{http://www.w3.org/2000/svg}circle"))) == 1
    assert "One step, with a loss of 0.25." in svg[1].text


@pytest.mark.parametrize("loss", [0.0, 0.5, 1e-12, 1e9])
def test_equal_losses_are_a_level_line_in_the_middle(loss):
    _, strong = points_of(svg_of(loss_curve([(k, loss) for k in range(1, 50)])))
    assert {y for _, y in strong} == {500.0}


def test_thousands_of_steps_become_a_few_hundred_points_and_keep_their_peaks():
    rng = np.random.default_rng(0)
    losses = [(k, float(v)) for k, v in enumerate(rng.random(20_000) * 0.1, 1)]
    losses[12_345] = (12_346, 9.0)
    faint, strong = points_of(svg_of(loss_curve(losses)))
    assert 200 <= len(faint) <= 302
    assert len(strong) <= 302
    assert min(y for _, y in faint) == 0  # the peak is there, at the upper edge
    assert "lie outside the picture" in svg_of(loss_curve(losses))[1].text


def test_losses_that_are_no_number_are_left_out_and_counted():
    losses = [(1, 0.5), (2, math.nan), (3, math.inf), (4, 0.25)]
    svg = svg_of(loss_curve(losses))
    assert len(points_of(svg)[0]) == 2
    assert "2 steps have a loss that is no finite number." in svg[1].text
    assert loss_curve([(1, math.nan)]) == ""


def test_smoothing_is_the_mean_of_the_neighbours():
    values = np.array([0.0, 3.0, 6.0, 0.0, 0.0])
    assert smoothed(values, 3).tolist() == [1.5, 3.0, 3.0, 2.0, 0.0]
    assert smoothed(values, 1).tolist() == values.tolist()


def test_thinning_keeps_both_ends_and_the_extremes():
    xs, ys = np.arange(1000), np.sin(np.arange(1000) / 7)
    ys[333], ys[666] = 5, -5
    thin_xs, thin_ys = thinned(xs, ys, 20)
    assert len(thin_xs) <= 42
    assert {0, 333, 666, 999} <= set(thin_xs.tolist())
    assert thin_ys.max() == 5


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.0031, 0.0032), (-5, 5000), (1, 2), (0.9, 1.1), (0, 1e-9)])
def test_ticks_are_few_and_round_and_inside(low, high):
    marks = ticks(low, high, 5)
    assert 1 <= len(marks) <= 5
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)


def test_parts_with_the_same_rate_share_a_line():
    same = {"U-Net": [(1, 1e-4), (2, 5e-5)], "text encoder": [(1, 1e-4), (2, 5e-5)]}
    svg = svg_of(learning_rate_curve(same))
    assert len(points_of(svg)) == 1
    assert svg[1].text == "U-Net and text encoder: 1e-4 at first, 1e-4 at most, 5e-5 at the end."
    differing = {**same, "text encoder": [(1, 5e-5), (2, 0.0)]}
    assert len(points_of(svg_of(learning_rate_curve(differing)))) == 2
    assert len(points_of(svg_of(learning_rate_curve({"U-Net": [(1, 0.0), (2, 0.0)]})))) == 1
    assert learning_rate_curve({}) == ""


# -- words ------------------------------------------------------------------------------------------------------------


def test_numbers_are_written_for_people():
    assert [spoken_seconds(s) for s in (0.84, 42.2, 59.7, 102, 3599.8, 7500)] == [
        "0.8 s",
        "42 s",
        "1 min 0 s",
        "1 min 42 s",
        "1 h 0 min",
        "2 h 5 min",
    ]
    assert [spoken_size(n) for n in (1, 512, 640_000, 36_500_000, 2_300_000_000)] == ["1 byte", "512 bytes", "640 kB", "36.5 MB", "2.30 GB"]
    assert [spoken_rate(r) for r in (1e-4, 2.5e-5, 0.0, 1.0, 0.0012)] == ["1e-4", "2.5e-5", "0", "1", "1.2e-3"]


def test_choosing_evenly_keeps_both_ends():
    assert evenly_chosen(range(3), 8) == [0, 1, 2]
    assert evenly_chosen(range(15), 8) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert evenly_chosen(range(100), 2) == [0, 99]


def test_messages_are_grouped_by_what_they_say():
    assert group_alike(["a.png has 3 signs", "the rank is large", "b c/d.jpg has 12 signs", "a.png has 3 signs"]) == [
        ["a.png has 3 signs"], ["the rank is large"], ["b c/d.jpg has 12 signs"],
    ]  # fmt: skip
    assert group_alike(["x/a.png has 3 signs", "y/b.jpg has 12 signs"]) == [["x/a.png has 3 signs", "y/b.jpg has 12 signs"]]
