"""Tag lists in the formats that people have: read right, completed fast, followed through aliases and implications."""

import gzip
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.captions.vocabulary import Vocabulary, key_of, open_vocabulary
from lorasmith.demo.truth import TAGS
from lorasmith.demo.vocabulary import demo_vocabulary
from lorasmith.errors import InputError

TAGCOMPLETE = """1girl,0,6008644,"1girls,sole_female"
solo,0,5000954,"female_solo,solo_female"
long_hair,0,4350743,"/lh,longhair"
hair_ribbon,0,700000,
hatsune_miku,4,120000,"miku"
^_^,0,90000
hat,0
rare_hat
"""
WD = "tag_id,name,category,count\n9999999,general,9,807858\n470575,1girl,0,4225150\n212816,solo,0,3515897\n10638,hatsune_miku,4,71117\n"
TAGS_CSV = "id,name,category,post_count\n1,canine,5,90\n2,dog,5,50\n3,german_shepherd,5,9\n4,mammal,5,200\n"
ALIASES_CSV = """id,antecedent_name,consequent_name,created_at,status
1,doggo,dog,2020-01-01,active
2,pupper,doggo,2020-01-01,active
3,old,dog,2020-01-01,deleted
4,bad,invalid_tag,2020-01-01,active
"""
IMPLICATIONS_CSV = """id,antecedent_name,consequent_name,created_at,status
1,german_shepherd,dog,2020-01-01,active
2,dog,canine,2020-01-01,active
3,canine,mammal,2020-01-01,active
4,canine,fish,2020-01-01,pending
5,canine,canine_(disambiguation),2020-01-01,active
"""


def written(folder: Path, **files: str | bytes) -> list[Path]:
    paths = []
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(path)
    return paths


@pytest.fixture
def danbooru(tmp_path: Path) -> Vocabulary:
    return open_vocabulary(written(tmp_path, danbooru__csv=TAGCOMPLETE))


@pytest.fixture
def e621(tmp_path: Path) -> Vocabulary:
    files = written(
        tmp_path, tags__csv=TAGS_CSV, tag_aliases__csv__gz=gzip.compress(ALIASES_CSV.encode()), tag_implications__csv=IMPLICATIONS_CSV
    )
    return open_vocabulary(files)


def completed(vocabulary: Vocabulary, beginning: str, limit: int = 10) -> list[tuple[str, str | None]]:
    return [(one.tag, one.alias) for one in vocabulary.complete(beginning, limit)]


# Reading


def test_a_tagcomplete_list_is_read_with_counts_and_aliases(danbooru):
    assert danbooru.tags["long_hair"] == (0, 4350743)
    assert danbooru.tags["hat"] == (0, 0)
    assert danbooru.tags["rare_hat"] == (-1, 0)
    assert danbooru.resolve("sole_female") == "1girl"


def test_a_wd_taggers_list_is_read(tmp_path):
    vocabulary = open_vocabulary(written(tmp_path, selected_tags__csv=WD))
    assert vocabulary.tags["hatsune_miku"] == (4, 71117)
    assert len(vocabulary) == 4


def test_e621s_exports_are_read_together(e621):
    assert e621.tags["dog"] == (5, 50)
    assert e621.resolve("pupper") == "dog"
    assert e621.resolve("old") == "old"  # a deleted alias
    assert e621.implied_by("german shepherd") == {"dog", "canine", "mammal"}


def as_json(table: str) -> list[dict]:
    """A table of e621's as objects, with the numbers as numbers."""
    header, *rows = (line.split(",") for line in table.strip().split("\n"))
    return [
        {name: int(cell) if cell.isdigit() else cell for name, cell in zip(header, row, strict=True)} | {"reason": None} for row in rows
    ]


def test_danboorus_json_is_read_as_a_list_and_as_one_object_per_line(tmp_path, e621):
    lines = "\n".join(json.dumps(one) for one in as_json(TAGS_CSV))
    vocabulary = open_vocabulary(
        written(
            tmp_path,
            tags__json=gzip.compress(lines.encode()),
            tag_aliases__json=json.dumps(as_json(ALIASES_CSV)),
            tag_implications__json=json.dumps(as_json(IMPLICATIONS_CSV), indent=1),
        )
    )
    assert (vocabulary.tags, vocabulary.aliases, vocabulary.implications) == (e621.tags, e621.aliases, e621.implications)


def test_plain_text_with_one_tag_per_line_is_read(tmp_path):
    assert list(open_vocabulary(written(tmp_path, mine__txt="hat\nred hat\n")).tags) == ["hat", "red hat"]


