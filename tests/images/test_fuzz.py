"""Whatever bytes lie in a folder, every file ends as measured or as a finding, and nothing crashes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lorasmith.curation.audit.dataset import audit_dataset
from lorasmith.curation.audit.picture_kinds import judge
from lorasmith.errors import DatasetError
from lorasmith.images.measures import measure
from lorasmith.images.read import picture_size
from tests.photographs import photograph


def small() -> Image.Image:
    return photograph("chelsea").resize((96, 64))


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    small().save(buffer, kind, **options)
    return buffer.getvalue()


def heic() -> bytes:
    return pytest.importorskip("pillow_heif").from_pillow(small()).save(buffer := io.BytesIO(), quality=60) or buffer.getvalue()


def jxl() -> bytes:
    return pytest.importorskip("imagecodecs").jpegxl_encode(np.asarray(small()))


FORMATS: dict[str, Callable[[], bytes]] = {
    "jpg": lambda: encoded("JPEG"),
    "progressive.jpg": lambda: encoded("JPEG", progressive=True),
    "png": lambda: encoded("PNG"),
    "apng": lambda: encoded("PNG", save_all=True, append_images=[small().rotate(9)]),
    "webp": lambda: encoded("WEBP"),
    "moving.webp": lambda: encoded("WEBP", save_all=True, append_images=[small().rotate(9)]),
    "bmp": lambda: encoded("BMP"),
    "tiff": lambda: encoded("TIFF", compression="tiff_lzw"),
    "gif": lambda: encoded("GIF", save_all=True, append_images=[small().rotate(9)]),
    "avif": lambda: encoded("AVIF", speed=10),
    "heic": heic,
    "jxl": jxl,
}


def ends_well(path: Path) -> bool:
    """Whether the file was measured, or is a finding with its name; anything raised fails the test."""
    measures = measure(path, "x", 1)
    findings = list(judge(path.name, measures))
    if measures.problem:
        return [finding.code for finding in findings] == ["audit.unreadable"] and path.name in measures.problem
    return min(measures.size) > 0 and measures.signature is not None


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_changed_bytes_is_measured_or_reported(tmp_path, name, data):
    whole = bytearray(FORMATS[name]())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.one_of(st.integers(0, min(63, len(whole) - 1)), st.integers(0, len(whole) - 1)))
        whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path / f"one.{name}"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    assert ends_well(path)
    with contextlib.suppress(DatasetError):
        assert min(picture_size(path)) > 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"\xff\n", b"\0\0\0\x18ftypheic", b"\0\0\0\x1cftypavif", b"\0\0\0\x0cJXL \r\n\x87\n"]))  # fmt: skip
def test_bytes_that_begin_like_a_picture_are_reported(tmp_path, content, start):
    path = tmp_path / "one.png"
    path.write_bytes(start + content)
    assert ends_well(path)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (7, 9), (23, 24), (64, 64), (3, 4000)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "1", "P"])
def test_any_shape_and_mode_is_measured(tmp_path, size, mode):
    path = tmp_path / "one.png"
    Image.new(mode, size).save(path)
    assert measure(path, "x", 1).size == size
    assert ends_well(path)


def test_no_file_of_a_folder_of_damaged_files_is_lost(tmp_path):
    for name, make in FORMATS.items():
        whole = make()
        (tmp_path / f"whole.{name}").write_bytes(whole)
        (tmp_path / f"half.{name}").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "letter.jpg").write_text("no picture")
    result = audit_dataset(tmp_path, resolution=64)
    assert {p.path.name for p in result.pictures} == {path.name for path in tmp_path.iterdir()}
    unreadable = {finding.subjects[0] for finding in result.findings if finding.code == "audit.unreadable"}
    assert {"empty.png", "letter.jpg"} <= unreadable
    assert not any(name.startswith("whole") for name in unreadable)
    for picture in result.pictures:
        assert (picture.path.name in unreadable) == bool(picture.measures.problem)
