"""Tests as on Windows, as far as Linux can show it: `make windows`. What is refused is in `sitecustomize.py`."""

import os

import pytest

needs_posix = pytest.mark.skipif("LORASMITH_TESTS_AS_WINDOWS" in os.environ, reason="Windows has nothing like it")
