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
