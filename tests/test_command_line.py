"""Commands in messages can be pasted, whatever the paths in them are called."""

import ctypes
import shlex
import sys

import pytest

from lorasmith.command_line import quoted

WORDS = ("my run", "plain/run-1.toml", "Anna's & Ben's (2)", "$HOME `x`", 'a "b" c', "ünï côde", "~/x", "s3://bucket/a b", "", "ends\\")


@pytest.mark.parametrize("word", WORDS)
def test_a_posix_shell_reads_the_word_again(word):
    assert shlex.split(f"lorasmith resume {quoted(word, windows=False)} --set x=1") == ["lorasmith", "resume", word, "--set", "x=1"]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        (r"C:\runs\zorvex-1", r"C:\runs\zorvex-1"), (r"C:\My Runs\zorvex", r'"C:\My Runs\zorvex"'), (r"C:\My Runs" + "\\", r'"C:\My Runs\\"'),
        (r"D:\A&B (1)", r'"D:\A&B (1)"'), (r"C:\cost $5", r"'C:\cost $5'"), ("it's", '"it\'s"'), ("it's $5", "'it''s $5'"), (r"C:\größe", r"C:\größe"), ("", '""'),
    ],
)  # fmt: skip
def test_on_windows_words_are_in_double_quotes_unless_powershell_reads_a_variable_in_them(word, shown):
    assert quoted(word, windows=True) == shown


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows itself")
@pytest.mark.parametrize("word", [word for word in WORDS if "$" not in word])
def test_windows_reads_the_word_again(word):
    shell = ctypes.windll.shell32  # type: ignore[attr-defined]
    count = ctypes.c_int()
    shell.CommandLineToArgvW.restype = ctypes.POINTER(ctypes.c_wchar_p)
    found = shell.CommandLineToArgvW(f"lorasmith resume {quoted(word, windows=True)}", ctypes.byref(count))
    assert [found[k] for k in range(count.value)] == ["lorasmith", "resume", word]
