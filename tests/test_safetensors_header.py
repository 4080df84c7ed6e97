"""Headers of safetensors files from anybody: what is whole is read, everything else is a sentence, and nothing costs time or memory."""

import copy
import json
import random
import re
import struct
import tracemalloc
from pathlib import Path

import pytest
from safetensors import SafetensorError, deserialize

from lorasmith.errors import TensorFileError
from lorasmith.safetensors_header import LONGEST, Entry, parse_header, read_header

NAME = Path("mimi.safetensors")
A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
B = {"dtype": "F16", "shape": [2, 3], "data_offsets": [8, 20]}
TREE = {"__metadata__": {"ss_epoch": "4", "ss_tag_frequency": json.dumps({"10_mimi": {"hat 🎩": 3}})}, "a": A, "b": B, "c": {**A, "data_offsets": [20, 28]}}  # fmt: skip
NUMBERS = bytes(28)


def judged(raw, numbers=NUMBERS):
    """What is wrong with a file of this header; empty where it is read."""
    try:
        parse_header(NAME, raw, 8 + len(raw) + len(numbers))
    except TensorFileError as error:
        return str(error)
    return ""


def theirs(raw, numbers=NUMBERS):
    """The same by the format's own library."""
    try:
        deserialize(struct.pack("<Q", len(raw)) + raw + numbers)
    except SafetensorError as error:
        return str(error)
    return ""


def text(**changed):
    return json.dumps({**TREE, **changed}).encode()


def test_a_whole_header_is_read_as_it_was_written():
    raw = text()
    header = parse_header(NAME, raw, 8 + len(raw) + len(NUMBERS))
    assert header.metadata == TREE["__metadata__"]
    start = 8 + len(raw)
    assert {name: (entry.dtype, entry.shape, entry.begin - start, entry.end - start) for name, entry in header.entries.items()} == {
        name: (said["dtype"], tuple(said["shape"]), *said["data_offsets"]) for name, said in TREE.items() if name != "__metadata__"
    }


