"""A run that is kept in a store as well: what is sent when, and how another machine continues it."""

import os
import shutil
import signal
import threading

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from lorasmith import stores
from lorasmith.errors import SettingsError
from lorasmith.stores import Place
from lorasmith.training import events
from lorasmith.training.records.event_log import read_events
from lorasmith.training.records.mirror import Mirror, begin_mirror, bring_run, is_run, mirror_of, send_rest
from lorasmith.training.run import resume, train
from lorasmith.training.settings.places import with_place
from tests.training.torture import made


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder where commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def url(here):
    """Of a run that nothing is at yet."""
    return f"memory://bucket/{here.name}/anna"


@pytest.fixture
def run(here, url):
    """The folder of a run that is kept in a store, after five steps; made up, but for its files' names."""
    folder = here / "runs" / "anna"
    for name in ("checkpoints/anna-000001.safetensors", "samples/1.png", "state/step-00000005.pt", "state/.lock", "commands/stop",
                 "samples/.2.png.1.1.part", "events.jsonl", "manifest.json", "settings.toml"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} of step 5")
    begin_mirror(folder, url)
    return folder


KEPT = ["checkpoints/anna-000001.safetensors", "events.jsonl", "manifest.json", "samples/1.png", "settings.toml", "state/step-00000005.pt"]


def saved(folder, step):
    """What a run does when it saves its state: the last two stay."""
    (folder / "state" / f"step-{step:08d}.pt").write_text(f"state of step {step}")
    for old in sorted((folder / "state").glob("step-*.pt"))[:-2]:
        old.unlink()
    return events.StateSaved(step)


def nothing(finding):
    """For a store that takes everything."""
    pytest.fail(str(finding))


def said(warnings):
    return [(finding.code, str(finding)) for finding in warnings]


# -- sending ----------------------------------------------------------------------------------------------------------


def test_everything_that_explains_a_run_is_sent_and_the_state_last(run, url, monkeypatch):
    sent = []
    send = Place.send
    monkeypatch.setattr(Place, "send", lambda self, name, content: (send(self, name, content), sent.append(name)))
    send_rest(run)
    assert sorted(Place.at(url).entries()) == KEPT
    assert sent[-1] == "state/step-00000005.pt"
    sent.clear()
    (run / "events.jsonl").write_text("one more event")
    send_rest(run)
    assert sent == ["events.jsonl"]


def test_a_run_that_has_saved_nothing_is_not_sent(run, url):
    (run / "checkpoints" / "anna-000001.safetensors").unlink()
    (run / "state" / "step-00000005.pt").unlink()
    send_rest(run)
    assert Place.at(url).entries() == {}


def test_the_last_two_states_stay_in_the_store(run, url):
    listener = Mirror(run, url, nothing)
    for step in (6, 7, 8):
        listener(saved(run, step))
        with listener._sender.busy:
            listener._sender.send_all()
    listener.close()
    assert [name for name in Place.at(url).entries() if name.startswith("state/")] == ["state/step-00000007.pt", "state/step-00000008.pt"]
    assert not (run / ".mirror").exists()


def test_a_state_that_the_run_has_deleted_meanwhile_is_sent_all_the_same(run, url, monkeypatch):
    """The store is so slow that the run saves three more states while it takes one."""
    begun, go_on = threading.Event(), threading.Event()
    send, done = Place.send, []

    def slow(self, name, content):
        if name == "state/step-00000006.pt":
            begun.set()
            assert go_on.wait(30)
        send(self, name, content)
        done.append(name)

    monkeypatch.setattr(Place, "send", slow)
    listener = Mirror(run, url, nothing)
    listener(saved(run, 6))
    assert begun.wait(30)
    for step in (7, 8, 9):
        listener(saved(run, step))
    assert not (run / "state" / "step-00000006.pt").exists()
    go_on.set()
    listener.close()
    assert [name for name in done if name.startswith("state/")] == ["state/step-00000006.pt", "state/step-00000009.pt"]
    assert Place.at(url).read("state/step-00000009.pt") == b"state of step 9"


def test_a_state_that_a_killed_process_left_aside_does_not_replace_a_newer_one(run, url):
    (run / ".mirror").mkdir()
    (run / ".mirror" / "step-00000003.pt").write_text("older")
    saved(run, 6)
    send_rest(run)
    assert [name for name in Place.at(url).entries() if name.startswith("state/")] == ["state/step-00000006.pt"]


def test_what_the_store_has_lost_is_sent_again(run, url):
    send_rest(run)
    Place.at(url).remove("manifest.json")
    send_rest(run)
    assert sorted(Place.at(url).entries()) == KEPT


def test_the_last_lora_of_a_run_that_goes_on_has_one_name_in_the_store(run, url):
    (run / "checkpoints" / "anna.safetensors").write_text("the last one")
    send_rest(run)
    (run / "checkpoints" / "anna.safetensors").rename(run / "checkpoints" / "anna-000002.safetensors")
    send_rest(run)
    names = [name for name in Place.at(url).entries() if name.startswith("checkpoints/")]
    assert names == ["checkpoints/anna-000001.safetensors", "checkpoints/anna-000002.safetensors"]


