"""Captioners: toy-size BLIP and Florence-2 with random weights, and a real server on this machine for what is asked over a network."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from lorasmith.captions.taggers.captioner import DescriptionFailed, Question, filled_prompt, open_captioner
from lorasmith.captions.taggers.descriptions import describe_pictures, place_description
from lorasmith.captions.taggers.vision_endpoint import EndpointSettings, VisionEndpoint
from lorasmith.errors import InputError, RunError, SettingsError
from tests.chat_server import ChatServer, completion, error

RED, BLUE = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (30, 50), "blue")
WORDS = [
    "a",
    "the",
    "of",
    "cat",
    "dog",
    "red",
    "blue",
    "house",
    "tree",
    "picture",
    "drawing",
    "what",
    "does",
    "image",
    "describe",
    "with",
    "paragraph",
    "in",
    "is",
    "shown",
    "detail",
    "sits",
    "runs",
]


@pytest.fixture(scope="session")
def blip(tmp_path_factory):
    """A folder as `save_pretrained` writes it: BLIP with random weights, 32 x 32 pixels, and a tokenizer of two dozen words."""
    import torch
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    folder = tmp_path_factory.mktemp("blip")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS]))
    tokenizer = BertTokenizerFast(str(vocabulary), bos_token="[DEC]")
    text = {"vocab_size": len(tokenizer), "hidden_size": 32, "encoder_hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0, "projection_dim": 16}  # fmt: skip
    vision = {
        "image_size": 32,
        "patch_size": 8,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(3)
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.6)  # wide enough that two pictures are described differently
    torch.nn.init.constant_(model.text_decoder.cls.predictions.bias[:6], -1e4)  # words only, no end before the last token
    model.save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def florence(tmp_path_factory):
    """Florence-2 as transformers has it natively, with random weights and a tokenizer of two dozen words; 64 x 64 pixels, 5 image tokens."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessor,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("florence")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<image>"]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate([*special, "?", ".", *WORDS])}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", extra_special_tokens={"image_token": "<image>"}
    )  # fmt: skip
    config = Florence2Config(
        text_config={"model_type": "bart", "vocab_size": len(tokenizer), "d_model": 32, "encoder_layers": 1, "decoder_layers": 1,
                     "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
                     "max_position_embeddings": 128, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2},
        vision_config={"depths": (1, 1, 1, 1), "embed_dim": (8, 8, 16, 16), "num_heads": (1, 1, 2, 2), "num_groups": (1, 1, 2, 2),
                       "window_size": 4, "projection_dim": 32, "drop_path_rate": 0.0},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(3)
    model = Florence2ForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
        elif "norm" in name and name.endswith("weight"):  # the picture speaks louder than in a fresh model, where words drown it
            torch.nn.init.constant_(parameter, 6.0 if "image_proj" in name else 1.0)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.suppress_tokens = list(range(5))  # words only, no end before the last token
    model.generation_config.forced_eos_token_id = None
    model.save_pretrained(folder)
    pictures = CLIPImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False)
    pictures.image_seq_length = 5
    Florence2Processor(pictures, tokenizer).save_pretrained(folder)
    return folder


def test_blip_describes_each_picture_and_completes_a_beginning(blip):
    captioner = open_captioner(blip, max_new_tokens=6, num_beams=2)
    free = captioner.describe([Question(RED, ""), Question(BLUE, "")])
    assert all(set(words.split()) <= {*WORDS, "[UNK]"} for words in free)
    assert free[0] != free[1]
    begun = captioner.describe([Question(RED, "a drawing of"), Question(BLUE, "a drawing of")])
    assert all(words.startswith("a drawing of") for words in begun)
    assert captioner.describe([Question(RED, "")]) == free[:1]  # alone as in a batch, today as tomorrow


def test_florence_answers_a_task_and_refuses_words_beside_it(florence):
    captioner = open_captioner(florence, max_new_tokens=6, num_beams=2)
    answers = captioner.describe([Question(RED, "<CAPTION>"), Question(BLUE, "<MORE_DETAILED_CAPTION>")])
    assert all(set(words.split()) <= {*WORDS, "?", "."} and words for words in answers)
    assert len({*answers, *captioner.describe([Question(BLUE, "<CAPTION>")])}) == 3  # the picture and the task both matter
    with pytest.raises(SettingsError, match="<DETAILED_CAPTION>"):
        captioner.describe([Question(RED, "<CAPTION> of a cat")])


