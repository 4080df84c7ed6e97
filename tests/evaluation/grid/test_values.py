"""Values of an axis, as we and as A1111 write them."""

import pytest

from lorasmith.errors import SettingsError
from lorasmith.evaluation.grid.values import are_numbers, numbers, tokens


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("1, 5,20", int, [1, 5, 20]),
        ("1-5", int, [1, 2, 3, 4, 5]),
        ("1-10 (+3)", int, [1, 4, 7, 10]),
        ("10-1 (-3)", int, [10, 7, 4, 1]),
        ("1-10 [5]", int, [1, 3, 5, 7, 10]),
        ("1..4", int, [1, 2, 3, 4]),
        ("1, 20-40 (+10)", int, [1, 20, 30, 40]),
        ("0.5..1.0:0.1", float, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ("0.5-1.0 [6]", float, [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ("0-1 (+0.25)", float, [0, 0.25, 0.5, 0.75, 1]),
        ("1..0:0.5", float, [1, 0.5, 0]),
        ("0.1..0.35:0.1", float, [0.1, 0.2, 0.3]),
        ("-1-1 (+1)", float, [-1, 0, 1]),
        (".5, 1", float, [0.5, 1]),
        ("7", float, [7]),
    ],
)
def test_numbers_and_ranges(text, kind, values):
    found = numbers(tokens(text), kind, 1 if kind is int else 0.1)
    assert found == pytest.approx(values)
    assert all(isinstance(each, kind) for each in found)
    assert [f"{each:g}" for each in found] == [f"{each:g}" for each in values], "no 0.7000000000000001"


@pytest.mark.parametrize("text", ["red", "1.5", "1-", "1..2:0", "1-5 [0]", "1..1e9", "0..100000", "nan", ""])
def test_what_is_no_number_is_named(text):
    with pytest.raises(SettingsError) as caught:
        numbers([text], int, 1)
    assert caught.value.code == "grid.value"


def test_commas_inside_quotes_belong_to_the_value():
    assert tokens('"red, white", blue ,"a ""b"""') == ["red, white", "blue", 'a "b"']
    assert tokens("") == []
    assert are_numbers(["0.5..1:0.1", "2"])
    assert not are_numbers(["epoch 1"])
    assert not are_numbers([])
