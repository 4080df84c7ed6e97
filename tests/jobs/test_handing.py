"""A secret reaches a job's process, as often as that begins again, and is in no file."""

import os
import subprocess
import sys

import pytest

from lorasmith.errors import InputError
from lorasmith.jobs import handing
from lorasmith.jobs.handing import discard, offer, take
from tests.as_windows import needs_posix

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")

SECRET = "token=civ1tai-very-s3cret"


@needs_posix
def test_another_process_takes_it_again_and_again(tmp_path):
    name = offer(tmp_path / "handed", SECRET)
    program = (
        f"from pathlib import Path; from lorasmith.jobs.handing import take; print(take(Path({str(tmp_path / 'handed')!r}), {name!r}))"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == SECRET
    assert SECRET not in name
    assert [file.stat().st_size for file in (tmp_path / "handed").iterdir()] == [0]
    assert (tmp_path / "handed" / name).stat().st_mode & 0o777 == 0o600
    discard(tmp_path / "handed", name)
    with pytest.raises(InputError, match="not known any more"):
        take(tmp_path / "handed", name)


def test_what_nobody_offers_any_more_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(handing, "PATIENCE", 0.2)
    os.mkfifo(tmp_path / "old")
    for name in ("old", "gone"):
        with pytest.raises(InputError) as refused:
            take(tmp_path, name)
        assert refused.value.code == "download.secret"
