"""Projects are folders: made, changed, moved and archived without losing anything."""

import pytest

from lorasmith.dataset_folder import locked
from lorasmith.errors import DatasetError, InputError, SettingsError
from lorasmith.jobs.lock import take_lock
from lorasmith.jobs.queue import Queue
from lorasmith.jobs.sweep.sweep_folder import LOCK
from lorasmith.projects.project import Project
from lorasmith.projects.projects import Projects
from lorasmith.projects.standing import standing_of
from lorasmith.training.records.run_folder import RunFolder


@pytest.fixture
def projects(tmp_path):
    return Projects(tmp_path)


def test_a_project_is_a_folder_named_after_it(projects, tmp_path):
    mimi = projects.make(Project(name="Mimi the Cat"))
    assert mimi.id == "mimi_the_cat"
    assert mimi.root == tmp_path / "projects" / "mimi_the_cat"
    assert mimi.dataset.is_dir()
    assert mimi.read().kind == "character"
    assert projects["mimi_the_cat"].read() == mimi.read()


@pytest.mark.parametrize("name", ["猫", "é", "../../evil", "CON", "a/b", "x" * 200, "-- rm"])
def test_any_name_makes_a_folder_below_the_projects(projects, name):
    made = projects.make(Project(name=name))
    assert made.root.parent == projects.folder
    assert made.read().name == name


def test_two_projects_of_one_name_are_two_folders(projects):
    assert [projects.make(Project(name=name)).id for name in ("Mimi", "mimi", "MIMI")] == ["mimi", "mimi_2", "mimi_3"]


@pytest.mark.parametrize("id", ["", ".", "..", "../other", "mimi/", "nul", "no such"])
def test_what_is_no_project_is_not_found(projects, id):
    projects.make(Project(name="Mimi"))
    with pytest.raises(InputError) as refused:
        projects[id]
    assert refused.value.code == "project.not_found"


def test_a_change_keeps_the_rest_and_refuses_what_is_none(projects):
    mimi = projects.make(Project(name="Mimi", trigger="mimi"))
    projects.change("mimi", {"kind": "style"})
    assert (mimi.read().kind, mimi.read().trigger) == ("style", "mimi")
    with pytest.raises(SettingsError) as refused:
        projects.change("mimi", {"kind": "charcter"})
    assert refused.value.values["setting"] == "kind"


def test_a_change_of_what_has_changed_since_is_refused(projects):
    version = projects.make(Project(name="Mimi")).version
    projects.change("mimi", {"trigger": "mimi"}, version)
    for change in (lambda: projects.change("mimi", {"trigger": "other"}, version), lambda: projects.archive("mimi", version)):
        with pytest.raises(InputError) as refused:
            change()
        assert refused.value.code == "project.changed"
    assert projects["mimi"].read().trigger == "mimi"


def test_a_moved_project_has_everything_with_it(projects):
    mimi = projects.make(Project(name="Mimi"))
    (mimi.dataset / "cat.png").write_bytes(b"x")
    moved = projects.move("mimi", "cat")
    assert (moved.dataset / "cat.png").is_file()
    assert moved.read().name == "Mimi"
    assert [project.id for project in projects] == ["cat"]


def test_a_project_moves_to_no_name_that_is_taken_or_none(projects):
    projects.make(Project(name="Mimi"))
    projects.make(Project(name="Cat"))
    for name, code in (("cat", "project.exists"), ("CAT", "project.exists"), ("../x", "project.name"), ("", "project.name")):
        with pytest.raises(InputError) as refused:
            projects.move("mimi", name)
        assert refused.value.code == code
    assert projects.move("mimi", "Mimi").id == "Mimi", "another spelling of its own name"


def test_an_archived_project_comes_back_whole(projects):
    mimi = projects.make(Project(name="Mimi"))
    (mimi.dataset / "cat.png").write_bytes(b"x")
    name = projects.archive("mimi")
    assert list(projects) == []
    assert [one.id for one in projects.archived] == [name]
    projects.make(Project(name="Mimi"))
    back = projects.restore(name)
    assert back.id == "mimi_2"
    assert (back.dataset / "cat.png").is_file()


def test_a_project_in_which_something_works_stays_where_it_is(projects):
    mimi = projects.make(Project(name="Mimi"))
    with RunFolder(mimi.runs / "first").in_use(), pytest.raises(InputError) as refused:
        projects.move("mimi", "cat")
    assert refused.value.code == "project.in_use"
    trial = RunFolder(mimi.runs / "rates" / "trial-1")
    with trial.in_use(), pytest.raises(InputError, match="The run rates/trial-1 is going on"):
        projects.archive("mimi")
    with trial.being_judged(), pytest.raises(InputError, match="The run rates/trial-1 is going on"):
        projects.archive("mimi")
    lock = take_lock(mimi.runs / "rates" / LOCK)
    assert lock is not None
    with pytest.raises(InputError, match="The sweep rates is going on"):
        projects.archive("mimi")
    lock.release()
    with locked(mimi.dataset), pytest.raises(DatasetError) as busy:
        projects.archive("mimi")
    assert busy.value.code == "dataset.locked"
    assert projects["mimi"].root.is_dir()


