"""A stream loses nothing and sends nothing twice, wherever its connection breaks and however often."""

import json
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lorasmith.errors import InputError
from lorasmith.studio import stream as room
from lorasmith.studio.stream import Sources, Streams, read_records


class World:
    """Runs and jobs that a stream listens to."""

    def __init__(self, folder):
        self.folder, self.jobs, self.versions, self.summaries = Path(folder), {}, {"mimi": "1"}, {}
        for run in ("a", "b"):
            (self.folder / run).mkdir()

    def events_of(self, run):
        if not (self.folder / run).is_dir():
            raise InputError("There is no such run.", code="run.not_found")
        return self.folder / run / "events.jsonl"

    def version_of(self, project):
        if project not in self.versions:
            raise InputError("There is no such project.", code="project.not_found")
        return self.versions[project]

    def append(self, run, text):
        with self.events_of(run).open("a", encoding="utf-8") as file:
            file.write(text)

    @property
    def sources(self):
        return Sources(self.events_of, lambda: dict(self.jobs), self.version_of, lambda: dict(self.summaries))


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Browser:
    """Listens, and remembers what arrived; its connection may break at any message."""

    def __init__(self, streams, watch):
        self.streams, self.watch, self.arrived, self.last = streams, watch, [], None
        self.connect()

    def connect(self):
        self.stream, self.after = self.streams.open(self.last, self.watch)

    def listen(self, most=None):
        """One round of the server's loop, of which only the first `most` messages arrive before the connection breaks."""
        self.stream.collect()
        messages = self.stream.after(self.after)
        for message in messages if most is None else messages[:most]:
            assert message.encoded().endswith("\n\n")
            self.arrived.append(message)
            self.after = self.last = message.id
        if most is not None:
            self.connect()

    def of_run(self, run):
        return [
            event
            for message in self.arrived
            if message.data.get("run") == run and "events" in message.data
            for event in message.data["events"]
        ]


actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from("ab"), st.integers(1, 5)), st.tuples(st.just("half"), st.sampled_from("ab"), st.just(0)),
        st.tuples(st.just("job"), st.sampled_from("xy"), st.integers(0, 9)), st.tuples(st.just("listen"), st.just(""), st.just(0)),
        st.tuples(st.just("break"), st.just(""), st.integers(0, 3)),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=60)
@given(actions)
def test_nothing_is_lost_and_nothing_comes_twice(todo):
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        browser = Browser(Streams(world.sources), ["run:a@0", "run:b@0"])
        browser.listen()
        written, halves, states = {"a": [], "b": []}, {"a": "", "b": ""}, {}
        for what, who, number in todo:
            match what:
                case "append":
                    for _ in range(number):
                        count = len(written[who])
                        written[who].append({"event": "StepDone", "step": count})
                        line = json.dumps(written[who][-1]) + "\n"
                        world.append(who, line[len(halves[who]) :])
                        halves[who] = ""
                case "half" if not halves[who]:
                    halves[who] = json.dumps({"event": "StepDone", "step": len(written[who])})[:9]
                    world.append(who, halves[who])
                case "job":
                    world.jobs[who] = {"id": who, "step": number}
                    states.setdefault(who, []).append(number)
                case "listen":
                    browser.listen()
                case "break":
                    browser.listen(number)
        browser.listen()
        for run in "ab":
            assert browser.of_run(run) == written[run]
            places = [(m.data["from"], m.data["to"]) for m in browser.arrived if m.data.get("run") == run]
            assert all(end == begin for (_, end), (begin, _) in pairwise(places)), "each begins where the last one ended"
        for job, last in world.jobs.items():
            told = [message.data for message in browser.arrived if message.topic == "job" and message.data["id"] == job]
            assert told[-1:] == [last]
        numbers = [int(message.id.partition(".")[2]) for message in browser.arrived]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_first_message_names_the_stream(world):
    browser = Browser(Streams(world.sources), [])
    browser.listen()
    assert (browser.arrived[0].topic, browser.arrived[0].data) == ("hello", {"stream": browser.stream.id})


def test_who_comes_back_to_a_studio_that_was_started_anew_is_told_to_look_again(world):
    browser = Browser(Streams(world.sources), ["run:a@0"])
    browser.listen()
    browser.streams = Streams(world.sources)
    browser.connect()
    browser.listen()
    assert browser.arrived[-1].topic == "reset"
    world.append("a", '{"event": "x"}\n')
    browser.listen()
    assert browser.of_run("a") == [{"event": "x"}], "what was watched is watched again"


def test_who_comes_back_too_late_is_told_to_look_again(world, monkeypatch):
    monkeypatch.setattr(room, "KEPT_FOR", -1.0)
    browser = Browser(Streams(world.sources), [])
    browser.listen(1)
    browser.listen()
    assert [message.topic for message in browser.arrived] == ["hello", "reset"]


def test_who_missed_more_than_is_kept_is_told_to_look_again(world):
    browser = Browser(Streams(world.sources), [])
    browser.listen()
    stream = browser.stream
    for number in range(room.KEPT + 1):
        world.jobs[1] = {"id": 1, "step": number}
        stream.collect()
    browser.connect()
    browser.listen()
    assert browser.arrived[-1].topic == "reset"


def test_an_old_connection_beside_the_new_one_takes_nothing_from_it(world):
    browser = Browser(Streams(world.sources), ["run:a@0"])
    browser.listen()
    old = browser.stream
    browser.connect()
    world.append("a", '{"event": "x"}\n')
    old.collect()  # the server has not seen yet that the old connection is gone
    browser.listen()
    assert browser.of_run("a") == [{"event": "x"}]