FAULTS = {
    "share bytes": (text(b={**B, "data_offsets": [4, 16]}), "its tensors 'a' and 'b' share bytes; download it again."),
    "hole": (text(c={**A, "data_offsets": [24, 32]}), "4 bytes before 'c' belong to no tensor"),
    "cut short": (text(c={**A, "shape": [20], "data_offsets": [20, 100]}), "is cut short: 'c' ends at byte"),
    "more bytes": (text(c={**A, "shape": [1], "data_offsets": [20, 24]}), "4 bytes at its end belong to no tensor"),
    "backwards": (text(a={**A, "data_offsets": [8, 0]}), "'a' has -8 bytes by its place, and 8 by its shape [2] in F32"),
    "size": (text(a={**A, "shape": [3]}), "'a' has 8 bytes by its place, and 12 by its shape [3] in F32"),
    "half a byte": (text(a={**A, "dtype": "F4", "shape": [15]}), "7.5 by its shape [15] in F4"),
    "type": (text(a={**A, "dtype": "Q8"}), "'a' in numbers of the type 'Q8', which the format does not have; save it in fp32"),
    "type is no text": (text(a={**A, "dtype": 3}), "'a' in numbers of the type '3'"),
    "shape is no list": (text(a={**A, "shape": "2"}), "the shape of 'a' is 2, not a list of whole numbers"),
    "a size is true": (text(a={**A, "shape": [2, True]}), "the shape of 'a' is [2, True], not a list"),
    "a size is a fraction": (text(a={**A, "shape": [2.0]}), "the shape of 'a' is [2.0], not a list"),
    "a size is negative": (text(a={**A, "shape": [-2]}), "the shape of 'a' is [-2], not a list"),
    "too many numbers": (text(a={**A, "shape": [2**62, 4]}), "the shape or place of 'a' is larger than any file can have"),
    "too many numbers, times nothing": (text(a={**A, "shape": [2**62, 4, 0]}), "larger than any file can have"),
    "a place far away": (text(c={**A, "data_offsets": [2**80, 2**80 + 8]}), "larger than any file can have"),
    "too many axes": (text(a={**A, "shape": [2] + [1] * 64}), "larger than any file can have"),
    "three offsets": (text(a={**A, "data_offsets": [0, 8, 8]}), "the place of 'a' is [0, 8, 8], not its first byte and"),
    "an offset is true": (text(a={**A, "data_offsets": [False, 8]}), "the place of 'a' is [False, 8], not"),
    "no shape": (text(a={"dtype": "F32", "data_offsets": [0, 8]}), "does not say the shape of 'a'"),
    "shape twice": (text().replace(b'"shape": [2]', b'"shape": [2], "shape": [2]', 1), "says something of 'a' twice"),
    "a tensor twice": (text().replace(b'"b": ', b'"a": '), "has 'a' twice, and programs differ in which they take"),
    "metadata twice": (text().replace(b'"b": ', b'"__metadata__": {}, "b": '), "has '__metadata__' twice"),
    "a key twice": (text().replace(b'"ss_tag_frequency"', b'"ss_epoch"'), "its metadata have 'ss_epoch' twice"),
    "metadata: number": (text(__metadata__={"ss_epoch": 4}), "has the number 4 in its metadata under 'ss_epoch', where the format has text alone, so that no program opens it; save it again with every value as text, str(value) in Python."),
    "metadata: NaN": (text(__metadata__={"ss_lr": float("nan")}), "under 'ss_lr', where the format has text alone"),
    "metadata: table": (text(__metadata__={"tags": {"a": 1}}), "has a table in its metadata under 'tags'"),
    "metadata: true": (text(__metadata__={"tags": True}), "has true in its metadata under 'tags'"),
    "metadata: nothing": (text(__metadata__={"tags": None}), "has nothing (null) in its metadata under 'tags'"),
    "metadata: list": (text(__metadata__=["ss_epoch"]), "its metadata are a list, not a table"),
    "NaN": (text(a={**A, "shape": [float("nan")]}), "its header is not valid JSON after 'a'"),
    "deep": (b'{"a": ' + b"[" * 100_000, "its header is not valid JSON after 'a'"),
    "deep within": (text(a={**A, "shape": 0}).replace(b'"shape": 0', b'"shape": ' + b"[" * 2000), "its header is not valid JSON after 'a'"),
    "deep metadata": (b'{"__metadata__": {"x": ' + b"[" * 100_000, "has a list in its metadata under 'x'"),
    "no table": (b'{"a"}', "its header is not valid JSON"),
    "unfinished": (text()[:-1], "its header is not valid JSON after 'c'"),
    "more text": (text() + b"x", "its header is not valid JSON after 'c'"),
    "not UTF-8": (text().replace(b"ss_epoch", b"ss_\xff"), "its header is not UTF-8 text"),
    "half a character": (text().replace(b"ss_epoch", b"\\ud800"), "its header is not valid JSON after '__metadata__'"),
    "a long name": (text(**{"x" * 10_000: 3}), f"after '{'x' * 97}...'"),
    "no tensors": (b"{}", "has no tensors"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_a_sentence_that_says_what_is_wrong_and_what_to_do(fault):
    raw, words = FAULTS[fault]
    found = judged(raw)
    assert words in found
    assert re.fullmatch(r"mimi\.safetensors \S[^\n]{10,400}; [^\n;]+\.", found), found


def test_what_the_formats_own_library_reads_and_no_program_misreads_is_read():
    assert judged(text() + b"   ") == judged(b" " + text()) == judged(text(__metadata__=None)) == judged(text(a={**A, "note": "x"})) == ""
    assert judged(text(d={"dtype": "F32", "shape": [0, 3], "data_offsets": [28, 28]})) == ""
    assert judged(text(a={**A, "dtype": "F4", "shape": [16]})) == ""


def described(order, number):
    """A header of tensors of a byte each, of which these things are said in this order."""
    said = {"dtype": '"I8"', "shape": "[1]"}
    rows = ("{" + ",".join(f'"{key}":{said.get(key) or f"[{i},{i + 1}]"}' for key in order) + "}" for i in range(number))
    return ("{" + ",".join(f'"layer{i}":{row}' for i, row in enumerate(rows)) + "}").encode()


@pytest.mark.parametrize("order", [("dtype", "shape", "data_offsets"), ("data_offsets", "dtype", "shape")])
def test_the_order_in_which_things_are_said_of_a_tensor_is_of_no_matter(order):
    raw = described(order, 3000)
    header = parse_header(NAME, raw, 8 + len(raw) + 3000)
    assert list(header.entries) == [f"layer{i}" for i in range(3000)]
    assert header.entries["layer7"] == Entry("I8", (1,), 8 + len(raw) + 7, 8 + len(raw) + 8)


UNUSUAL = {
    "another order": lambda: described(("data_offsets", "dtype", "shape"), 20_000),
    "more keys": lambda: described(("dtype", "shape", *(f"x{i}" for i in range(100)), "data_offsets"), 3_000),
    "escaped names": lambda: described(("dtype", "shape", "data_offsets"), 20_000).replace(b"layer", b"l\\u0061yer"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSUAL)
def test_a_header_that_is_long_without_need_is_refused_early(case):
    raw = UNUSUAL[case]()
    assert "is longer than its tensors need" in judged(raw, bytes(20_000))


FILES = {
    "empty": (b"", "is empty; give a safetensors file."),
    "a few bytes": (b"abc", "is not a safetensors file, or only the beginning of one"),
    "a web page": (b"<html>404</html>", "is a web page, not a safetensors file; download it again."),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "is a Git LFS pointer, not the file itself; download"),
    "GGUF": (b"GGUF" + bytes(60), "is a GGUF file"),
    "a pickle": (b"PK\x03\x04" + bytes(60), "is a ZIP archive or a pickle"),
    "cut in the header": (struct.pack("<Q", 5000) + b'{"a"', "is cut short: its header alone has 5,000 bytes, and the file 12"),
    "endless": (struct.pack("<Q", 2**64 - 1) + b'{"a"', "says that its header has 18,446,744,073,709,551,615 bytes, and no real file's has more"),
    "no text": (struct.pack("<Q", 60) + bytes(60), "is not a safetensors file"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_files_of_other_formats_are_called_by_their_name(case, tmp_path):
    content, words = FILES[case]
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(TensorFileError, match=re.escape(words)):
        read_header(tmp_path / "x.safetensors")


def test_a_folder_and_what_is_not_there_are_refused(tmp_path):
    for path, words in ((tmp_path, "is not a file"), (tmp_path / "none.safetensors", "cannot be read")):
        with pytest.raises(TensorFileError, match=words):
            read_header(path)


# ---- mutated headers

VALUES = [
    0, -1, 1, 7, 8, 28, 2**31, 2**53, 2**63, 2**64, 2**70, 10**400, 0.5, 1e308, float("inf"), float("nan"), True, False, None, "", "F32", "F16",
    "F4", "BOOL", "x", "\ud800", "🎩", "é" * 50, [], [0], [2, 3], [True], [[2]], [0, 8], [8, 20], [8, 0], [0, 8, 8], [1] * 70, [2**62, 8, 0], {}, {"a": 1}, A, B,
]  # fmt: skip
PIECES = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\",
    b"\\u",
    b"\x00",
    b"\xff",
    b" ",
    b"1",
    b"e9",
    b"-",
    b"null",
    b"NaN",
    b'"a":',
    b"[" * 50,
    b'"shape":[2],',
]
PASSED_OVER = re.compile(r"twice|has no tensors|not valid JSON after|larger than any file can have")
"""Why a file is refused that the library reads: names that are there twice, nothing in it, nested or listed entries, many axes."""


def mutated(random):
    """The text of a header in which something is another, structure or bytes."""
    tree = json.loads(text())
    for _ in range(random.randrange(3)):
        name = random.choice(list(tree))
        where = random.choice([tree, tree[name]]) if isinstance(tree[name], dict) else tree
        key = random.choice([*where, "extra"])
        action = random.randrange(3)
        if action == 0:
            where.pop(key, None)
        elif action == 1:
            where[key] = copy.deepcopy(random.choice(VALUES))
        else:
            where[random.choice(["__metadata__", "a", "z", "shape", "dtype"])] = where.get(key, "y")
        if not tree:
            break
    raw = bytearray(json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass"))
    for _ in range(random.randrange(4)):
        at = random.randrange(len(raw) + 1)
        length = random.choice([0, 1, 1, 5, 40])
        other = random.randrange(len(raw) + 1)
        raw[at : at + length] = random.choice([b"", random.choice(PIECES), random.randbytes(1), bytes(raw[other : other + 40])])
    return bytes(raw)


def check_mutations(seed, number):
    source = random.Random(seed)
    refused = read = 0
    for _ in range(number):
        raw = mutated(source)
        numbers = bytes(source.choice([28, 28, 28, 0, 20, 36]))
        found = judged(raw, numbers)
        if found:
            refused += 1
            assert re.fullmatch(r"[^\n]{20,600}", found), found
            assert theirs(raw, numbers) or PASSED_OVER.search(found), (raw, found)
        else:
            read += 1
            assert not theirs(raw, numbers), raw
    return refused, read


def test_no_mutated_header_is_read_that_the_library_refuses_and_none_ends_in_another_error():
    refused, read = check_mutations(seed=1, number=10_000)
    assert refused > 5000
    assert read > 200


LARGE = {
    "one long text with an emoji": lambda: b'{"__metadata__": {"a": "\xf0\x9f\x8e\xa9' + b"x" * (LONGEST - 40) + b'"}}',
    "entries without end": lambda: b'{"__metadata__": {' + b",".join(b'"%x":""' % i for i in range(700_000)) + b"}}",
    "tensors without end": lambda: b"{" + b",".join(b'"%x":{"dtype":"I8","shape":[],"data_offsets":[%d,%d]}' % (i, i, i + 1) for i in range(150_000)) + b"}",
    "lists": lambda: b'{"a": [' + b"[]," * (LONGEST // 4),
    "lists in a tensor": lambda: b'{"a": {"shape": [' + b"[]," * (LONGEST // 4) + b"]}}",
    "spaces": lambda: b"{" + b" " * (LONGEST - 10),
}  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.slow] * ("without end" in case)) for case in LARGE])
def test_a_header_takes_no_more_memory_than_its_length_allows(case):
    raw = LARGE[case]()
    assert len(raw) <= LONGEST
    tracemalloc.start()
    found = judged(raw, b"")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found
    assert peak < 200e6
