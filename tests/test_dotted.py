"""Settings as a flat table."""

from lorasmith.dotted import dotted

TREE = {"name": "x", "optimizer": {"lr": 1, "args": {"eps": 2}}, "datasets": [{"path": "a"}, {"path": "b"}], "empty": {}}


def test_a_tree_becomes_values_by_dotted_names():
    assert dotted(TREE) == {"name": "x", "optimizer.lr": 1, "optimizer.args.eps": 2, "datasets": TREE["datasets"]}
    assert dotted({"lr": 1}, before="subset 1: ") == {"subset 1: lr": 1}


def test_a_table_can_stay_whole():
    assert dotted(TREE, whole=("optimizer.args",))["optimizer.args"] == {"eps": 2}


def test_tables_of_a_list_are_told_by_their_numbers_where_that_is_asked_for():
    assert dotted(TREE, lists=True) == {
        "name": "x", "optimizer.lr": 1, "optimizer.args.eps": 2, "datasets.0.path": "a", "datasets.1.path": "b", "empty": {}
    }  # fmt: skip
    assert dotted({"steps": [1, 2], "none": []}, lists=True) == {"steps": [1, 2], "none": []}
