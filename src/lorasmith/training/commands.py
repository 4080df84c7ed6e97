"""What one may tell a run while it works; the run looks between steps."""

from __future__ import annotations

import threading


class Commands:
    """Requests from any thread or signal handler."""

    def __init__(self) -> None:
        self._stop, self._save, self._sample = threading.Event(), threading.Event(), threading.Event()

    def stop(self) -> None:
        """Save and end after the step under way."""
        self._stop.set()

    def save(self) -> None:
        """Write a LoRA file of this moment."""
        self._save.set()

    def sample_now(self) -> None:
        """Draw the samples of this moment."""
        self._sample.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def take_save(self) -> bool:
        """Whether a save was asked for; the request is used up."""
        asked = self._save.is_set()
        self._save.clear()
        return asked

    def take_sample(self) -> bool:
        """Whether samples were asked for; the request is used up."""
        asked = self._sample.is_set()
        self._sample.clear()
        return asked
