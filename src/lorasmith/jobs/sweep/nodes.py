"""The nodes of a cluster before a sweep: which there are, and whether each of them sees the sweep's folder and has this Lorasmith."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lorasmith
from lorasmith.atomic import write_atomically
from lorasmith.errors import InputError
from lorasmith.jobs.sweep.sharing import Node

SEEN = ".seen"
"""A file in the sweep's folder with a word that each node is asked for."""
LOOK_WITHIN = 120.0
"""Seconds in which a node has to answer; it starts a process first."""
SHARED = "Put the sweep, its pictures and its base on a disk that every node has under the same path."


def nodes_of(ray: Any) -> list[Node]:
    """The nodes that can take work."""
    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    return [Node(node["NodeID"], node["NodeManagerAddress"], node["Resources"]["CPU"], node["Resources"].get("GPU", 0.0)) for node in alive]


def looked_at(ray: Any, sweep: Path | None = None) -> list[Node]:
    """The nodes that can take work, with the memory of their cards; each has looked at the sweep's folder where one is given.

    Raises:
        InputError: there is none (`cluster.no_nodes`), or one does not see the folder, or cannot run this Lorasmith (`cluster.node`).
    """
    nodes = nodes_of(ray)
    if not nodes:
        raise InputError("No node of the cluster has a CPU to give. Add one with: ray start --address=HEAD:6379", code="cluster.no_nodes")
    word = secrets.token_hex(8)
    if sweep is None:
        answers = _ask(ray, nodes, "")
        return [_checked(node, answer, None, "") for node, answer in zip(nodes, answers, strict=True)]
    write_atomically(sweep / SEEN, word.encode())
    try:
        answers = _ask(ray, nodes, str(sweep / SEEN))
    finally:
        (sweep / SEEN).unlink(missing_ok=True)
    return [_checked(node, answer, word, str(sweep)) for node, answer in zip(nodes, answers, strict=True)]


def _ask(ray: Any, nodes: Sequence[Node], file: str) -> list[Any]:
    """What each node answers; the exception where it does not."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asking = ray.remote(num_cpus=0, max_retries=0)(answer)
    asked = [asking.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(file) for node in nodes]
    ray.wait(asked, num_returns=len(asked), timeout=LOOK_WITHIN)
    return [_answer(ray, one) for one in asked]


def _answer(ray: Any, asked: Any) -> Any:
    try:
        return ray.get(asked, timeout=0.1)
    except ray.exceptions.RayError as error:
        return error


def _checked(node: Node, answer: Any, word: str | None, sweep: str) -> Node:
    """The node with what it answered. Raises InputError where that is not what it should be."""
    if isinstance(answer, Exception):
        why = (str(getattr(answer, "cause", None) or answer).strip().splitlines() or [type(answer).__name__])[-1].rstrip(".")
        sentence = f"The node {node.address} could not run Lorasmith ({why}). Install it there in the same version, with Ray and Python."
    elif answer["version"] != lorasmith.__version__:
        sentence = f"The node {node.address} has Lorasmith {answer['version']}, and this machine {lorasmith.__version__}. Install the same."
    elif word is not None and answer["word"] != word:
        sentence = f"The node {node.address} does not see the folder {sweep}. {SHARED}"
    else:
        return Node(node.id, node.address, node.cpus, node.gpus, answer["card_memory"])
    raise InputError(sentence, code="cluster.node", node=node.address)


def answer(file: str) -> dict[str, Any]:
    """On a node: its Lorasmith, the word in the file, and the memory of its smallest card."""
    try:
        word = Path(file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        word = ""
    return {"version": lorasmith.__version__, "word": word, "card_memory": _card_memory()}


def _card_memory() -> int | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    question = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(question, capture_output=True, text=True, timeout=30, check=True).stdout
        return min((int(line) for line in said.split()), default=0) * 2**20 or None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