@pytest.mark.parametrize(
    ("arguments", "project"),
    [
        ({"dataset": "projects/mimi/dataset"}, "mimi"),
        ({"dataset": "projects/mimi/dataset"}, ""),  # from the command line
        ({"settings": {"datasets": [{"path": "projects/other/../mimi/dataset"}]}}, ""),
    ],
)
def test_a_project_that_waiting_jobs_need_stays_until_they_are_cancelled(projects, tmp_path, arguments, project):
    projects.make(Project(name="Mimi"))
    projects.make(Project(name="Mimi the Cat"))
    with Queue(tmp_path) as queue:
        waiting = queue.add("audit", arguments, "cpu", project)
        paused = queue.add("tag", arguments, "cpu", project)
        queue.request(paused.id, "pause")
        for change in (lambda: projects.archive("mimi"), lambda: projects.move("mimi", "cat")):
            with pytest.raises(
                InputError, match=r"Job 1 \(audit\), Job 2 \(tag\) in the queue need 'mimi' where it is\. Cancel them"
            ) as refused:
                change()
            assert refused.value.code == "project.jobs"
        assert projects.archive("mimi_the_cat"), "another project"
        queue.request(paused.id, "cancel")
        assert queue.claim("cpu", "cpu").id == waiting.id
        with pytest.raises(InputError, match=r"Job 1 \(audit\) in the queue needs"):
            projects.archive("mimi")
        queue.end(waiting.id, "done")
    assert projects.archive("mimi")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('name = "x', "project.damaged"),
        ('name = "x"\nkindd = "style"', "project.damaged"),
        ('version = 9\nname = "x"', "project.newer_version"),
        ("\xff", "project.damaged"),
    ],
)
def test_a_damaged_file_is_named_and_the_others_are_still_listed(projects, text, code):
    mimi, cat = projects.make(Project(name="Mimi")), projects.make(Project(name="Cat"))
    mimi.file.write_text(text, encoding="latin-1")
    with pytest.raises(InputError) as refused:
        mimi.read()
    assert refused.value.code == code
    assert str(mimi.file) in str(refused.value)
    assert [one.id for one in projects] == ["cat", "mimi"]
    assert cat.read().name == "Cat"


def test_how_far_a_project_has_come_follows_from_its_folders(projects):
    mimi = projects.make(Project(name="Mimi"))
    assert standing_of(mimi).stage == "pictures"
    (mimi.dataset / "cat.png").write_bytes(b"x")
    (mimi.dataset / "regularisation").mkdir()
    (mimi.dataset / "regularisation" / "dog.png").write_bytes(b"x")
    assert (standing_of(mimi).stage, standing_of(mimi).pictures) == ("captions", 1)
    (mimi.dataset / "cat.txt").write_text("mimi", encoding="utf-8")
    assert (standing_of(mimi).stage, standing_of(mimi).captioned) == ("train", 1)
    run = RunFolder(mimi.runs / "first")
    run.checkpoints.mkdir(parents=True)
    run.settings.write_text("", encoding="utf-8")
    with run.in_use():
        assert (standing_of(mimi).stage, standing_of(mimi).running) == ("running", "first")
    (run.checkpoints / "mimi.safetensors").write_bytes(b"x")
    assert standing_of(mimi).stage == "prove"
    (run.root / "proof").mkdir()
    (run.root / "proof" / "proof.json").write_text("{}", encoding="utf-8")
    assert standing_of(mimi).stage == "proven"


def test_the_trials_of_a_sweep_are_runs_of_their_project(projects):
    mimi = projects.make(Project(name="Mimi"))
    (mimi.dataset / "cat.png").write_bytes(b"x")
    (mimi.dataset / "cat.txt").write_text("mimi", encoding="utf-8")
    trial = RunFolder(mimi.runs / "rates" / "trial-1")
    trial.checkpoints.mkdir(parents=True)
    trial.settings.write_text("", encoding="utf-8")
    with trial.in_use():
        assert (standing_of(mimi).stage, standing_of(mimi).running) == ("running", "rates~trial-1")
    (trial.checkpoints / "mimi.safetensors").write_bytes(b"x")
    assert (standing_of(mimi).stage, standing_of(mimi).runs) == ("prove", 1)


def test_the_paths_of_a_project_may_be_as_long_as_systems_allow(projects):
    base = "/models/" + "a folder with a long name/" * 20 + "base.safetensors"
    mimi = projects.make(Project(name="Mimi", base=base))
    assert mimi.read().base == base
    assert projects.change("mimi", {"base": f"{base}2", "dataset": base}).read().dataset == base
