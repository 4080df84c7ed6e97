"""What a run says of captions that the text encoder of its base does not read whole."""

import shutil

import pytest

from lorasmith.findings import SettingChange
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import open_base
from lorasmith.models.texts import TextOptions
from lorasmith.training.base_fit import check_base_fits
from lorasmith.training.planning.check import check
from tests.models.toys import toy_folder

BELOW = "\n" + "A sentence that is longer than an encoder reads. " * 9


def too_long(settings):
    found = check_base_fits(settings, check(settings).training_set, open_base(settings.base.path))
    return [finding for finding in found if finding.code == "run.captions_too_long"]


@pytest.mark.parametrize(
    ("captions", "counted"),
    [({}, False), ({"caption_lines": "first"}, False), ({"caption_lines": "random"}, True), ({"caption_lines": "all"}, True)],
)
def test_of_a_caption_the_lines_that_train_are_counted(settings_for, creatures, tmp_path, captions, counted):
    folder = shutil.copytree(creatures, tmp_path / "creatures")
    file = sorted(folder.glob("*.txt"))[0]
    file.write_text(file.read_text("utf-8") + BELOW, "utf-8")
    assert bool(too_long(settings_for(captions=captions, datasets=[{"path": str(folder)}]))) == counted


def test_what_is_put_behind_a_caption_counts(settings_for):
    assert len(too_long(settings_for(captions={"caption_suffix": BELOW.strip()}))) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_says_by_how_many_tokens_a_caption_is_too_long_for_it(family, settings_for, creatures, tmp_path):
    folder = shutil.copytree(creatures, tmp_path / "creatures")
    file, *others = sorted(folder.glob("*.txt"))
    file.write_text("red cat " * 3000, "utf-8")
    for other in others:
        other.write_text("red cat", "utf-8")
    sides = dict.fromkeys(("resolution", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps"), 64)
    settings = settings_for(
        base={"path": str(toy_folder(family))}, datasets=[{"path": str(folder)}], captions={"trigger": None}, buckets=sides
    )
    base = open_base(settings.base.path)
    most, has = base.max_tokens(TextOptions()), base.count_tokens(file.read_text("utf-8").strip())
    (finding,) = [one for one in check_base_fits(settings, check(settings).training_set, base) if one.code == "run.captions_too_long"]
    assert finding.evidence.text == f"{has} of at most {most} tokens."
    assert f"1 caption is longer than the {most} tokens that the base reads" in finding.message
    assert finding.subjects == (str(file.with_suffix(".png")),)


def test_a_length_is_offered_only_where_caption_and_template_fit_it(settings_for, creatures, tmp_path):
    folder = shutil.copytree(creatures, tmp_path / "creatures")
    settings = settings_for(
        base={"path": str(toy_folder("qwen_image")), "max_token_length": 512}, datasets=[{"path": str(folder)}], captions={"trigger": None}
    )
    base, file = open_base(settings.base.path), sorted(folder.glob("*.txt"))[0]
    most = base.max_tokens(TextOptions(max_token_length=1024))
    words = next(n for n in range(200, 1025) if base.count_tokens(" ".join(["red"] * n)) > most)
    for tokens, changes in ((words - 9, (SettingChange("base.max_token_length", 1024),)), (words, ())):
        file.write_text(" ".join(["red"] * tokens), "utf-8")
        (finding,) = [one for one in check_base_fits(settings, check(settings).training_set, base) if one.code == "run.captions_too_long"]
        assert finding.evidence.number <= 1024
        assert finding.fix.changes == changes


@pytest.mark.parametrize(("sentences", "length"), [(3, 150), (6, 225), (30, None)])
def test_the_number_of_tokens_that_is_enough_is_offered_where_the_base_can_read_it(settings_for, sentences, length):
    (finding,) = too_long(settings_for(captions={"caption_suffix": "A sentence of many tokens, more or less. " * sentences}))
    changes = () if length is None else (SettingChange("base.max_token_length", length),)
    assert finding.fix.changes == changes
    if length is not None:
        with_it = {"caption_suffix": "A sentence of many tokens, more or less. " * sentences}
        assert too_long(settings_for(captions=with_it, base={"max_token_length": length})) == []
