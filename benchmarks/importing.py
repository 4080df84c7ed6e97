"""What an import of made pictures takes on this machine alone, and over the nodes of a Ray cluster that are on it, too.

    python benchmarks/importing.py
    python benchmarks/importing.py --pictures 2000 --nodes 2 --rounds 2

The pictures are JPEGs of 1024 x 1024 pixels with a caption each. Header: as `lorasmith import` does; whole: with `--check`, which decodes
each. Both kinds of import take turns, each into a new dataset, and the datasets have to be equal. Printed are seconds that pass, which other
work on the machine and its disk lengthen; a start of the workers is among those of Ray. One disk and the same cores serve all nodes.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # on loopback

from lorasmith.jobs.importing import import_pictures

OBJECT_STORE = 80 * 2**20
"""Bytes for each node."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray-") as name:
        folder = Path(name)
        pile = make_pile(folder / "pile", chosen.pictures)
        size = sum(path.stat().st_size for path in pile.iterdir()) / 2**20
        print(f"{chosen.pictures:,} pictures, {size:,.0f} MiB")
        os.environ["RAY_TMPDIR"] = name
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "object_store_memory": OBJECT_STORE, "include_dashboard": False, "node_ip_address": "127.0.0.1"},
        )
        for _ in range(chosen.nodes):
            cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE, node_ip_address="127.0.0.1")
        try:
            for number in range(chosen.rounds):
                for verify in (False, True):
                    ways = (None, str(cluster.address)) if number % 2 else (str(cluster.address), None)
                    for ray in ways:
                        measure(folder, pile, number, verify, ray, chosen.nodes)
        finally:
            cluster.shutdown()


def measure(folder: Path, pile: Path, number: int, verify: bool, ray: str | None, nodes: int) -> None:
    dataset = folder / f"{number}-{verify}-{ray is None}"
    started = time.monotonic()
    report = import_pictures([pile], dataset, verify=verify, ray=ray)
    passed = time.monotonic() - started
    assert all((dataset / path.name).read_bytes() == path.read_bytes() for path in pile.iterdir())
    where = "this process" if ray is None else f"Ray, {nodes} nodes"
    print(
        f"{'whole' if verify else 'header':<7} {where:<14} {passed:6.1f} s   {len(report.added) / passed:6.0f} pictures a second",
        flush=True,
    )


def make_pile(folder: Path, count: int) -> Path:
    """Smooth colours with some grain, as photographs have; each differs in its bytes."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    coarse = Image.fromarray(draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)).resize((1024, 1024), Image.Resampling.BICUBIC)
    grain = draw.normal(0, 6, (1024, 1024, 3))
    data = io.BytesIO()
    Image.fromarray((np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8)).save(data, "JPEG", quality=92)
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(data.getvalue() + number.to_bytes(4, "big"))
        (folder / f"{number:06}.txt").write_text(f"picture {number}")
    return folder


if __name__ == "__main__":
    main()
