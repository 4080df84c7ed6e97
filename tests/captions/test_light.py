"""Reading, editing and checking captions needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("torch", "diffusers", "transformers", "onnxruntime")

PROGRAM = f"""
import json, sys
from lorasmith.captions.advice.advise import advise
from lorasmith.captions.advice.checked import CheckedCaptions
from lorasmith.captions.collection import open_captions
from lorasmith.captions.edits.planning import plan_edit
from lorasmith.captions.edits.registry import edit_of
from lorasmith.captions.statistics import statistics_of
from lorasmith.captions.triggers import likely_triggers
from lorasmith.captions.vocabulary import Vocabulary

collection = open_captions(sys.argv[1])
plan_edit(collection, edit_of("add", tags=["zorvex"], front=True)).save()
checked = CheckedCaptions(collection.captions, triggers=likely_triggers(collection.captions.values()), vocabulary=Vocabulary({{}}))
advise(checked), statistics_of(collection.captions), collection.history.operations()
print(json.dumps([module for module in {HEAVY!r} if module in sys.modules]))
"""


def test_captions_are_read_edited_and_checked_without_torch(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "1.txt").write_text("hat, happy")
    result = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == []
    assert (tmp_path / "1.txt").read_text() == "zorvex, hat, happy"
