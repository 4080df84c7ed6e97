"""A library that is postponed is imported when something in it is used."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys, threading
from lorasmith.imports import postpone
postpone("numpy")
import numpy as np
assert "numpy.linalg" not in sys.modules
{use}
assert "numpy.linalg" in sys.modules
assert np.float32 is sys.modules["numpy"].float32
import numpy
assert numpy is not np and numpy.float32 is np.float32
"""

USES = {
    "its name": "assert np.zeros(3).sum() == 0",
    "a part of it": "from numpy.linalg import norm; assert norm([3, 4]) == 5",
    "several threads": (
        "found = []\n"
        "threads = [threading.Thread(target=lambda: found.append(np.ones(2).sum())) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert found == [2.0] * 8"
    ),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_postponed_library_is_imported_when_it_is_used(use):
    result = subprocess.run([sys.executable, "-c", PROGRAM.format(use=use)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
