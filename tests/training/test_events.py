"""What a run tells can be read back, also after a kill."""

from lorasmith.training.events import (
    CheckpointSaved,
    EventLog,
    Resumed,
    StepDone,
    Warned,
    read_events,
)


def _step(number):
    return StepDone(number, 1, 0.5, {"unet": 1e-4}, 0.1)


def _write(path, *told):
    log = EventLog(path)
    for event in told:
        log(event)
    log.close()


def test_events_come_back_as_they_were_told(tmp_path):
    told = [Warned("zwei\u2028Zeilen, \x85 und ein ä"), _step(1), CheckpointSaved("checkpoints/a.safetensors", 1, 1)]
    _write(tmp_path / "events.jsonl", *told)
    assert [e for _, e in read_events(tmp_path / "events.jsonl")] == told


def test_what_a_resume_took_back_is_left_out(tmp_path):
    _write(tmp_path / "events.jsonl", _step(1), _step(2), _step(3), Resumed(1), _step(2))
    assert [e for _, e in read_events(tmp_path / "events.jsonl")] == [_step(1), Resumed(1), _step(2)]


def test_a_line_torn_by_a_kill_spoils_neither_itself_nor_the_next(tmp_path):
    path = tmp_path / "events.jsonl"
    _write(path, _step(1), Warned("ä" * 20))
    path.write_bytes(path.read_bytes()[:-15])
    _write(path, _step(2))
    assert [e for _, e in read_events(path)] == [_step(1), _step(2)]
