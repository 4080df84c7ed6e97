"""Importing a large library costs no search for garbage, neither meanwhile nor right afterwards."""

import gc
import sys
from types import ModuleType

import pytest

from lorasmith.imports import without_collection


@pytest.fixture(autouse=True)
def collecting():
    gc.unfreeze()
    gc.enable()
    gc.collect()  # so that none is due within a test
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def import_something(monkeypatch):
    return lambda: monkeypatch.setitem(sys.modules, "a_library_of_the_tests", ModuleType("a_library_of_the_tests"))


def contains(generation, thing):
    return any(each is thing for each in gc.get_objects(generation=generation))


def test_what_an_import_makes_is_not_searched_as_new_afterwards(import_something):
    with without_collection():
        assert not gc.isenabled()
        import_something()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert contains(2, made[0])
    assert gc.get_freeze_count() == 0


def test_what_was_imported_before_asks_nothing_of_the_collector(monkeypatch):
    monkeypatch.setattr(gc, "get_freeze_count", lambda: pytest.fail("all that is frozen was counted"))
    with without_collection():
        import gc as _  # noqa: F401
    assert gc.isenabled()


def test_what_the_program_has_frozen_stays_frozen(import_something):
    kept = []
    gc.freeze()
    with without_collection():
        import_something()
    assert gc.get_freeze_count() > 0
    assert not any(contains(generation, kept) for generation in (0, 1, 2))


def test_where_nothing_was_collected_before_nothing_is_afterwards():
    gc.disable()
    with without_collection():
        pass
    assert not gc.isenabled()
