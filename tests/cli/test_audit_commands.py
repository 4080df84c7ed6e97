"""The audit as a user types it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from lorasmith.cli import audit as verbs
from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.world import random_scene
from lorasmith.errors import DatasetError, InputError
from lorasmith.findings import Finding
from lorasmith.jobs import auditing
from tests.photographs import make_pile, photograph

app = typer.Typer()
app.command("audit")(verbs.audit)
app.add_typer(verbs.bench, name="bench")


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def pile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_pile(tmp_path / "pile")
    (tmp_path / "pile" / "film.mp4").write_bytes(b"x")
    return tmp_path / "pile"


def test_an_audit_names_pictures_faults_and_what_mends_them(pile, tmp_path):
    said = run("audit", pile, "--resolution", 300, "--html", tmp_path / "page.html", code=3).stdout
    assert said.startswith("14 pictures in ")
    assert "not looked at, for their names: 1 file (film.mp4)" in said
    assert "error: The picture cannot be read.\n" in said
    assert "  in text.png\n" in said
    assert "[mend: flatten]" in said
    assert f"wrote {tmp_path / 'page.html'}" in said
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    again = run("audit", pile, "--resolution", 300, "--all", code=3).stdout
    assert "12 of them known from before" in again
    assert again.count("error: The picture cannot be read.\n") == 2


def test_checks_are_switched_off_by_name_and_the_audit_says_which(pile):
    said = run("audit", pile, "--resolution", 300, "--without", "transparent", "--without", "near_duplicate", code=3).stdout
    assert "2 checks are off: near_duplicate, transparent\n" in said
    assert "[mend: flatten]" not in said
    assert json.loads(run("audit", pile, "--without", "dark", "--json", code=3).stdout)["without"] == ["audit.dark"]
    with pytest.raises(InputError, match="'drak' is not a check of the audit; did you mean 'dark'\\?"):
        run("audit", pile, "--without", "drak")


def test_what_is_rare_is_listed_beside_much_that_is_alike(pile, monkeypatch):
    alike = [Finding("audit.grey", "error", "The picture is grey.", "picture", (f"{k}.png",)) for k in range(30)]
    rare = [Finding(f"audit.rare_{k}", "note", f"Rarity {k}.", "picture", ("text.png",)) for k in range(30)]
    monkeypatch.setattr(auditing, "audit", lambda *_, **__: replace(audit, findings=(*alike, *rare)))
    audit = audit_dataset(pile, resolution=300)
    said = run("audit", pile).stdout
    assert said.count("The picture is grey.") == 1
    assert all(f"note: Rarity {k}.\n" in said for k in range(30))
    assert run("audit", pile, "--all").stdout.count("The picture is grey.") == 30


def test_scripts_get_json(pile):
    said = json.loads(run("audit", pile, "--resolution", 300, "--json", code=3).stdout)
    assert said["counts"]["audit.unreadable"] == 2
    assert [path.rsplit("/", 1)[-1] for path in said["not_pictures"]] == ["film.mp4"]


def test_a_sound_set_ends_with_0(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sound").mkdir()
    draw_scene(random_scene(100), 256).save(tmp_path / "sound" / "creature.png")
    assert "score 100 of 100" in run("audit", "sound", "--resolution", 256).stdout


def test_bad_input_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        run("audit", "empty")
    with pytest.raises(InputError, match="resolution is 5"):
        run("audit", "empty", "--resolution", 5)


def test_ctrl_c_judges_what_was_seen_so_far(tmp_path):
    photograph("astronaut").resize((1200, 1200)).save(tmp_path / "000.jpg")
    for number in range(1, 80):
        (tmp_path / f"{number:03d}.jpg").write_bytes((tmp_path / "000.jpg").read_bytes() + bytes([number]))
    code = "import sys; sys.argv[0] = 'lorasmith'; from lorasmith.cli.main import main; main()"
    job = subprocess.Popen(
        [sys.executable, "-c", code, "audit", str(tmp_path), "--json", "--cache", str(tmp_path / "cache")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while not list((tmp_path / "cache").glob("pictures/*.sqlite")) and job.poll() is None:
        time.sleep(0.02)
    job.send_signal(signal.SIGINT)
    out, _ = job.communicate(timeout=300)
    assert job.returncode == 3
    said = json.loads(out)
    assert said["pictures"] >= 1
    assert said["pictures"] + said["not_looked_at"] == 80
    assert said["not_looked_at"] > 0


@pytest.mark.slow
def test_the_bench_prints_precision_and_recall_of_each_finding():
    rows = {row["kind"]: row for row in json.loads(run("bench", "audit", "--json").stdout)["scores"]}
    assert rows["near_duplicate"]["recall"] >= 0.98
    said = run("bench", "audit", "--pictures", "shipped", "--seed", 2).stdout
    assert said.startswith("finding ")
    assert "near_duplicate" in said
