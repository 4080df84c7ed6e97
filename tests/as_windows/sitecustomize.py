"""Makes a Python on Linux refuse what Windows refuses. Python imports this file by its name when it starts, with its folder on PYTHONPATH.

What it shows is little beside a Windows machine, but it is what programs written elsewhere most often run into:

- modules and functions that only POSIX has are missing for Lorasmith;
- a file that is open or mapped cannot be replaced, renamed or removed, and nothing is renamed onto what is there already;
- names that Windows keeps for devices, that have one of its special characters, or end with a dot or a space cannot be made;
- names that differ in case alone, or in how their accents are written, are one file;
- there is no /proc;
- a child inherits no open files, and a symbolic link needs rights that a user does not have.

The names, /proc and the CPUs that a process may use are as on macOS too. The system goes on to call itself POSIX, since Python's own library would not work otherwise.
"""

from __future__ import annotations

import builtins
import os
import re
import stat
import subprocess
import sys
import unicodedata

MISSING_MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "pty", "tty", "syslog")
MISSING_FUNCTIONS = (
    "chown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getuid", "killpg", "mkfifo", "nice", "openpty", "pipe2",
    "sched_getaffinity", "setpgid", "setsid", "statvfs", "sync", "uname",
)  # fmt: skip
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])\s*(\.|$)")
SPECIAL = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')
MAKES = os.O_CREAT
ROOTS = ("/proc/", "/dev/", "/sys/")
STANDARD_LIBRARY = os.path.dirname(os.__file__) + "/"


def _is_ours() -> bool:
    """Whether Lorasmith asks, itself or through Python's own library."""
    frame = sys._getframe(1)
    while frame is not None:
        name, file = str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename
        if file != __file__ and (name.startswith("lorasmith") or not file.startswith((STANDARD_LIBRARY, "<frozen"))):
            return name.startswith("lorasmith")
        frame = frame.f_back
    return False


_import = builtins.__import__


def _import_as_windows(name, globals=None, locals=None, fromlist=(), level=0):
    if name in MISSING_MODULES and str((globals or {}).get("__name__", "")).startswith("lorasmith"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return _import(name, globals, locals, fromlist, level)


class _Os(type(os)):
    """The module `os` as Lorasmith sees it."""

    def __getattribute__(self, name):
        if name in MISSING_FUNCTIONS and str(sys._getframe(1).f_globals.get("__name__", "")).startswith("lorasmith"):
            raise AttributeError(f"module 'os' has no attribute {name!r}")
        return super().__getattribute__(name)


def _open_files() -> set[str]:
    """What this process has open or mapped."""
    found = set()
    for entry in _listdir("/proc/self/fd"):
        try:
            found.add(_readlink(f"/proc/self/fd/{entry}"))
        except OSError:  # closed meanwhile, or the listing's own
            continue
    with _open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        found.update(line.split(maxsplit=5)[5].rstrip("\n") for line in maps if line.count("/"))
    return found


_listdir, _readlink, _open = os.listdir, os.readlink, builtins.open


def _refuse_open(path) -> None:
    name = os.path.realpath(os.fsdecode(path))
    if name in _open_files():
        raise PermissionError(13, "The process cannot access the file because it is being used by another process", name)


def _refuse_name(path) -> None:
    if isinstance(path, int):
        return
    for part in os.fsdecode(path).split("/"):
        if part not in ("", ".", "..") and (DEVICES.match(part) or SPECIAL.search(part)):
            raise OSError(22, "The filename, directory name, or volume label syntax is incorrect", os.fsdecode(path))


def _refuse_twin(path) -> None:
    """Refuse a file that would be another one there: what writes it here would write over that one."""
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    if os.path.lexists(path) or not os.path.isdir(folder):
        return
    for other in _listdir(folder):
        if other != name and _as_one(other) == _as_one(name):
            raise FileExistsError(17, f"Here {other!r} is the same file", os.fsdecode(path))


def _as_one(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_plain(path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _audit(event: str, args: tuple) -> None:
    if event == "open":
        path, _mode, flags = args
        if isinstance(path, (str, bytes)) and isinstance(flags, int) and flags & MAKES and not os.fsdecode(path).startswith(ROOTS):
            _refuse_name(path)
            if _is_ours():
                _refuse_twin(path)
        elif (
            isinstance(path, (str, bytes))
            and os.fsdecode(path).startswith("/proc/")
            and sys._getframe(1).f_code is not _open_files.__code__
            and _is_ours()
        ):
            raise FileNotFoundError(2, "No such file or directory", os.fsdecode(path))
    elif event == "os.rename":
        source, target = args[0], args[1]
        _refuse_name(target)
        if _as_one(os.path.basename(os.fsdecode(source))) != _as_one(os.path.basename(os.fsdecode(target))) and _is_ours():
            _refuse_twin(target)
        for path in (source, target):
            if _is_plain(path) and _is_ours():
                _refuse_open(path)
    elif event == "os.remove":
        if args[1] in (-1, None) and _is_plain(args[0]) and _is_ours():
            _refuse_open(args[0])
    elif event == "os.mkdir":
        _refuse_name(args[0])
        if _is_ours():
            _refuse_twin(args[0])
    elif event == "os.symlink" and _is_ours():
        raise OSError(1314, "A required privilege is not held by the client", os.fsdecode(args[1]))


_rename = os.rename


def _rename_as_windows(src, dst, **more):
    if _is_ours() and os.path.lexists(dst) and not os.path.samefile(src, dst):
        raise FileExistsError(183, "Cannot create a file when that file already exists", os.fsdecode(dst))
    _rename(src, dst, **more)


_popen = subprocess.Popen.__init__


def _popen_as_windows(self, *args, pass_fds=(), preexec_fn=None, **more):
    if pass_fds and _is_ours():
        raise ValueError("pass_fds not supported on Windows.")
    if preexec_fn is not None and _is_ours():
        raise ValueError("preexec_fn is not supported on Windows platforms")
    _popen(self, *args, pass_fds=pass_fds, preexec_fn=preexec_fn, **more)


def become_windows() -> None:
    builtins.__import__ = _import_as_windows
    os.rename = _rename_as_windows
    os.__class__ = _Os
    subprocess.Popen.__init__ = _popen_as_windows
    sys.addaudithook(_audit)


if os.environ.get("LORASMITH_TESTS_AS_WINDOWS"):
    become_windows()
