"""What surrounds a release says the same as the package: versions, extras, files, commands."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tree_of(path):
    return yaml.safe_load((ROOT / path).read_text())


def test_the_citation_names_the_version_and_the_licence_of_the_package():
    citation = tree_of("CITATION.cff")

    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_the_hosts_workflow_runs_what_continuous_integration_runs_here():
    job = tree_of(".github/workflows/ci.yml")["jobs"]["ci"]

    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
    assert job["container"].startswith(f"python:{PROJECT['requires-python'].removeprefix('>=')}-")


@pytest.mark.parametrize("form", sorted(path.name for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"))
def test_a_form_for_issues_has_what_the_host_asks_for(form):
    tree = tree_of(f".github/ISSUE_TEMPLATE/{form}")

    assert tree["name"]
    assert tree["description"]
    assert all(field["attributes"]["label"] for field in tree["body"])
    assert len({field["id"] for field in tree["body"]}) == len(tree["body"])


def test_the_images_file_copies_what_is_there_and_asks_for_extras_that_exist():
    text = (ROOT / "deploy/Dockerfile").read_text()

    copied = [name for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for name in line.split()]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    (extras,) = re.findall(r'"\.\[(.+?)\]"', text)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    let_in = {line[1:] for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_in


def test_a_conda_environment_has_a_python_that_the_package_takes_and_the_tested_versions():
    dependencies = tree_of("environment.yml")["dependencies"]

    assert f"python={PROJECT['requires-python'].removeprefix('>=')}" in dependencies
    assert dependencies[-1]["pip"] == ["-r requirements.lock", "-e ."]


def test_the_guide_lists_every_extra_and_none_that_does_not_exist():
    text = (ROOT / "docs/guide/install.md").read_text()
    table = text.partition("## What can be added")[2].partition("## ")[0]

    assert set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)) == set(PROJECT["optional-dependencies"]) - {"dev"}


def test_all_means_extras_that_exist():
    (everything,) = PROJECT["optional-dependencies"]["all"]

    assert set(re.findall(r"\[(.+)\]", everything)[0].split(",")) <= set(PROJECT["optional-dependencies"])
