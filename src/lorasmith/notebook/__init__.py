"""Lorasmith in a notebook: its results are shown as pages, and a training shows how it goes in its cell.

    %load_ext lorasmith.notebook

The functions are those of `import lorasmith as ls`; here is only what a notebook needs besides.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext`: from here on the notebook shows plans, audits, runs, verdicts and grids as pages."""
    from lorasmith.notebook.shown import SHOWN, as_page

    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm asks for widgets; no bar of ours is one
    assert shell.display_formatter is not None, "a notebook shows what its cells give"
    formatter = shell.display_formatter.formatters["text/html"]
    for module, name in SHOWN:
        formatter.for_type_by_name(module, name, as_page)