def test_a_tag_of_a_text_file_may_have_a_comma_unless_the_file_is_a_table(tmp_path):
    assert list(open_vocabulary(written(tmp_path, mine__txt="my tag\nother tag, with comma\n")).tags) == ["my tag", "other tag, with comma"]
    assert open_vocabulary(written(tmp_path, table__txt="hat,0\nred hat,0,3\n")).tags == {"hat": (0, 0), "red hat": (0, 3)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("commas.txt", "hat,500\nred hat,3\n"), ("commas.csv", "hat,500\nred hat,3\n"), ("zero.csv", "hat,500\nred hat,3\ncoat,0\n"),
        ("small.csv", "hat,7\nred hat,3\n"), ("spaces.txt", "hat  500\nred hat 3\n"), ("tabs.txt", "red hat\t3\nhat\t500\n"),
    ],
)  # fmt: skip
def test_a_single_number_behind_each_tag_is_how_often_it_is_used(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    known = open_vocabulary(tmp_path / name)
    assert [(one.tag, one.count, one.category) for one in known.complete("hat") + known.complete("red")] == [
        ("hat", int(re.search(r"^hat\W+(\d+)", text, re.M)[1]), -1), ("red hat", 3, -1),
    ]  # fmt: skip


def test_a_single_number_is_the_category_where_it_can_be_one_and_a_name_may_end_in_a_number(tmp_path):
    assert open_vocabulary(written(tmp_path, a__csv="1girl,0\nsaber,4\n")).tags == {"1girl": (0, 0), "saber": (4, 0)}
    for names in (
        ["persona 5", "persona 4"],
        ["blade runner 2049"],
        ["persona 5", "hat"],
        ["final fantasy 7", "persona 5", "blade runner 2049"],
    ):
        assert list(open_vocabulary(written(tmp_path, b__txt="\n".join(names))).tags) == names


def test_the_demo_worlds_list_knows_its_tags_and_its_characters():
    vocabulary = demo_vocabulary()
    assert vocabulary.unknown(TAGS) == []
    assert vocabulary.without_implied(["zorvex", "cat", "teal body", "red hat"]) == ["zorvex", "red hat"]
    assert vocabulary.resolve("bunny") == "rabbit"
    assert vocabulary.implied_by("red hat") == {"hat"}
    assert vocabulary.implied_by("stained glass style") == {"style"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list__csv", "a,b,c,d,e,f\n", "6 columns in row 1"),
        ("list__csv", "hat,many,1\n", "'many' instead of a number"),
        ("list__csv", "", "is empty"),
        ("list__csv", "caf\u00e9,0,1".encode("latin-1"), "not UTF-8"),
        ("list__csv", gzip.compress(TAGCOMPLETE.encode(), mtime=0)[:40], "damaged"),
        ("relations__csv", ALIASES_CSV, "put one of the two words"),
        ("tags__csv", TAGS_CSV + "5,dog\n", "2 columns instead of 4 in row 6"),
        ("tags__json", '[{"id": 1, "name": "hat"', "damaged"),
        ("tags__json", "[]", "is empty"),
        ("tags__json", "[1, 2]", "1 instead of an object in row 1"),
        ("tags__json", '{"tag": "hat", "posts": 3}', "of no object"),
        ("tags__json", '{"name": "hat", "post_count": "many"}', "'many' instead of a number"),
        ("tags__json", '[{"name": "hat", "post_count": 1}, {"name": "cap"}]', "1 columns instead of 2 in row 3"),
        ("tags__csv", 'a,0,1,"never closed\n' * 3 + "x" * 200_000, "damaged in line"),
    ],
)
def test_a_file_that_is_not_a_list_is_refused_with_the_place(tmp_path, name, content, words):
    with pytest.raises(InputError, match=words):
        open_vocabulary(written(tmp_path, **{name: content}))


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv cannot be read"):
        open_vocabulary(tmp_path / "nowhere.csv")


# Completing


def test_the_most_used_tags_come_first(danbooru):
    assert completed(danbooru, "h") == [("hair_ribbon", None), ("hatsune_miku", None), ("hat", None)]
    assert completed(danbooru, "", 2) == [("1girl", None), ("solo", None)]


def test_spaces_capitals_and_other_names_are_understood(danbooru):
    assert completed(danbooru, "Long h") == [("long_hair", None)]
    assert completed(danbooru, "miku") == [("hatsune_miku", "miku")]
    assert completed(danbooru, "sol") == [("1girl", "sole_female"), ("solo", None)]
    assert completed(danbooru, "zzz") == []


def test_a_tag_is_found_by_a_word_inside_it_the_most_used_first(danbooru):
    assert [one.tag for one in danbooru.containing("hat")] == ["rare_hat"]
    assert [one.tag for one in danbooru.containing("ha")] == ["long_hair", "rare_hat"]
    assert [one.tag for one in danbooru.containing("Miku ")] == ["hatsune_miku"]
    assert [one.tag for one in danbooru.containing("r", 1)] == ["1girl"]
    assert danbooru.containing("  ") == danbooru.containing("solo") == []


