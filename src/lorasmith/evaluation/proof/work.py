"""How far a proof is, and whether to go on."""

from __future__ import annotations

from lorasmith.progress import Cancelled, Progress


class ProofCancelled(Exception):
    """Whoever waits for the proof asked to stop; what is done is kept."""


class Work:
    """Counts predictions of the denoiser, out of `total`."""

    def __init__(self, total: int, progress: Progress | None, cancelled: Cancelled) -> None:
        self._total, self._progress, self._cancelled = total, progress, cancelled
        self._done = 0

    def __repr__(self) -> str:
        return f"Work({self._done} of {self._total} predictions)"

    def check(self) -> None:
        """Raises ProofCancelled where nobody waits any more; called before each batch."""
        if self._cancelled():
            raise ProofCancelled

    def did(self, predictions: int) -> None:
        """More predictions are done, or were found from before."""
        self._done = min(self._done + predictions, self._total)
        if self._progress is not None:
            self._progress(self._done, self._total)
