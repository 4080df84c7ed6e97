"""The files of a cache, each named by a hash of all that it depends on: in a folder of this machine and, where the cache is in a store, there.

    files = CacheFiles(folder, Place.at("s3://bucket/cache/latents"))
    files.bring(names)          # what the store has of these, and the folder has not
    files.put(name, data)       # into the folder, and to the store beside the work
    files.finish()              # when all of it has been sent

What a name means never changes, so that nothing is compared and nothing goes stale: a file is there or not. The store is listed once. What
it lacks and this machine has is sent, also what a run that was killed, or found the store away, had left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path

from lorasmith.atomic import write_atomically
from lorasmith.cache_folder import make_cache_folder
from lorasmith.errors import InputError, RunError
from lorasmith.stores import AT_ONCE, Place, in_parallel

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Files that wait to be sent; who puts more waits as well."""
BROUGHT_TOGETHER = 1024


class CacheFiles:
    """Files `ab/abcd...` below `folder`; `place` is where they are in a store, None where they are not in one."""

    def __init__(self, folder: Path, place: Place | None = None):
        self.folder, self.place = folder, place
        self._lock = threading.Lock()
        self._waiting: set[Future[None]] = set()
        self._room = threading.Semaphore(MOST_WAITING)
        self._is_away = False

    def path(self, name: str) -> Path:
        """Where a file is on this machine."""
        return self.folder / name[:2] / name

    def put(self, name: str, data: bytes) -> None:
        """Keep a file, whole or not at all; one that the store has was damaged there, and is replaced."""
        self._write(name, data)
        if self.place is not None:
            self._begin_to_send(name)

    def offer(self, name: str) -> None:
        """Send a file of this machine to the store, unless it is there."""
        if self.place is not None and _key(name) not in self._there:
            self._begin_to_send(name)

    def _begin_to_send(self, name: str) -> None:
        if self._is_away:
            return
        self._room.acquire()
        with self._lock:
            self._there.add(_key(name))
            future = self._pool.submit(self._send, name)
            self._waiting.add(future)
        future.add_done_callback(self._sent)

    def bring(self, names: Iterable[str]) -> None:
        """Fetch those that the store has and this machine has not, several at once. Raises InputError, RunError: see `Place.entries`."""
        if self.place is None:
            return
        wanted = (name for name in names if _key(name) in self._there and not self.path(name).exists())
        while some := list(islice(wanted, BROUGHT_TOGETHER)):
            for _ in in_parallel(self.fetch, [(name,) for name in some]):
                pass

    def fetch(self, name: str) -> bool:
        """Fetch one, also in place of one that is damaged; False where the store does not have it."""
        if self.place is None or _key(name) not in self._there:
            return False
        data = self.place.read(f"{name[:2]}/{name}")
        if data is None:
            with self._lock:
                self._there.discard(_key(name))
            return False
        self._write(name, data)
        return True

    def finish(self) -> None:
        """Wait until all has been sent."""
        for future in tuple(self._waiting):
            future.result()

    def _write(self, name: str, data: bytes) -> None:
        path = self.path(name)
        make_cache_folder(self.folder)
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, data)

    @cached_property
    def _there(self) -> set[bytes]:
        """What the store has."""
        assert self.place is not None
        return {_key(path.rpartition("/")[2]) for path in self.place.entries()}

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(AT_ONCE)

    def _send(self, name: str) -> None:
        assert self.place is not None
        if self._is_away:
            return
        try:
            self.place.send(f"{name[:2]}/{name}", self.path(name))
        except (InputError, RunError) as error:
            if not self._is_away:
                self._is_away = True
                log.warning("%s What is encoded from now on is kept in %s, and the next run sends it.", error, self.folder)

    def _sent(self, future: Future[None]) -> None:
        with self._lock:
            self._waiting.discard(future)
        self._room.release()


def _key(name: str) -> bytes:
    """A name of which very many are kept."""
    return name.partition(".")[0].encode()
