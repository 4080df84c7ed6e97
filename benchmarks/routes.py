"""What each call takes the studio's server with 10,000 pictures and 1,000 LoRAs. Prints a table in milliseconds of its CPU.

python benchmarks/routes.py [pictures] [LoRAs]

The first time is that of a studio which has only just started and of pictures that it has not looked at; the second is a mean of ten.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.catalogue import write_file
from benchmarks.gallery import make_gallery
from benchmarks.studio import Connection, Server, serving
from lorasmith.library.catalogue.catalogue import Catalogue

TIMES = 10

ROUTES = (
    "projects", "projects/big", "projects/big/pictures?count=200", "projects/big/pictures", "projects/big/pictures/page?start=5000",
    "projects/big/pictures/05000.jpg", "projects/big/pictures?q=tag:%22tag%204%22", "projects/big/tags", "projects/big/audit",
    "projects/big/audit/findings", "projects/big/pictures?finding=audit.too_small", "projects/big/pictures?sort=findings", "projects/big/duplicates",
    "projects/big/captions/05000.txt", "projects/big/trigger", "projects/big/advice", "projects/big/layout", "projects/big/holdout", "projects/big/rights",
    "projects/big/history", "library", "library?q=many&count=500", "library?trigger=trigger7", "runs", "jobs",
)  # fmt: skip
"""Addresses below /api."""


def milliseconds(server: Server, connection: Connection, route: str, times: int) -> float:
    """How much of the server's CPU a call takes, averaged over several."""
    before = server.cpu
    for _ in range(times):
        connection.get(f"/api/{route}")
    return 1000 * (server.cpu - before) / times


def main() -> None:
    """Print the table."""
    pictures, loras = (int(given) for given in (*sys.argv[1:], *("10000", "1000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        workspace, shelf = Path(folder, "workspace"), Path(folder, "loras")
        os.environ["LORASMITH_LIBRARY"] = str(Path(folder, "library"))
        workspace.mkdir()
        shelf.mkdir()
        make_gallery(workspace, pictures)
        for number in range(loras):
            write_file(shelf / f"{number:04d}.safetensors", number)
        catalogue = Catalogue()
        catalogue.add(shelf)
        catalogue.refresh()
        print("| call, below /api | the first time | again |\n| --- | --- | --- |")
        with serving("-m", "lorasmith", "studio", "--workspace", str(workspace), "--port", "0", "--no-browser") as server:
            connection = Connection(server)
            connection.get("/api/preferences")
            for route in ROUTES:
                first, again = (milliseconds(server, connection, route, times) for times in (1, TIMES))
                print(f"| {route} | {first:.0f} | {again:.0f} |")


if __name__ == "__main__":
    main()
