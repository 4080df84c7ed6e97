"""Chromium for the tests of the studio's page: where it is, how it is started, how one gets it.

python -m tests.browser.chromium      # says so where there is none
"""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

MISSING = "The studio's page is tested in Chromium (make browser), which is not on this machine. Install it: apt install chromium"

FLAGS = (
    "--no-first-run", "--no-default-browser-check", "--disable-default-apps", "--disable-sync", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-domain-reliability", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
"""Nothing is looked up and nothing asked of the net: whatever the page wants is on the loopback."""


def chromium() -> str | None:
    """The path of the program; None where there is none. The variable CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def flags() -> list[str]:
    """What it is started with; as root it refuses its sandbox."""
    return [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


if __name__ == "__main__" and chromium() is None:
    print(MISSING)
