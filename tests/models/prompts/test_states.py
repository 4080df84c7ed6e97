"""Prompts as the base reads them: emphasis as A1111, nothing cut off, no picture that depends on its batch."""

import pytest
import torch

from lorasmith.errors import SettingsError
from lorasmith.models.architectures.clip import CHUNK, with_mean_of
from lorasmith.models.architectures.emphasis import escape, parse_emphasis, unescape
from lorasmith.models.open import open_base
from lorasmith.models.prompts.request import PictureRequest
from lorasmith.models.prompts.states import PromptStates
from lorasmith.models.prompts.syntax import prompt_findings
from lorasmith.models.sampling import generate
from lorasmith.models.texts import TextOptions
from tests.models import toys

AS_PROMPT = TextOptions(prompt=True)


@pytest.fixture(scope="module")
def base():
    return open_base(toys.toy_folder("sd1"), torch.float32)


def read(base, text, **options):
    with torch.no_grad():
        return base.encode_texts([text], TextOptions(**options)).states


def test_emphasis_leaves_the_mean_of_the_states_as_it_was(base):
    plain, strong = read(base, "a red cat", prompt=True), read(base, "a (red:1.5) cat", prompt=True)
    assert torch.equal(plain, read(base, "a red cat"))
    expected = plain.clone()
    expected[:, 2] *= 1.5
    expected *= plain.mean() / expected.mean()
    torch.testing.assert_close(strong, expected, rtol=1e-4, atol=1e-4)


def test_a_chunk_without_emphasis_is_not_scaled():
    states = torch.randn(2, 77, 4, generator=torch.Generator().manual_seed(0))
    weighted = states.clone()
    weighted[0, 3] *= 2
    kept = with_mean_of(states, weighted)
    assert torch.equal(kept[1], states[1])
    torch.testing.assert_close(kept[0].mean(), states[0].mean())


def test_a_long_prompt_is_read_to_its_end(base):
    long = "red cat, " * 60
    assert read(base, "red cat", prompt=True).shape[1] == CHUNK + 2
    whole = read(base, long, prompt=True)
    assert whole.shape[1] == CHUNK * -(-base.count_tokens(long) // CHUNK) + 2
    assert torch.equal(whole[:, : CHUNK + 1], read(base, long)[:, : CHUNK + 1])
    assert read(base, "red BREAK cat", prompt=True).shape[1] == 2 * CHUNK + 2, "what comes after BREAK begins the next chunk"


def test_a_prompt_beside_a_longer_one_has_its_length(base):
    states, long = PromptStates(base, AS_PROMPT), "red cat, " * 60
    assert states.length("blurry") == CHUNK + 2
    both = states(["blurry", long])
    assert both.states.shape[:2] == (2, states.length(long))
    assert torch.equal(both.states[:1, : CHUNK + 1], states(["blurry"]).states[:, : CHUNK + 1])


def test_a_picture_does_not_depend_on_the_prompts_beside_it(base):
    def picture(*others):
        requests = [PictureRequest(prompt, "blurry", steps=2).completed(base) for prompt in ("red cat", *others)]
        return dict(generate(base, requests, {1: PromptStates(base, AS_PROMPT)}, batch_size=1))[0].tobytes()

    assert picture() == picture("red cat, " * 60, "blue cat")


def test_pictures_that_differ_in_their_settings_are_each_drawn_their_own_way(base):
    requests = [
        PictureRequest("red cat", seed=1, steps=2),
        PictureRequest("red cat", seed=1, steps=2, width=128),
        PictureRequest("red cat", seed=1, steps=3, sampler="euler_a"),
        PictureRequest("red cat", seed=1, steps=2),
    ]
    complete = [one.completed(base) for one in requests]
    pictures = dict(generate(base, complete, {1: PromptStates(base, AS_PROMPT)}))
    assert sorted(pictures) == [0, 1, 2, 3]
    assert pictures[1].size == (128, base.native_resolution)
    assert pictures[0].tobytes() == pictures[3].tobytes() != pictures[2].tobytes()


@pytest.mark.parametrize("text", [f"a (red:{400 * '9'})", f"a (a (red:{200 * '9'}):{200 * '9'})"])
def test_a_weight_that_is_no_number_is_refused(text):
    with pytest.raises(SettingsError, match="emphasis of 'red' is too large"):
        parse_emphasis(text)


def test_text_that_is_escaped_means_itself():
    for text in ("rem (re:zero)", r"a \(b\) [c] ((d:1.2))", "plain"):
        assert parse_emphasis(escape(text)) == [(text, 1.0)]
        assert unescape(escape(text)) == text


@pytest.mark.parametrize(
    ("prompt", "family", "code"),
    [
        ("a (red:1.2) cat", "sd1", None),
        ("a red cat", "flux", None),
        ("a (red:1.2) cat", "flux", "prompt.emphasis_without_effect"),
        ("a [cat:dog:0.5]", "sd1", "prompt.syntax_without_effect"),
        ("a [cat|dog]", "sdxl", "prompt.syntax_without_effect"),
        ("a cat AND a dog", "sd1", "prompt.syntax_without_effect"),
        (r"a \[cat|dog\], [quiet], ratio 3:2", "sd1", None),
        ("a (red:5) cat", "sd1", None),
        ("a (red:100) cat", "sd1", "prompt.extreme_emphasis"),
        ("a " + 20 * "(" + "red", "sdxl", "prompt.extreme_emphasis"),
        ("a (red:1e9) cat", "sd1", None),  # to A1111, too, that is text
    ],
)
def test_syntax_that_does_nothing_is_named(prompt, family, code):
    assert [finding.code for finding in prompt_findings([prompt], family)] == ([code] if code else [])