def test_a_tag_is_completed_once_also_where_its_aliases_begin_alike(danbooru):
    assert completed(danbooru, "solo") == [("solo", None)]


NAMES = st.text("abc_", min_size=1, max_size=4)


@given(st.dictionaries(NAMES, st.integers(0, 50), max_size=30), st.dictionaries(NAMES, NAMES, max_size=8), NAMES, st.integers(1, 6))
def test_completion_agrees_with_looking_at_every_tag(counts, aliases, beginning, limit):
    vocabulary = Vocabulary(
        {name: (0, count) for name, count in counts.items()}, {alias: name for alias, name in aliases.items() if name in counts}
    )
    pairs = [*((name, name) for name in vocabulary.tags), *vocabulary.aliases.items()]
    fitting = {name for key, name in pairs if key.startswith(beginning)}
    found = vocabulary.complete(beginning, limit)
    assert [one.count for one in found] == sorted((counts[name] for name in fitting), reverse=True)[:limit]
    assert {one.tag for one in found} <= fitting
    assert len({one.tag for one in found}) == len(found)


def test_beginnings_of_many_tags_are_completed_like_those_of_few():
    counts = {f"{'xy'[k % 2]}{k}": (0, k * 7919 % 20_011) for k in range(20_011)}
    vocabulary = Vocabulary(counts, {f"y_too_{k}": f"x{k}" for k in range(0, 5000, 2)})
    assert len(vocabulary.complete("y")) == 10
    for beginning in ("", "x", "y"):
        names = {key: name for key, name in [*zip(counts, counts, strict=True), *vocabulary.aliases.items()] if key.startswith(beginning)}
        most = sorted({counts[name][1] for name in names.values()}, reverse=True)[:10]
        assert [one.count for one in vocabulary.complete(beginning)] == most


class CountedNames(list):
    """A list that counts how many of its items were read."""

    reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)


def test_a_keystroke_looks_at_few_of_100_000_tags():
    rng = random.Random(0)
    names = {
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz_", k=rng.randint(3, 18))): (0, int(rng.paretovariate(0.6))) for _ in range(100_000)
    }
    vocabulary = Vocabulary(names)
    vocabulary._keys = CountedNames(vocabulary._keys)
    for beginning in ("s", "sa", "sam", "samp", "a", ""):
        vocabulary._keys.reads = 0
        assert len(vocabulary.complete(beginning)) > 0
        assert vocabulary._keys.reads < 100  # benchmarks/captions.py measures the time


# Aliases and implications


def test_implied_tags_are_dropped_in_any_spelling(e621):
    assert e621.without_implied(["hat", "German Shepherd", "dog", "mammal"]) == ["hat", "German Shepherd"]
    assert e621.without_implied(["german_shepherd", "dog", "canine"], keep=["dog"]) == ["german_shepherd", "dog"]


def test_implied_tags_are_added_in_the_captions_spelling(e621):
    assert e621.with_implied(["german shepherd", "canine"]) == ["german shepherd", "canine", "dog", "mammal"]
    assert Vocabulary({}, {}, {"a_b": ["c_d"], "x_y": ["c_d_(e)"]}).with_implied(["a b"]) == ["a b", "c d"]
    assert Vocabulary({}, {}, {"a_b": ["c_d"]}).with_implied(["a_b"]) == ["a_b", "c_d"]


def test_circles_end():
    circle = Vocabulary({}, {"x": "y", "y": "x"}, {"a": ["b"], "b": ["c"], "c": ["a", "d"]})
    assert circle.implied_by("a") == {"b", "c", "d"}
    assert circle.without_implied(["c", "d", "a", "b"]) == ["c"]
    assert circle.resolve("x") in ("x", "y")


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)),
    st.lists(st.sampled_from("abcdef"), unique=True),
)
def test_dropping_what_is_implied_loses_no_meaning(implications, tags):
    vocabulary = Vocabulary({}, {}, implications)
    left = vocabulary.without_implied(tags)
    assert set(vocabulary.with_implied(left)) == set(vocabulary.with_implied(tags))
    assert vocabulary.without_implied(left) == left


def test_unknown_tags_are_told(danbooru):
    assert danbooru.unknown(["long hair", "miku", "zorvex", "^_^"]) == ["zorvex"]


def test_kaomoji_and_brackets_do_not_hide_a_tag():
    assert key_of("^_^") == "^_^"
    assert key_of(r"Cat \(animal\)") == "cat_(animal)"
