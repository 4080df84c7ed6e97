"""The stream of events over a real connection, and what can be said to it."""

import json
import subprocess
import sys
import threading
import urllib.request

import pytest

from lorasmith.training import events
from lorasmith.training.records.event_log import EventLog

from .test_runs import make_run


def test_a_stream_that_is_not_there_is_404_and_a_topic_that_is_none_is_refused(script):
    assert script.post("/api/events/gone", json={"watch": []}).status_code == 404
    assert script.get("/api/events", params={"watch": "jobs"}).status_code == 400
    assert script.post("/api/events/gone", json={}).status_code == 422


class Listener:
    """Reads a stream of a real server."""

    def __init__(self, address, token, path, last=None):
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
        self.answer = urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=300)

    def next(self):
        """(id, topic, data) of the next message."""
        fields = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])
            name, _, value = line.partition(": ")
            fields[name] = value


@pytest.fixture
def server(workspace):
    command = [sys.executable, "-m", "lorasmith", "studio", "--workspace", str(workspace), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stop = threading.Timer(300, process.kill)
    stop.start()
    try:
        yield process.stdout.readline().split()[-1].split("?token=")
    finally:
        process.terminate()
        process.wait(300)
        stop.cancel()


def test_a_page_that_comes_back_goes_on_where_its_connection_broke(server, workspace):
    address, token = server
    run = make_run(workspace / "runs" / "zorvex", happened=[])
    listener = Listener(address, token, "api/events?watch=run:zorvex@0")
    _, topic, hello = listener.next()
    assert topic == "hello"
    log = EventLog(run.events)
    log(events.EpochDone(1, 3, 0.5))
    id, topic, data = listener.next()
    assert (topic, data["run"], data["from"], data["to"]) == ("run", "zorvex", 0, run.events.stat().st_size)
    listener.answer.close()
    log(events.EpochDone(2, 6, 0.25))
    again = Listener(address, token, "api/events", last=id)
    _, _, data = again.next()
    assert [event["epoch"] for event in data["events"]] == [2]
    told = urllib.request.Request(
        f"{address}api/events/{hello['stream']}", json.dumps({"watch": []}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    assert json.load(urllib.request.urlopen(told)) == hello
    again.answer.close()