def test_a_store_that_is_away_is_reported_once_and_again_when_it_is_back(run, url, monkeypatch):
    monkeypatch.setattr(stores, "PAUSES", ())
    away, warnings = [True], []
    pipe_file = MemoryFileSystem.pipe_file

    def maybe(*given):
        if away:
            raise ConnectionError("no route to host")
        pipe_file(*given)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", maybe)
    listener = Mirror(run, url, warnings.append)

    def after(event):
        listener(event)
        while listener._wake.is_set() or listener._sender.busy.locked():
            threading.Event().wait(0.005)

    for step in (6, 7):
        after(saved(run, step))
    away.clear()
    after(saved(run, 8))
    listener.close()
    assert said(warnings) == [
        (
            "run.not_mirrored",
            f"Not everything of the run is in {url}: {url} could not be reached (no route to host). Try again. It is tried again after the next save.",
        ),
        ("run.mirrored_again", f"All that the run has saved is in {url} again."),
    ]


# -- bringing ---------------------------------------------------------------------------------------------------------


def test_a_run_is_brought_whole_and_needs_not_be_sent_again(run, url, monkeypatch):
    send_rest(run)
    before = {name: (run / name).read_bytes() for name in KEPT}
    shutil.rmtree(run)
    assert bring_run(url).resolve() == run
    assert {name: (run / name).read_bytes() for name in KEPT} == before
    assert mirror_of(run) == url
    monkeypatch.setattr(Place, "send", lambda self, name, content: pytest.fail(f"{name} is sent"))
    send_rest(run)


def test_a_run_that_is_here_as_far_is_not_brought(run, url):
    send_rest(run)
    (run / "events.jsonl").write_text("newer")
    bring_run(url)
    assert (run / "events.jsonl").read_text() == "newer"


def test_a_run_that_another_machine_has_continued_is_brought_and_the_one_here_kept(run, url):
    send_rest(run)
    Place.at(url).send("state/step-00000009.pt", b"of another machine")
    bring_run(url)
    assert (run / "state" / "step-00000009.pt").read_bytes() == b"of another machine"
    assert (run.parent / "anna-until-step-5" / "events.jsonl").exists()


def test_bringing_that_was_killed_begins_again(run, url):
    send_rest(run)
    shutil.rmtree(run)
    left = run.with_name(".anna.part")
    left.mkdir()
    (left / "events.jsonl").write_text("half an")
    (left / "settings.toml").write_text("some of an earlier try")
    bring_run(url)
    assert sorted(path.name for path in run.parent.iterdir()) == ["anna"]
    assert (run / "events.jsonl").read_text() == "events.jsonl of step 5"


def test_where_another_run_is_in_the_way_that_is_said(run, url):
    send_rest(run)
    (run / "mirror.json").unlink()
    with pytest.raises(SettingsError, match="holds something else. Run the command in another folder."):
        bring_run(url)


def test_what_is_no_run_is_said(here):
    with pytest.raises(SettingsError, match=r"There is no run at memory://bucket/nothing \(it has no settings.toml\)."):
        bring_run("memory://bucket/nothing")


def test_whether_there_is_a_run(run, url):
    assert is_run(run)
    assert is_run(url)  # killed before it was sent
    shutil.rmtree(run)
    assert not is_run(url)
    assert not is_run(run)


# -- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(settings_with_cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    settings = settings_with_cache(folder / "cache", samples={"prompts": ["zorvex"], "steps": 1})
    train(settings, folder / "run")
    return settings, made(folder / "run")


@pytest.fixture
def settings_in_a_store(uninterrupted, s3, here):
    """The same settings with base and pictures in a store."""
    settings, _ = uninterrupted
    places = {"base.path": settings.base.path, "datasets.0.path": settings.datasets[0].path}
    for name, folder in places.items():
        url = f"s3://bucket/{here.name}/{folder.name}"
        for path in folder.rglob("*"):
            if path.is_file():
                Place.at(url).send(path.relative_to(folder).as_posix(), path)
        settings = with_place(settings, name, url)
    return settings


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child that is killed is forked")
def test_a_machine_that_dies_is_replaced_by_another_and_the_lora_is_the_same(uninterrupted, settings_in_a_store, here, monkeypatch):
    settings, wanted = settings_in_a_store, uninterrupted[1]
    monkeypatch.setenv("LORASMITH_CACHE", str(here / "cache-of-one"))
    url = f"s3://bucket/{here.name}/toy"

    def die_when_the_first_state_is_in_the_store(event):
        if isinstance(event, events.StepDone) and event.step > 3:
            while not any(name.startswith("state/") for name in Place.at(url).entries()):
                threading.Event().wait(0.005)
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            train(settings, url, [die_when_the_first_state_is_in_the_store])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    shutil.rmtree(here / "runs")
    (here / "another-machine").mkdir()
    monkeypatch.chdir(here / "another-machine")
    monkeypatch.setenv("LORASMITH_CACHE", str(here / "cache-of-another"))
    result = resume(url)
    assert result.finished
    assert made(result.folder) == wanted
    resumed = [event for _, event in read_events(result.folder / "events.jsonl").events if isinstance(event, events.Resumed)]
    assert [event.step for event in resumed] == [3]
    there = Place.at(url)
    assert {name: there.read(name) for name in wanted} == wanted
    with pytest.raises(
        SettingsError, match=f"{url} is not empty. Give another --out, or continue the run in it with: lorasmith resume {url}"
    ):
        train(settings, url)


def test_a_run_ends_though_its_store_is_away(uninterrupted, url, monkeypatch):
    settings, wanted = uninterrupted
    monkeypatch.setattr(stores, "PAUSES", ())

    def away(*given):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", away)
    result = train(settings, url)
    assert result.finished
    assert made(result.folder) == wanted
    warned = [event.message for _, event in read_events(result.folder / "events.jsonl").events if isinstance(event, events.Warned)]
    assert f"Send the rest with: lorasmith resume {result.folder}" in warned[-1]
