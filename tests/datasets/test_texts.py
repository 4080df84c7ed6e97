"""Encoded captions on disk: what goes in comes out, and what is damaged counts as absent."""

import multiprocessing

import pytest
import torch

from lorasmith.datasets.texts import TextCache, text_key


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "states": torch.randn(1, 7, 5, generator=generator).bfloat16(),
        "pooled": torch.randn(1, 5, generator=generator),
        "mask": torch.tensor([[True, True, False, True, False, False, False]]),
    }


def test_tensors_come_back_bit_for_bit_in_their_own_types(tmp_path, tensors):
    cache, key = TextCache(tmp_path), text_key("a cat", "clip")
    assert cache.get(key) is None
    cache.put(key, tensors)
    found = TextCache(tmp_path).get(key)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in tensors)
    assert not list(tmp_path.rglob("*.part"))


def test_another_caption_or_reader_is_another_key():
    keys = {text_key(caption, reader) for caption in ("a cat", "a cat ", "A cat") for reader in ("clip", "clip, skip 2")}
    assert len(keys) == 6


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"", lambda data: data[:-9] + b"\x01" + data[-8:]],
                         ids=["cut short", "empty", "one byte turned"])  # fmt: skip
def test_a_damaged_file_counts_as_absent_and_is_made_again(tmp_path, tensors, damage):
    cache, key = TextCache(tmp_path), text_key("a cat", "clip")
    cache.put(key, tensors)
    cache.path(key).write_bytes(damage(cache.path(key).read_bytes()))
    assert cache.get(key) is None
    cache.put(key, tensors)
    assert torch.equal(cache.get(key)["states"], tensors["states"])


def _write_and_read(folder, value, rounds, wrong):
    torch.set_num_threads(1)
    cache, key = TextCache(folder), text_key("shared", "clip")
    for _ in range(rounds):
        cache.put(key, {"states": torch.full((1, 100, 100), value)})
        found = cache.get(key)
        if found is None or found["states"].unique().numel() != 1:
            wrong.value += 1


def test_two_processes_may_write_the_same_caption_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    wrong = context.Value("i", 0)
    workers = [context.Process(target=_write_and_read, args=(tmp_path, value, 40, wrong)) for value in (1.0, 2.0)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert wrong.value == 0


def test_a_cache_is_marked_as_one(tmp_path, tensors):
    TextCache(tmp_path / "texts").put("ab" * 32, tensors)

    assert (tmp_path / "texts" / "CACHEDIR.TAG").is_file()
