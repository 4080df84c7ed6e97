"""Prompts with the flags of sd-scripts and of A1111."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorasmith.errors import SettingsError
from lorasmith.models.prompts.lines import as_line, read_line, read_prompt_file, requests_of
from lorasmith.models.prompts.request import PictureRequest


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("zorvex, beach", {"prompt": "zorvex, beach"}),
        (
            "zorvex, beach --n blurry, low-res --w 768 --h 512 --d 7 --s 28 --l 6.5 --g 3.5 --ss k_euler_a --am 0.8,0.3",
            {
                "prompt": "zorvex, beach", "negative_prompt": "blurry, low-res", "width": 768, "height": 512, "seed": 7, "steps": 28,
                "cfg_scale": 6.5, "guidance": 3.5, "sampler": "euler_a", "strengths": (0.8, 0.3),
            },
        ),
        (
            '--prompt "zorvex \\"z\\" -- beach" --negative_prompt "blurry --w" --steps=28 --sampler_name "DPM++ 2M Karras" --cfg_scale 7',
            {
                "prompt": 'zorvex "z" -- beach', "negative_prompt": "blurry --w", "steps": 28, "sampler": "dpmpp_2m_karras",
                "cfg_scale": 7.0,
            },
        ),
        ("a well--known cat -- sitting", {"prompt": "a well--known cat -- sitting"}),
        ("--n blurry", {"prompt": "", "negative_prompt": "blurry"}),
        ('a cat --n "x" and y --s 3', {"prompt": "a cat", "negative_prompt": '"x" and y', "steps": 3}),
        ("a cat --n --s 3", {"prompt": "a cat", "negative_prompt": "", "steps": 3}),
    ],
)  # fmt: skip
def test_flags_of_both_programs_are_understood(line, values):
    assert read_line(line).values == values


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("a cat --step 20", "prompt.unknown_flag", "There is no prompt flag --step: did you mean 'steps'"),
        ("a cat --w wide", "prompt.flag_value", "--w cannot be 'wide'"),
        ("a cat --s 0", "prompt.flag_value", "it must be 1 or more"),
        ("a cat --ss euler_b", "prompt.flag_value", "did you mean 'euler_a'"),
        ("a cat --am 0.5,nan", "prompt.flag_value", "it must be finite numbers"),
        ("a cat --batch_size 200 --n_iter 200", "prompt.flag_value", "it must be 10,000 at most"),
        ("a cat --s 20 --steps 30", "prompt.flag_twice", "Remove --steps"),
        ("a cat --prompt b", "prompt.flag_twice", "prompt twice"),
    ],
)
def test_what_is_wrong_with_a_flag_is_said(line, code, words):
    with pytest.raises(SettingsError, match=words) as caught:
        read_line(line)
    assert caught.value.code == code


def test_flags_without_effect_are_named():
    line = read_line("a cat --cn pose.png --fs 3 --s 5")
    assert (line.values["steps"], line.without_effect) == (5, ("--cn", "--fs"))


@given(st.text(), st.text(), st.lists(st.floats(-2, 2), max_size=3))
def test_a_written_line_is_read_as_it_was_meant(prompt, negative, strengths):
    values = {"negative_prompt": negative, "steps": 3, "seed": 4, "sampler": "euler_a", "strengths": tuple(strengths) or (1.0,)}
    line = read_line(as_line(prompt, values, count=2))
    assert (line.values, line.count) == ({"prompt": prompt, **values}, 2)


def test_several_lines_have_seeds_in_order_and_counts_are_pictures():
    lines = [read_line(text) for text in ("a", "b --batch_size 2 --n_iter 2 --d 40", "c")]
    requests = requests_of(lines, PictureRequest(seed=1, steps=9))
    assert [(one.prompt, one.seed, one.steps) for one in requests] == [
        ("a", 1, 9), ("b", 40, 9), ("b", 41, 9), ("b", 42, 9), ("b", 43, 9), ("c", 6, 9)
    ]  # fmt: skip


def test_prompt_files_of_sd_scripts_are_read_in_all_forms(tmp_path):
    (tmp_path / "p.txt").write_text("\ufeff# mine\nred cat --s 5\n\n  blue cat --d 3\n", encoding="utf-8")
    (tmp_path / "p.toml").write_text('[prompt]\nsample_steps = 5\n[[prompt.subset]]\nprompt = "red cat"\n[[prompt.subset]]\nprompt = "b"\n')
    said = '[{"prompt": "red cat", "scale": 4, "sample_sampler": "ddim", "negative_prompt": null, "width": null, "sample_steps": 5.0}]'
    (tmp_path / "p.json").write_text(said)
    read = {name: [dict(line.values) for line in read_prompt_file(tmp_path / name)] for name in ("p.txt", "p.toml", "p.json")}
    assert read == {
        "p.txt": [{"prompt": "red cat", "steps": 5}, {"prompt": "blue cat", "seed": 3}],
        "p.toml": [{"steps": 5, "prompt": "red cat"}, {"steps": 5, "prompt": "b"}],
        "p.json": [{"prompt": "red cat", "cfg_scale": 4.0, "sampler": "ddim", "steps": 5}],
    }


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.txt", b"red cat\nblue cat --colour 3\n", "line 2: There is no prompt flag --colour"),
        ("p.txt", b"# nothing\n", "has no prompt"),
        ("p.txt", b"\xff\xfe\x00", "it is not UTF-8"),
        ("p.toml", b"[prompts]\n", "is not one of sd-scripts"),
        ("p.json", b'[{"promt": "a"}]', "prompt 1: There is no prompt flag promt: did you mean 'prompt'"),
        ("q.json", b"[3]", "is not one of sd-scripts"),
        ("q.json", b'[{"prompt": "a", "width": [64]}]', r"prompt 1: The prompt flag width cannot be \[64\]: it must be a whole number"),
        ("q.json", b'[{"prompt": "a", "steps": 28.5}]', "steps cannot be 28.5: it must be a whole number"),
        ("q.json", b'[{"prompt": ["a"]}]', "it must be a text"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=words):
        read_prompt_file(tmp_path / name)
