"""How a cell shows a result: as the page that is written of it elsewhere.

Types are named, not imported: a notebook that only looks at pictures loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lorasmith.pages.content import Page
from lorasmith.pages.notebook import page_in_notebook


def _audit(audit: Any) -> Page:
    from lorasmith.curation.audit.page import audit_page

    return audit_page(audit)


def _plan(report: Any) -> Page:
    from lorasmith.training.forecast.page import plan_page

    return plan_page(report)


def _run(result: Any) -> Page:
    from lorasmith.evaluation.report import report_page
    from lorasmith.evaluation.run_record import read_run

    return report_page(read_run(result.folder))


def _proof(proven: Any) -> Page:
    from lorasmith.evaluation.verdict_page import proof_page

    return proof_page(proven.folder, proven.verdict)


def _grid(result: Any) -> Page:
    from lorasmith.evaluation.grid.page import grid_page

    return grid_page(result.plan)


SHOWN: dict[tuple[str, str], Callable[[Any], Page]] = {
    ("lorasmith.curation.audit.audit", "Audit"): _audit,
    ("lorasmith.training.forecast.report", "Report"): _plan,
    ("lorasmith.training.run", "RunResult"): _run,
    ("lorasmith.evaluation.prove", "Proven"): _proof,
    ("lorasmith.evaluation.grid.grid", "GridResult"): _grid,
}
"""(module, class) -> its page."""


def as_page(result: Any) -> str:
    """A result as HTML for a cell."""
    kind = type(result)
    return page_in_notebook(SHOWN[kind.__module__, kind.__name__](result))
