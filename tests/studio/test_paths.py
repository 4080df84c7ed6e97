"""No name in a call leads out of its folder."""

import pytest

from lorasmith.errors import InputError
from lorasmith.studio.paths import confined, within


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.txt").write_text("nobody's business", encoding="utf-8")
    (tmp_path / "dataset-of-another").mkdir()
    inside = tmp_path / "dataset"
    (inside / "anna").mkdir(parents=True)
    (inside / "anna" / "cat.png").write_bytes(b"")
    (inside / "out").symlink_to(tmp_path)
    (inside / "file").symlink_to(tmp_path / "secret.txt")
    (inside / "round").symlink_to(inside / "anna")
    return inside


@pytest.mark.parametrize("name", ["anna/cat.png", "anna", "anna/new.png", "é ü/猫.png", "..anna", "a..b", "%2e%2e"])
def test_a_name_below_the_folder_is_found(folder, name):
    assert confined(folder, name) == folder.resolve() / name


def test_a_link_to_a_place_below_the_folder_is_followed(folder):
    assert confined(folder, "round/cat.png") == folder.resolve() / "anna" / "cat.png"


OUTSIDE = ["", ".", "..", "../secret.txt", "anna/../../secret.txt", "anna/..", "/etc/passwd", "//etc/passwd", "anna//cat.png", "anna/",
    "out/secret.txt", "out", "file", "out/dataset-of-another", "..\\secret.txt", "anna\\..\\..\\secret.txt", "C:\\Windows", "C:secret.txt",
    "c:/Windows", "\\\\server\\share", "\\\\?\\C:\\x"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_is_refused(folder, name):
    with pytest.raises(InputError) as refused:
        confined(folder, name)
    assert refused.value.code == "path.outside"


@pytest.mark.parametrize(
    "name", ["a\0b", "a\nb", "\x7f", "nul", "anna/CON.png", "aux.txt", "COM1", "anna/cat.png:stream", "dot.", "space ", "\udcff"]
)
def test_a_name_that_some_system_cannot_hold_is_refused(folder, name):
    with pytest.raises(InputError) as refused:
        confined(folder, name)
    assert refused.value.code == "path.name"


def test_a_folder_beside_with_a_longer_name_is_outside(folder):
    with pytest.raises(InputError):
        within(folder, folder.parent / "dataset-of-another")


def test_the_folder_itself_is_within(folder):
    assert within(folder, folder) == folder.resolve()
