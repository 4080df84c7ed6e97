"""What a run says of captions that the text encoder of its base does not read whole."""

import shutil

import pytest

from lorasmith.findings import SettingChange
from lorasmith.models.open import open_base
from lorasmith.training.base_fit import check_base_fits
from lorasmith.training.planning.check import check

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


@pytest.mark.parametrize(("sentences", "length"), [(3, 150), (6, 225), (30, None)])
def test_the_number_of_tokens_that_is_enough_is_offered_where_the_base_can_read_it(settings_for, sentences, length):
    (finding,) = too_long(settings_for(captions={"caption_suffix": "A sentence of many tokens, more or less. " * sentences}))
    changes = () if length is None else (SettingChange("base.max_token_length", length),)
    assert finding.fix.changes == changes
    if length is not None:
        with_it = {"caption_suffix": "A sentence of many tokens, more or less. " * sentences}
        assert too_long(settings_for(captions=with_it, base={"max_token_length": length})) == []