def test_a_run_is_watched_from_now_or_from_where_the_page_is(world):
    world.append("a", '{"event": "before"}\n')
    browser = Browser(Streams(world.sources), ["run:a"])
    browser.stream.watch(["run:a", "run:b"])
    world.append("a", '{"event": "after"}\n')
    browser.listen()
    assert browser.of_run("a") == [{"event": "after"}]
    browser.stream.watch(["run:a@0"])
    browser.listen()
    assert [event["event"] for event in browser.of_run("a")] == ["after", "before", "after"]
    browser.stream.watch([])
    world.append("a", '{"event": "unwatched"}\n')
    browser.listen()
    assert len(browser.of_run("a")) == 3


@pytest.mark.parametrize("topic", ["run:", "jobs", "run:a@x", "run:a@-1", ""])
def test_what_is_no_topic_is_refused_and_what_was_watched_stays(world, topic):
    browser = Browser(Streams(world.sources), ["run:a@0"])
    with pytest.raises(InputError):
        browser.stream.watch([topic])
    world.append("a", '{"event": "x"}\n')
    browser.listen()
    assert len(browser.of_run("a")) == 1


def test_a_tab_whose_project_or_run_is_gone_keeps_no_other_tab_from_hearing(world):
    browser = Browser(Streams(world.sources), [])
    browser.listen()
    browser.stream.watch(["dataset:gone@1", "run:gone@7", "run:../../etc", "run:a@0", "dataset:mimi@1"])
    world.append("a", '{"event": "x"}\n')
    world.versions["mimi"] = "2"
    browser.listen()
    told = [message.data for message in browser.arrived[1:]]
    assert told[:3] == [{"project": "gone", "gone": True}, {"run": "gone", "gone": True}, {"run": "../../etc", "gone": True}]
    assert len(browser.of_run("a")) == 1
    assert told[-1] == {"project": "mimi", "version": "2"}


def test_a_run_that_was_moved_and_a_project_that_was_archived_are_gone(world):
    browser = Browser(Streams(world.sources), ["run:a@0", "dataset:mimi"])
    browser.listen()
    world.versions["mimi"] = "2"
    browser.listen()
    del world.versions["mimi"]
    (world.folder / "a").rename(world.folder / "c")
    browser.listen()
    assert [message.data for message in browser.arrived[1:]] == [
        {"project": "mimi", "version": "2"}, {"run": "a", "gone": True}, {"project": "mimi", "gone": True}
    ]  # fmt: skip


def test_a_job_that_changes_as_soon_as_the_stream_is_open_is_told(world):
    world.jobs[1] = {"id": 1, "dismissed": False}
    browser = Browser(Streams(world.sources), [])
    world.jobs[1] = {"id": 1, "dismissed": True}
    browser.listen()
    assert [message.data for message in browser.arrived[1:]] == [{"id": 1, "dismissed": True}]


def test_a_dataset_is_watched_from_the_version_that_the_page_shows(world):
    browser = Browser(Streams(world.sources), [])
    world.versions["mimi"] = "2"
    browser.stream.watch(["dataset:mimi@1"])
    browser.listen()
    told = [{"project": "mimi", "version": "2"}]
    assert [message.data for message in browser.arrived[1:]] == told, "it changed before it was watched"
    browser.stream.watch(["dataset:mimi@2"])
    browser.listen()
    assert [message.data for message in browser.arrived[1:]] == told


@pytest.mark.parametrize("topics", [["dataset:mimi@2"], ["dataset:mimi@1", "dataset:mimi@2"], ["dataset:mimi@2", "dataset:mimi@1"]])
def test_a_page_that_is_ahead_takes_no_change_from_the_other_tabs(world, topics):
    browser = Browser(Streams(world.sources), ["dataset:mimi@1"])
    world.versions["mimi"] = "2"
    browser.stream.watch(topics)  # of all tabs: one of them made the change and has looked again
    browser.listen()
    assert [message.data for message in browser.arrived[1:]] == [{"project": "mimi", "version": "2"}]


def test_of_a_run_that_nobody_watches_there_is_a_summary(world):
    browser = Browser(Streams(world.sources), ["run:a@0"])
    world.summaries = {"a": {"step": 1}, "b": {"step": 1}}
    browser.listen()
    world.summaries = {"b": {"step": 2}}
    browser.listen()
    browser.listen()
    world.summaries = {}
    browser.listen()
    assert [message.data for message in browser.arrived[1:]] == [{"run": "b", "summary": s} for s in ({"step": 1}, {"step": 2}, None)]


def test_records_are_whole_lines_without_secrets_and_without_what_browsers_cannot_read(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(
        '{"loss": NaN}\n{"torn": \n[1]\n{"token": "hf_abcdefghijklmnopqrstuvwxyz", "text": "</script>"}\n{"half": ', encoding="utf-8"
    )
    records, end = read_records(path, 0)
    assert records == [{"loss": None}, {"token": "(not shown)", "text": "</script>"}]
    assert path.read_bytes()[end:] == b'{"half": '
    assert read_records(path, end) == ([], end)
    assert read_records(tmp_path / "gone", 7) == ([], 7)


def test_a_line_that_is_longer_than_a_message_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MOST_READ", 4)
    (tmp_path / "events.jsonl").write_text('{"text": "a long line"}\n{"x": 1}\n', encoding="utf-8")
    first, end = read_records(tmp_path / "events.jsonl", 0)
    assert first == [{"text": "a long line"}]
    assert read_records(tmp_path / "events.jsonl", end)[0] == [{"x": 1}]
