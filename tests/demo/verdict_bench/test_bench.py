"""The bench as it is run, on two LoRAs of a few steps: trained, judged, looked at, scored; stopped, and gone on with."""

from __future__ import annotations

import json

from filelock import FileLock

from lorasmith.demo.verdict_bench.bench import BenchEffort, judge_runs
from lorasmith.demo.verdict_bench.recipes import BenchRun, RunKind
from lorasmith.demo.verdict_bench.score import scores
from lorasmith.demo.verdict_bench.truth import TruthEffort
from lorasmith.evaluation.prompts import Counts
from lorasmith.evaluation.proof.plan import EFFORTS, Effort

# Few pictures in few steps, but of every kind: these two LoRAs are told apart by any.
TINY = Effort("for tests", Counts(3, 2, 1, 1, 2), most_steps=3, most_drawn=1, loss_pictures=1)
SMALL = BenchEffort("tiny", (), TruthEffort(prompts=2, others=2, captions=1, steps=3))
RUNS = [
    BenchRun(
        RunKind("barely trained", True, ("character", "character"), 4, 1e-4, 5, batch_size=2, checkpoints=1), "character", "zorvex", 1, 0
    ),
    BenchRun(RunKind("burnt", True, ("character", "character"), 4, 0.1, 5, batch_size=2, checkpoints=1), "character", "mimblu", 1, 1),
]


def test_runs_are_trained_judged_and_looked_at_and_a_stopped_bench_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(EFFORTS, "tiny", TINY)
    said: list[str] = []
    stopped = judge_runs(RUNS, tmp_path, SMALL, said.append, lambda: any("truth" in words for words in said))
    assert stopped is None

    # Another process is at the first run, and leaves it when the second is being judged here.
    others = FileLock(tmp_path / f"{RUNS[0].name}.lock")
    others.acquire()

    def say(words: str) -> None:
        said.append(words)
        if words.startswith("2 of 2: judging"):
            others.release()

    judged = judge_runs(RUNS, tmp_path, SMALL, say, lambda: False)

    assert judged is not None
    assert [words[:6] for words in said[-6:]] == ["2 of 2"] * 3 + ["1 of 2"] * 3
    assert [len(run.truths) for run in judged] == [1, 1]
    assert sum(words == "1 of 2: training barely-trained-zorvex" for words in said) == 2  # the second time it is there already
    barely, burnt = judged
    assert barely.truths[-1].labels["under-cooked"]
    assert barely.verdict.checkpoints[-1].judged["over-cooked"].holds is not True
    assert burnt.truths[-1].labels["over-cooked"]
    assert burnt.verdict.checkpoints[-1].judged["over-cooked"].holds is True
    found = json.loads(json.dumps(scores(judged)))
    assert found["kept_apart"] == 2
    assert found["balanced_accuracy"]["over-cooked"] is not None
