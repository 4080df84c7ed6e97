"""BREAK in a caption ends a chunk of CLIP's, as AUTOMATIC1111's web UI reads it."""

from types import SimpleNamespace

import pytest

from lorasmith.models.architectures.clip import Clip
from lorasmith.models.texts import TextOptions

BEGIN, END, FILL = 1, 2, 0


class Words:
    """Tokenizes a word as the number that it is."""

    bos_token_id, eos_token_id, pad_token_id = BEGIN, END, FILL

    def __call__(self, text, **options):
        return SimpleNamespace(input_ids=[int(word) for word in text.split()])


@pytest.fixture
def clip():
    return Clip(None, Words())


def tokens(clip, caption, length, weighted=False):
    return clip.tokenize([caption], TextOptions(max_token_length=length, weighted=weighted)).ids[0].tolist()


def test_what_follows_begins_the_next_chunk(clip):
    first, second = tokens(clip, "11 12 BREAK 13", 150)
    assert first == [BEGIN, 11, 12, END] + [FILL] * 73
    assert second == [BEGIN, 13, END] + [FILL] * 74


def test_a_chunk_that_is_full_is_not_followed_by_an_empty_one(clip):
    full = " ".join(["11"] * 75)
    first, second = tokens(clip, f"{full} BREAK 12", 150)
    assert first == [BEGIN, *[11] * 75, END]
    assert second[:3] == [BEGIN, 12, END]
    assert tokens(clip, "BREAK 11 BREAK BREAK 12", 150) == tokens(clip, "11 BREAK 12", 150)


def test_where_no_chunk_is_left_nothing_is_lost(clip):
    assert tokens(clip, "11 BREAK 12", 75) == tokens(clip, "11 12", 75)
    assert tokens(clip, "11 BREAK 12 BREAK 13", 150) == tokens(clip, "11 BREAK 12 13", 150)


def test_only_the_word_alone_and_in_capitals_breaks(clip):
    with pytest.raises(ValueError, match="break"):
        tokens(clip, "11 break 12", 150)
    with pytest.raises(ValueError, match="BREAKS"):
        tokens(clip, "11 BREAKS 12", 150)


def test_emphasis_reaches_over_a_break(clip):
    texts = clip.tokenize(["(11 BREAK 12:1.5) 13"], TextOptions(max_token_length=150, weighted=True))
    assert texts.ids[0, :, 1].tolist() == [11, 12]
    assert texts.weights[0, 0, :4].tolist() == [1.0, 1.5, 1.0, 1.0]
    assert texts.weights[0, 1, :4].tolist() == [1.0, 1.5, 1.0, 1.0]
