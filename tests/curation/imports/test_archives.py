"""Archives that strangers made: read where they are sound, refused where they would harm, never unpacked."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from lorasmith.curation.imports.archives import Limits, open_archive
from lorasmith.errors import DatasetError

FILES = {"a.png": b"first", "more/b.png": b"second" * 1000, "more/b.txt": "größer".encode()}


def make_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path, files, kind=""):
    with tarfile.open(path, f"w:{kind}") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def contents(path, limits=None):
    with open_archive(path, limits) as archive:
        return {member.name: archive.open(member).read() for member in archive.members}, archive.refused


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_every_kind_gives_its_files(tmp_path, kind):
    path = tmp_path / f"pile.{kind}"
    make_zip(path, FILES) if kind == "zip" else make_tar(path, FILES, kind[4:])
    assert contents(path) == (FILES, [])
    misnamed = path.rename(tmp_path / "pile.dat")
    assert contents(misnamed) == (FILES, [])


def zip_with_names(path, names, extra=b""):
    """A ZIP whose members have these bytes as names, and no flag that says in which encoding."""
    stands_for = {f"{number:0{len(name)}d}": name for number, name in enumerate(names)}
    with zipfile.ZipFile(path, "w") as archive:
        for name in stands_for:
            info = zipfile.ZipInfo(name)
            info.extra = extra
            archive.writestr(info, b"picture")
    content = path.read_bytes()
    for name, raw in stands_for.items():
        content = content.replace(name.encode(), raw)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "cp437", "gbk", "shift-jis", "cp1251"])
def test_names_in_a_zip_that_does_not_say_their_encoding_are_read(tmp_path, encoding):
    names = {
        "utf-8": ["10_größe/für.png", "10_größe/猫.png"], "cp437": ["10_größe/für.png"], "gbk": ["10_安娜, 红色连衣裙/站立的女孩.png"],
        "shift-jis": ["10_花子, 赤いドレス/立っている女の子.png"], "cp1251": ["10_кошка на окне/рыжий кот.png"],
    }[encoding]  # fmt: skip
    found, refused = contents(zip_with_names(tmp_path / "pile.zip", [name.encode(encoding) for name in names]))
    assert (found, refused) == (dict.fromkeys(names, b"picture"), [])


def test_a_name_that_a_zip_has_in_utf8_beside_another_counts_if_it_is_of_that_one(tmp_path):
    raw, said = "caf?.png".encode("cp437").replace(b"?", b"\x82"), "café ☕.png".encode()
    for crc, name in ((zlib.crc32(raw), "café ☕.png"), (0, "café.png")):
        field = b"\1" + crc.to_bytes(4, "little") + said
        path = zip_with_names(tmp_path / f"{crc}.zip", [raw], struct.pack("<HH", 0x7075, len(field)) + field)
        assert list(contents(path)[0]) == [name]


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:\\evil.png", "..\\evil.png", "C:evil.png", "\\evil.png"]
)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_member_that_leads_out_is_refused_and_the_others_come(tmp_path, name, make):
    files, refused = contents(make(tmp_path / "pile", {name: b"evil", "good.png": b"good"}))
    assert files == {"good.png": b"good"}
    assert [one.name for one in refused] == [name]
    assert "refused" in refused[0].message


def test_links_and_devices_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as archive:
        for name, kind in (("link.png", stat.S_IFLNK), ("device.png", stat.S_IFCHR)):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (kind | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    with tarfile.open(tmp_path / "pile.tar", "w") as archive:
        for name, kind in (
            ("soft.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("fifo.png", tarfile.FIFOTYPE),
            ("dev.png", tarfile.CHRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    for pile, names in (("pile.zip", ["link.png", "device.png"]), ("pile.tar", ["soft.png", "hard.png", "fifo.png", "dev.png"])):
        files, refused = contents(tmp_path / pile)
        assert files == {}
        assert [one.name for one in refused] == names


SMALL = Limits(ratio=10, free=1000, member=100_000, total=300_000, members=20)
ZEROS = b"\0" * 90_000


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_a_bomb_is_refused_by_its_ratio(tmp_path, kind):
    path = tmp_path / "bomb"
    make_zip(path, {"a.png": ZEROS}) if kind == "zip" else make_tar(path, {"a.png": ZEROS}, kind)
    with pytest.raises(DatasetError, match="decompression bomb"):
        contents(path, SMALL)
    assert contents(path)[0] == {"a.png": ZEROS}


def test_a_bomb_is_refused_by_its_size(tmp_path):
    files = {f"{n}.png": ZEROS for n in range(4)}
    with pytest.raises(DatasetError, match="decompression bomb"):
        contents(make_zip(tmp_path / "b.zip", files, zipfile.ZIP_STORED), SMALL)
    with pytest.raises(DatasetError, match="decompression bomb"):
        contents(make_tar(tmp_path / "b.tar", files), SMALL)
    with pytest.raises(DatasetError, match="more than 20 files"):
        contents(make_tar(tmp_path / "many.tar", {f"{n}.png": b"" for n in range(21)}), SMALL)


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path):
    path = make_zip(tmp_path / "liar.zip", {"a.png": ZEROS})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", len(ZEROS)), struct.pack("<I", 50)))
    with open_archive(path, SMALL) as archive, pytest.raises(DatasetError, match="a.png' is damaged"):
        archive.open(archive.members[0]).read()


def test_a_zip_with_a_password_is_a_sentence(tmp_path):
    path = make_zip(tmp_path / "secret.zip", {"a.png": b"12345"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the file's header
    data[data.index(b"PK\1\2") + 8] |= 1  # and in the directory
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="secret.zip is protected with a password"):
        contents(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", b"PK\3\4 and nothing", b"Rar!\x1a\7\0", gzip.compress(b"x", mtime=0), bz2.compress(b"x"), lzma.compress(b"x")],
)
def test_what_is_no_archive_is_a_sentence(tmp_path, data):
    path = tmp_path / "pile.zip"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"pile\.zip is"):
        contents(path)
    with pytest.raises(DatasetError, match="cannot be opened"):
        contents(tmp_path / "missing.zip")


def test_one_damaged_member_does_not_take_the_others_along(tmp_path):
    path = make_zip(tmp_path / "pile.zip", {"a.png": b"abcdefgh", "b.png": b"ijklmnop"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcdXfgh"))
    with open_archive(path) as archive:
        with pytest.raises(DatasetError, match=r"'a\.png' is damaged"):
            archive.open(archive.members[0]).read()
        assert archive.open(archive.members[1]).read() == b"ijklmnop"


def test_a_tar_that_breaks_off_gives_what_came_before(tmp_path):
    path = make_tar(tmp_path / "pile.tar", {name: name.encode() * 1000 for name in ("a.png", "b.png", "c.png")})
    path.write_bytes(path.read_bytes()[:8000])
    with open_archive(path) as archive:
        assert [member.name for member in archive.members] == ["a.png", "b.png"]
        assert archive.open(archive.members[0]).read() == b"a.png" * 1000
        with pytest.raises(DatasetError, match=r"'b\.png' is damaged"):
            archive.open(archive.members[1]).read()
        assert "breaks off after 2 files" in archive.refused[0].message
