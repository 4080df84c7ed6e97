"""Nothing that grows with a dataset escapes being measured: a new verb has a row in benchmarks/growth.py, or a reason why not."""

import typer

from benchmarks.growth import LEFT_OUT, ROWS, verbs_of
from lorasmith.cli.main import app


def test_growth_is_measured_for_every_verb_or_a_reason_says_why_not():
    assert {row.verb for row in ROWS} | {*LEFT_OUT} == set(verbs_of(typer.main.get_command(app)))
