"""Numbers as people write them."""

import pytest

from lorasmith.pages import numbers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.84, "0.8 s"), (42.2, "42 s"), (59.7, "1 min 0 s"), (102, "1 min 42 s"), (3599.8, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(1, "1 byte"), (512, "512 bytes"), (640_000, "640 kB"), (36_500_000, "36.5 MB"), (2_300_000_000, "2.30 GB")]
)
def test_file_sizes(size, text):
    assert numbers.file_size(size) == text


@pytest.mark.parametrize(("rate", "text"), [(1e-4, "1e-4"), (2.5e-5, "2.5e-5"), (0.0, "0"), (1.0, "1"), (0.0012, "1.2e-3")])
def test_learning_rates(rate, text):
    assert numbers.learning_rate(rate) == text


def test_shares_and_counts():
    assert [numbers.percent(share) for share in (0.94, 0.031, 1.0)] == ["94 %", "3.1 %", "100 %"]
    assert [numbers.count(number, "step") for number in (0, 1, 12_000)] == ["0 steps", "1 step", "12,000 steps"]
