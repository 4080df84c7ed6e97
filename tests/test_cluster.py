"""Joining a cluster: what cannot work is said in a sentence, and within seconds."""

from __future__ import annotations

import socket
import sys

import pytest

from lorasmith.cluster import imported, joined
from lorasmith.errors import InputError


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    with pytest.raises(InputError, match=r'Ray is missing. Install it with: pip install "lorasmith\[scale\]"'):
        imported()


@pytest.mark.slow  # it imports Ray
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:PORT", "No head of a Ray cluster answers at"),
        ("ray://127.0.0.1:10001", "Run this on a node of the cluster"),
        ("nowhere", "nowhere is not the address of a Ray cluster. Give HEAD:PORT"),
        ("auto", "This machine is not a node of any Ray cluster"),
    ],
)
def test_an_address_without_a_cluster_is_said(address, sentence, monkeypatch, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'lorasmith[scale]'")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        with pytest.raises(InputError, match=sentence), joined(address.replace("PORT", str(unused.getsockname()[1]))):
            pass
