"""Databases of the first version are read under the names that tables and columns have now, and lose nothing."""

from __future__ import annotations

import sqlite3

import pytest
from PIL import Image

from lorasmith.captions.collection import open_captions
from lorasmith.captions.history import History
from lorasmith.captions.taggers.descriptions import describe_pictures
from lorasmith.captions.taggers.probabilities import ProbabilityStore
from lorasmith.dataset_folder import CAPTION_HISTORY, DESCRIPTIONS, TAG_PROBABILITIES, make_state_folder
from lorasmith.errors import DatasetError


def rewound(path, *statements):
    """Give a database the names of the first version."""
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def test_a_history_of_the_first_version_can_be_undone(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "1.txt").write_text("hat")
    collection = open_captions(tmp_path)
    collection.save({"1.txt": collection["1.txt"].caption.with_text("cap")}, "rename hat to cap")
    changes = ("RENAME COLUMN summary TO words", "RENAME COLUMN sequence TO turn", "RENAME COLUMN boot TO start", "DROP COLUMN note")
    rewound(tmp_path / CAPTION_HISTORY, *(f"ALTER TABLE operations {one}" for one in changes))
    assert [one.summary for one in History(tmp_path).operations()] == ["rename hat to cap"]
    open_captions(tmp_path).undo()
    assert (tmp_path / "1.txt").read_text() == "hat"


class Captioner:
    identity, default_prompt, batch_size = "test", "", 1
    calls = 0

    def describe(self, questions):
        self.calls += 1
        return ["a red field"] * len(questions)


def test_descriptions_of_the_first_version_are_not_paid_for_again(tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "1.png")
    captioner, prompts = Captioner(), {tmp_path / "1.png": "?"}
    describe_pictures(tmp_path, captioner, prompts)
    renames = ("ALTER TABLE descriptions RENAME TO said", "ALTER TABLE said RENAME COLUMN text TO words")
    rewound(tmp_path / DESCRIPTIONS, *renames)
    assert describe_pictures(tmp_path, captioner, prompts).texts == {tmp_path / "1.png": "a red field"}
    assert captioner.calls == 1


def test_a_file_that_is_not_a_database_is_named(tmp_path):
    make_state_folder(tmp_path)
    (tmp_path / TAG_PROBABILITIES).write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(DatasetError, match=r"probabilities\.sqlite cannot be used .*another run of the tagger"):
        ProbabilityStore(tmp_path)
