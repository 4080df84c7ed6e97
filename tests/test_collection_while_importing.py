"""Importing a large library costs no search for garbage, neither meanwhile nor right afterwards."""

import gc

import pytest

from lorasmith.imports import without_collection


@pytest.fixture(autouse=True)
def collecting():
    gc.enable()
    gc.collect()  # so that none is due within a test
    yield
    gc.unfreeze()
    gc.enable()


def contains(generation, thing):
    return any(each is thing for each in gc.get_objects(generation=generation))


def test_what_an_import_makes_is_not_searched_as_new_afterwards():
    with without_collection():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert contains(2, made[0])
    assert gc.get_freeze_count() == 0


def test_what_the_program_has_frozen_stays_frozen():
    kept = []
    gc.freeze()
    with without_collection():
        pass
    assert gc.get_freeze_count() > 0
    assert not any(contains(generation, kept) for generation in (0, 1, 2))


def test_where_nothing_was_collected_before_nothing_is_afterwards():
    gc.disable()
    with without_collection():
        pass
    assert not gc.isenabled()
