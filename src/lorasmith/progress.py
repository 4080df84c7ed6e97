"""What long work says to whoever waits for it, and what it asks of them."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, of how many)."""

Cancelled = Callable[[], bool]
"""Whether to stop; asked between two pieces of work, after which what is done is kept."""
