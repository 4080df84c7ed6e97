"""Keys, tokens and passwords are never shown."""

import json

import pytest

from lorasmith.cli import main
from lorasmith.errors import SettingsError
from lorasmith.secrets import HIDDEN, entries_with_secrets, is_secret, publishable, without_secrets

NAMES = ("wandb_api_key", "huggingface_token", "HF_TOKEN", "hf-token", "token", "apiKey", "accessToken", "proxy_password", "--wandb_api_key", "secrets",
         "publishing.token", "aws_secret_access_key", "wandb_key")  # fmt: skip
HARMLESS = (
    "max_token_length",
    "keep_tokens",
    "class_tokens",
    "caption",
    "key",
    "no_token_padding",
    "trigger_token",
    "token_string",
    "passes",
    "tokens",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_known_by_its_name(name):
    assert is_secret(name)
    assert without_secrets("abcdefghij", name) == HIDDEN
    assert without_secrets("", name) == ""


@pytest.mark.parametrize("name", HARMLESS)
def test_options_about_texts_are_no_secrets(name):
    assert without_secrets("75", name) == "75"


def test_a_secret_inside_of_other_values_is_hidden():
    tree = {"secrets": {"huggingface_token": "abcd"}, "list": [{"token": "abcd"}], "address": "https://me:abcd@host/base", "steps": 7}
    assert without_secrets(tree) == {
        "secrets": HIDDEN, "list": [{"token": HIDDEN}], "address": f"https://{HIDDEN}@host/base", "steps": 7
    }  # fmt: skip
    for text in ("--wandb_api_key=abcd --seed=7", "--hf_token abcd --seed=7", '{"api_key": "abcd", "seed": 7}', "HF_TOKEN='abcd' seed=7"):
        assert "abcd" not in without_secrets(text)
        assert "seed" in without_secrets(text)
    assert without_secrets(f"a note with hf_{'a1' * 17} in it") == f"a note with {HIDDEN} in it"
    assert without_secrets("The caption has 90 tokens: 15 are cut.") == "The caption has 90 tokens: 15 are cut."


SIGNED = (
    "https://bucket.s3.amazonaws.com/a.safetensors?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ZXCVB%2F20261128&X-Amz-Expires=900&X-Amz-Security-Token=ZXCVB&X-Amz-Signature=ZXCVB",
    "https://bucket.s3.amazonaws.com/a.safetensors?AWSAccessKeyId=ZXCVB&Expires=1790000000&Signature=ZXCVB%2Fb%3D",
    "https://storage.googleapis.com/b/a.safetensors?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=ZXCVB&X-Goog-Signature=ZXCVB",
    "https://storage.googleapis.com/b/a.safetensors?GoogleAccessId=ZXCVB&Expires=1790000000&Signature=ZXCVB",
    "https://me.blob.core.windows.net/c/a.safetensors?sv=2024-11-04&sp=r&sig=ZXCVB%3D",
    "https://bucket.oss-cn-hangzhou.aliyuncs.com/a.safetensors?OSSAccessKeyId=ZXCVB&Signature=ZXCVB",
    "https://d1.cloudfront.net/a.safetensors?Expires=1790000000&Signature=ZXCVB__&Key-Pair-Id=K1",
    "https://cdn.discordapp.com/attachments/1/2/a.png?ex=65&is=65&hm=ZXCVB&",
    "https://www.googleapis.com/drive/v3/files/1?alt=media&key=ZXCVB&resourcekey=ZXCVB",
    "https://civitai.com/api/download/models/1?type=Model&token=ZXCVB", "https://host/x?access_token=ZXCVB", "https://host/#access_token=ZXCVB&state=1",
    "https://host/x?apikey=ZXCVB", "https://host/x?sas_token=ZXCVB",
)  # fmt: skip


@pytest.mark.parametrize("address", SIGNED)
@pytest.mark.parametrize(
    "around", ["{}", "Max retries exceeded with url: {} (Caused by x).", '{{"from": "{}", "steps": 7}}', "see <a href='{}'>it</a>, then"]
)
def test_the_credentials_of_an_address_are_hidden_and_the_rest_of_it_is_not(address, around):
    import html

    for written in (address, html.escape(address), address.replace("&", "\\u0026"), address.partition(".com")[2] or address):
        shown = without_secrets(around.format(written))
        assert "ZXCVB" not in shown
        assert HIDDEN in shown
        for kept in ("a.safetensors", "Expires=1790000000", "sv=2024-11-04", "alt=media", "type=Model", "steps", "Caused by x", "it</a>"):
            assert (kept in shown) == (kept in around.format(written))


def test_words_that_only_look_like_the_parameters_of_an_address_are_shown():
    for text in (
        "key = value, signature and watermark", "sig: 3", "signature", "?what=1&sort=key&page=2", "https://host/models?tag=signature&keys_only=1",
        "a & b, key=c", "no auth? yes", "monkey=banana", "https://host/x?monkey=1&design=2&signatures=3&sort_key=size&has_signature=1",
    ):  # fmt: skip
        assert without_secrets(text) == text


def test_metadata_that_are_published_have_no_secret_and_stay_readable():
    settings = {"sampler": "euler", "hub": {"hf_token": "abcd", "repo": "me/mimi"}}
    metadata = {
        "ss_wandb_api_key": "abcd", "ss_seed": "7", "ss_tag_frequency": '{"10_mimi": {"secret": 5, "token": 2}}',
        "settings": json.dumps(settings), "job": json.dumps({"config": json.dumps(settings)}), "command": "--hf_token abcd --seed=7",
    }  # fmt: skip
    clean = publishable(metadata)
    assert "abcd" not in str(clean)
    assert clean.keys() == metadata.keys() - {"ss_wandb_api_key"}
    assert (clean["ss_seed"], clean["ss_tag_frequency"]) == (metadata["ss_seed"], metadata["ss_tag_frequency"])
    assert json.loads(json.loads(clean["job"])["config"])["hub"] == {"hf_token": HIDDEN, "repo": "me/mimi"}
    assert entries_with_secrets(metadata) == ["command", "job", "settings", "ss_wandb_api_key"]
    assert publishable(clean) == clean


@pytest.mark.parametrize("text", ['{\\"hf_token\\": \\"abcd\\"', '"hf_token": "abcd", cut sho', "hf_token = 'abcd'"])
def test_a_secret_in_text_that_is_cut_short_or_escaped_is_hidden(text):
    assert "abcd" not in without_secrets(text)


def test_an_error_shows_no_secret(monkeypatch, capsys):
    def fails():
        raise SettingsError("The line --wandb_api_key=abcd cannot be read. Fix it.")

    monkeypatch.setattr(main, "app", fails)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: The line --wandb_api_key={HIDDEN} cannot be read. Fix it.\n"
