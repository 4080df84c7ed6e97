"""The templates for machines, as far as that can be seen without any: they are read, and what they run exists."""

import json
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.main import get_command

from lorasmith.cli.main import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SCRIPTS = ("vast-template.sh", "slurm/train.sbatch")


AT_THE_START_OF_A_LINE = re.compile(r"^\s*lorasmith (.+?)(?: [>&].*)?$", re.MULTILINE)
QUOTED = re.compile(r"[\"']lorasmith ([^\"'>&]+)")


def commands_in(text):
    """What follows `lorasmith` wherever a line or a quoted text begins with it, as words."""
    return [shlex.split(found) for pattern in (AT_THE_START_OF_A_LINE, QUOTED) for found in pattern.findall(text)]


def check_command(words):
    """Raises AssertionError where there is no such verb, or it has no such option."""
    command = get_command(app)
    while hasattr(command, "commands"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options, words


FILES = [path.relative_to(DEPLOY).as_posix() for path in sorted(DEPLOY.rglob("*")) if path.is_file()]


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_one_of_ours_with_options_that_exist(name):
    for words in commands_in((DEPLOY / name).read_text()):
        check_command(words)


def test_the_search_for_commands_finds_them():
    found = [
        words[0]
        for name in ("skypilot.yaml", "slurm/train.sbatch", "vast-template.sh")
        for words in commands_in((DEPLOY / name).read_text())
    ]
    assert found == ["resume", "resume", "studio"]
    with pytest.raises(AssertionError):
        check_command(["resume", "runs/anna", "--or-else", "x"])


@pytest.mark.parametrize("name", FILES)
def test_extras_that_are_installed_exist(name):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for found in re.findall(r"pip install [^\n]*\[([a-z0-9,-]+)\]", (DEPLOY / name).read_text()):
        assert set(found.split(",")) <= set(extras)


def test_the_pods_template_starts_the_studio_on_the_port_that_it_opens():
    template = json.loads((DEPLOY / "runpod-template.json").read_text())
    check_command(template["dockerStartCmd"])
    port = template["dockerStartCmd"][template["dockerStartCmd"].index("--port") + 1]
    assert template["ports"] == [f"{port}/http"]
    assert all(place.startswith(template["volumeMountPath"]) for place in template["env"].values())


def test_the_spot_training_continues_or_begins_with_names_that_are_set():
    task = yaml.safe_load((DEPLOY / "skypilot.yaml").read_text())
    assert set(re.findall(r"\$([A-Z]+)", task["run"])) == set(task["envs"])
    assert task["resources"]["use_spot"]


def test_the_cluster_of_ray_fits_its_schema():
    ray = pytest.importorskip("ray")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    cluster = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]


@pytest.mark.skipif(os.name != "posix", reason="scripts of a shell")
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_parse(name):
    subprocess.run(["bash", "-n", DEPLOY / name], check=True)


STOPS_WHEN_ASKED = "trap 'echo saved >> said; exit 130' TERM; echo training >> said; kill -USR1 $PPID; while :; do sleep 0.02; done"
FINISHES = 'echo "$@" >> said'
FAILS = "exit 2"


@pytest.mark.skipif(os.name != "posix", reason="scripts of a shell")
@pytest.mark.parametrize(
    ("training", "code", "said"),
    [
        (STOPS_WHEN_ASKED, 130, ["training", "saved", "requeue 7"]),
        (FINISHES, 0, ["resume runs/anna --or-train anna.toml"]),
        (FAILS, 2, []),
    ],
    ids=["near the end of its time", "finished", "refused"],
)
def test_a_job_of_slurm_saves_near_the_end_of_its_time_and_is_queued_again(tmp_path, training, code, said):
    for program, script in {"lorasmith": training, "scontrol": 'echo "$@" >> said'}.items():
        (tmp_path / program).write_text(f"#!/usr/bin/env bash\n{script}\n")
        (tmp_path / program).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    job = subprocess.run(["bash", DEPLOY / "slurm/train.sbatch", "anna.toml", "runs/anna"], cwd=tmp_path, env=environment, timeout=60)
    assert job.returncode == code
    assert ((tmp_path / "said").read_text().splitlines() if (tmp_path / "said").exists() else []) == said
