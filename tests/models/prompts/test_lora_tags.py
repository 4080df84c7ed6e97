"""LoRAs that a prompt calls by name."""

import pytest

from lorasmith.errors import SettingsError
from lorasmith.models.prompts.lora_tags import LoraTag, read_lora_tags, refuse_in_negative, with_tags


@pytest.mark.parametrize(
    ("prompt", "text", "tags"),
    [
        ("zorvex, beach", "zorvex, beach", []),
        ("zorvex <lora:z:0.7>", "zorvex", [LoraTag("z", 0.7, 0.7)]),
        ("<lora:z>zorvex <lora:my file-01:0.5:0.8>", "zorvex", [LoraTag("z"), LoraTag("my file-01", 0.5, 0.8)]),
        ("a <lora:z:te=0:unet=0.5>, b", "a , b", [LoraTag("z", 0.0, 0.5)]),
        ("a <lyco:z:-1>", "a", [LoraTag("z", -1.0, -1.0)]),
        ("a <b:c> d ", "a <b:c> d ", []),
        ("1 < 2 > 0", "1 < 2 > 0", []),
    ],
)
def test_tags_are_read_as_a1111_reads_them(prompt, text, tags):
    assert read_lora_tags(prompt) == (text, tags)


@pytest.mark.parametrize("tag", ["<lora:z:strong>", "<lora:z:1:1:8>", "<lora:z:1:lbw=MIDD>", "<hypernet:h:1>", "<lora:z:nan>", "<lora::1>"])
def test_what_a_tag_cannot_ask_for_is_said(tag):
    with pytest.raises(SettingsError) as caught:
        read_lora_tags(f"a {tag}")
    assert caught.value.code == "prompt.tag"
    assert tag in str(caught.value)


def test_tags_written_are_read_back():
    tags = [LoraTag("z", 0.7, 0.7), LoraTag("b", 0.25, 1.5)]
    tags += [LoraTag(name) for name in ("style: ink", "a<b>", "two\nlines", "50%", "50%25", "ratio 3%3A2", "a, b")]
    assert read_lora_tags(with_tags("zorvex", tags)) == ("zorvex", tags)
    with pytest.raises(SettingsError, match="no effect there"):
        refuse_in_negative("blurry <lora:z:1>")