def test_what_captioners_cannot_open_is_an_error(tmp_path, florence):
    with pytest.raises(InputError, match=r"no readable config\.json"):
        open_captioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(InputError, match="give one of blip, florence2"):
        open_captioner(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "florence2", "auto_map": {"AutoModel": "x--y.Z"}}')
    with pytest.raises(InputError, match="its own code, which is not run"):
        open_captioner(tmp_path)
    (tmp_path / "config.json").write_text((florence / "config.json").read_text())
    with pytest.raises(InputError, match="cannot be opened"):
        open_captioner(tmp_path)


def test_a_prompt_is_filled_with_name_folder_and_tags_of_the_picture():
    assert (
        filled_prompt("{trigger}: {tags} ({folder}/{name}) {{x}}", tags=["a", "b"], name="1", folder="f", trigger="zorvex")
        == "zorvex: a, b (f/1) {x}"
    )
    with pytest.raises(SettingsError, match="{tag}"):
        filled_prompt("{tag}")
    with pytest.raises(SettingsError, match="unmatched brace"):
        filled_prompt("{tags")


# -- the endpoint -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def ask(server, monkeypatch):
    """Ask the server; `pauses` are the waits between tries, which are not slept."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def ask(picture=RED, prompt="What is this?", **settings):
        ask.pauses = []
        ask.endpoint = VisionEndpoint(EndpointSettings(base_url=server.url, model="eyes", **settings), sleep=ask.pauses.append)
        return ask.endpoint.describe([Question(picture, prompt)])[0]

    return ask


def test_an_endpoint_gets_the_prompt_and_a_bounded_jpeg_and_its_words_come_back(server, ask, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    server.answers = [(200, {}, completion("<think>hm,\nred</think>\n A red\n field. "))]
    assert ask(Image.new("RGB", (3000, 1000), (250, 10, 20)), key_variable="MY_KEY", max_side=256, system="Be short.") == "A red field."
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert (body["model"], body["messages"][0]) == ("eyes", {"role": "system", "content": "Be short."})
    text, image = body["messages"][1]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    start, data = image["image_url"]["url"].split(",", 1)
    assert start == "data:image/jpeg;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (sent.format, sent.size) == ("JPEG", (256, 85))
    assert sent.getpixel((128, 40)) == pytest.approx((250, 10, 20), abs=4)


def test_an_answer_that_was_cut_within_a_character_can_be_stored(server, ask, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    server.answers = [(200, {}, completion("A cat \ud83d\0"))]
    assert ask() == "A cat ?"
    server.answers = [(200, {}, completion("A cat \ud83d\0"))]
    result = describe_pictures(tmp_path, ask.endpoint, {tmp_path / "a.png": "x"})
    assert result.texts == {tmp_path / "a.png": "A cat ?"}


def test_a_server_at_home_is_asked_without_a_key(server, ask):
    ask()
    assert "Authorization" not in server.requests[0][1]


def test_what_may_pass_is_tried_again_after_the_pause_that_the_server_asks_for(server, ask):
    server.answers = [error(429, **{"Retry-After": "7"}), error(500), error(503), (200, {}, completion("at last"))]
    assert ask() == "at last"
    assert ask.pauses == [7.0, 2.0, 4.0]


def test_a_wrong_key_and_a_wrong_address_end_the_job_at_once(server, ask, monkeypatch):
    server.answers = [error(401, "Incorrect API key")]
    with pytest.raises(InputError, match="put your key into the variable OPENAI_API_KEY"):
        ask()
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(InputError, match="check the key in OPENAI_API_KEY") as failure:
        ask()
    assert "wrong." not in str(failure.value)
    assert not isinstance(failure.value, DescriptionFailed)
    server.answers = [error(404, "model not found")]
    with pytest.raises(InputError, match="no model 'eyes'"):
        ask()
    server.answers = [(302, {"Location": "http://example.invalid/"}, b"")]
    with pytest.raises(InputError, match="not followed"):
        ask()
    assert len(server.requests) == 4
    with pytest.raises(InputError, match="is not the address"):
        VisionEndpoint(EndpointSettings(base_url="localhost:1234", model="eyes"))


def test_a_slow_or_silent_server_is_given_up_after_the_tries(server, ask):
    server.delay = 60.0
    with pytest.raises(DescriptionFailed, match=r"did not answer .*, 2 times"):
        ask(timeout=0.1, retries=1)
    with pytest.raises(DescriptionFailed, match="did not answer"):
        ask.endpoint.describe([Question(RED, "x")])
    with pytest.raises(RunError, match="3 pictures in a row"):
        ask.endpoint.describe([Question(RED, "x")])
    server.close()
    with pytest.raises(DescriptionFailed, match="refused"):
        ask(retries=0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, {}, b"<html>"), "not a chat completion"), ((200, {}, completion("")), "is empty"), ((200, {}, b'{"choices": []}'), "not a chat"),
        (error(400, "picture is unsafe"), "400, picture is unsafe"),
    ],
)  # fmt: skip
def test_an_answer_without_a_description_is_that_pictures_failure(server, ask, answer, words):
    server.answers = [answer]
    with pytest.raises(DescriptionFailed, match=words):
        ask()


# -- many pictures ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    for k in range(4):
        Image.new("RGB", (16, 16), (60 * k, 0, 0)).save(tmp_path / f"{k}.png")
    (tmp_path / "bad.png").write_bytes(b"")
    return {path: f"say {path.stem}" for path in sorted(tmp_path.glob("*.png"))}


def test_one_bad_picture_does_not_end_the_job_and_nothing_is_asked_twice(server, pictures, tmp_path):
    endpoint = VisionEndpoint(EndpointSettings(base_url=server.url, model="eyes", retries=0))
    server.answers = [error(400, "too ugly"), (200, {}, completion("one")), (200, {}, completion("two")), (200, {}, completion("three"))]
    steps, asked = [], iter([False, False, False, True])
    part = describe_pictures(tmp_path, endpoint, pictures, progress=lambda *s: steps.append(s), cancelled=lambda: next(asked))
    assert part.stopped
    assert {path.name: words for path, words in part.texts.items()} == {"1.png": "one", "2.png": "two"}
    rest = describe_pictures(tmp_path, endpoint, pictures)
    assert (rest.known, rest.described) == (2, 2)
    assert {path.name: words for path, words in rest.texts.items()} == {"0.png": "three", "1.png": "one", "2.png": "two", "3.png": "three"}
    assert [path.name for path in rest.failures] == ["bad.png"]
    assert [body["messages"][0]["content"][0]["text"] for _, _, body in server.requests] == ["say 0", "say 1", "say 2", "say 0", "say 3"]
    assert describe_pictures(tmp_path, endpoint, dict.fromkeys(pictures, "another prompt")).described == 4
    assert describe_pictures(tmp_path, endpoint, pictures, again=True).described == 4


def test_a_wrong_key_ends_the_job_but_keeps_the_answers(server, pictures, tmp_path):
    endpoint = VisionEndpoint(EndpointSettings(base_url=server.url, model="eyes"))
    server.answers = [(200, {}, completion("zero")), error(401)]
    with pytest.raises(InputError, match="refused access"):
        describe_pictures(tmp_path, endpoint, pictures)
    server.answers = [(200, {}, completion("more"))]
    assert describe_pictures(tmp_path, endpoint, pictures).known == 1


def test_a_description_goes_instead_or_onto_the_second_line():
    assert place_description("cat, hat", "A cat.", "instead") == "A cat."
    assert place_description("cat, hat", "A cat.", "second-line") == "cat, hat\nA cat."
    assert place_description("cat, hat\nAn old one.", "A cat.", "second-line") == "cat, hat\nA cat."
    assert place_description("\n \ncat, hat", "A cat.", "second-line") == "cat, hat\nA cat."
    assert place_description("", "A cat.", "second-line") == "A cat."
    assert place_description("cat, hat\nA cat.", "A cat.", "second-line") is None
    assert place_description("cat", "A cat.", "only-new") is None
    assert place_description(" ", "A cat.", "only-new") == "A cat."
