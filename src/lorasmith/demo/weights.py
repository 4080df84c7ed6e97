"""Where the demo's weights are: the base model (a diffusers folder) and the tagger, inside the package."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
BASE = WEIGHTS / "base"
TAGGER = WEIGHTS / "tagger"
