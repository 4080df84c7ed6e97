"""A picture is read as a person sees it, or refused with a sentence that helps."""

import hashlib
import io
import os
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms, PngImagePlugin

from lorasmith.dataset_folder import PICTURE_SUFFIXES
from lorasmith.errors import DatasetError
from lorasmith.images import read
from lorasmith.images.read import content_hash, picture_size, read_picture, read_with_facts
from tests.photographs import UNREADABLE, make_pile, photograph, png_chunk


@pytest.fixture(scope="module")
def pile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_pile(tmp_path_factory.mktemp("pile"))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference over pixels and channels (0-255)."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).mean())


def colour(picture: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = picture.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def test_every_sound_file_of_the_pile_becomes_rgb_of_its_header_size(pile: dict[str, Path]):
    for name in pile.keys() - set(UNREADABLE):
        picture = read_picture(pile[name])
        assert picture.mode == "RGB", name
        assert picture.size == picture_size(pile[name]), name


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_a_photograph_looks_as_it_was_saved(pile: dict[str, Path], name: str):
    assert difference(read_picture(pile[name]), photograph(name)) < 4


# Turned pictures


def test_a_photograph_taken_upright_stands_upright(pile: dict[str, Path]):
    assert picture_size(pile["rotated"]) == (451, 300)
    assert difference(read_picture(pile["rotated"]), photograph("chelsea")) < 4


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_in_each_format_comes_out_upright_in_picture_and_size(tmp_path: Path, ending: str, orientation: int):
    upright = photograph("chelsea").resize((96, 64))
    stored_as = {**dict.fromkeys((1,), None), **read.UPRIGHT}
    inverse = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90}
    turn = stored_as[orientation]
    stored = upright if turn is None else upright.transpose(inverse.get(turn, turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"cat.{ending}"
    stored.save(path, exif=exif, quality=95)
    assert picture_size(path) == (96, 64)
    assert difference(read_picture(path), upright) < 6


def test_an_orientation_behind_the_pixels_of_a_png_is_found(tmp_path: Path):
    path = tmp_path / "late.png"
    Image.new("RGB", (20, 10)).save(path)
    content = path.read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    late = png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    path.write_bytes(content[:-12] + late + content[-12:])
    assert picture_size(path) == read_picture(path).size == (10, 20)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("block", [b"MM\0*\0\0\0\x08\xff\xff\x01\x12garbage", b"nothing of the kind"])
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_broken_exif_block_costs_the_orientation_but_not_the_picture(tmp_path: Path, ending: str, block: bytes):
    path = tmp_path / f"cat.{ending}"
    photograph("chelsea").save(path, exif=b"Exif\0\0" + block)
    assert read_picture(path).size == picture_size(path) == (451, 300)


def test_a_size_is_read_from_the_header_alone(pile: dict[str, Path], tmp_path: Path):
    path = tmp_path / "head.png"
    path.write_bytes(pile["astronaut"].read_bytes()[:2000])
    assert picture_size(path) == (512, 512)


# Colours


def test_cmyk_ink_shows_its_colours_and_not_their_negative(pile: dict[str, Path]):
    assert difference(read_picture(pile["cmyk"]), photograph("chelsea")) < 6


def test_a_cmyk_jpeg_that_is_not_from_adobe_is_not_inverted(tmp_path: Path):
    path = tmp_path / "plain.jpg"
    ImageChops.invert(photograph("chelsea").convert("CMYK")).save(path, quality=90)
    content = path.read_bytes()
    start = content.index(b"\xff\xee")
    length = struct.unpack(">H", content[start + 2 : start + 4])[0]
    assert content[start + 4 :].startswith(b"Adobe")
    path.write_bytes(content[:start] + content[start + 2 + length :])
    assert difference(read_picture(path), photograph("chelsea")) < 6


def test_a_cmyk_tiff_shows_its_colours(tmp_path: Path):
    path = tmp_path / "ink.tif"
    photograph("chelsea").convert("CMYK").save(path)
    assert difference(read_picture(path), photograph("chelsea")) < 3


def test_a_cmyk_picture_follows_its_embedded_profile(tmp_path: Path):
    path = tmp_path / "ink.jpg"
    half_cyan = Image.new("CMYK", (32, 32), (128, 0, 0, 0))
    half_cyan.save(path)
    red, green, blue = colour(read_picture(path))
    assert red < green
    assert red < blue
    half_cyan.save(path, icc_profile=cmyk_profile(paper=(60.0, 60.0, 40.0)))  # on this red paper it is a dark red
    red, green, blue = colour(read_picture(path))
    assert red > green + 40
    assert red > blue + 40


def test_colours_of_a_wider_profile_are_brought_to_srgb(tmp_path: Path):
    path = tmp_path / "wide.png"
    linear = rgb_profile(gamma=1.0)
    Image.new("RGB", (8, 8), (55, 55, 55)).save(path, icc_profile=linear)
    assert all(abs(value - 128) <= 2 for value in colour(read_picture(path)))  # linear 55/255 is mid grey in sRGB


def test_a_grey_picture_follows_a_colour_profile_too(tmp_path: Path):
    path = tmp_path / "grey.png"
    Image.new("L", (8, 8), 55).save(path, icc_profile=rgb_profile(gamma=1.0))
    assert all(abs(value - 128) <= 2 for value in colour(read_picture(path)))


def test_transparency_survives_the_way_through_a_profile(tmp_path: Path):
    path = tmp_path / "wide.png"
    half = Image.new("RGBA", (8, 8), (55, 55, 55, 255))
    half.paste((0, 0, 0, 0), (0, 0, 4, 8))
    half.save(path, icc_profile=rgb_profile(gamma=1.0))
    picture = read_picture(path, background=(0, 255, 0))
    assert colour(picture, 0, 0) == (0, 255, 0)
    assert abs(colour(picture, 7, 0)[1] - 128) <= 2


def test_an_srgb_profile_changes_next_to_nothing(tmp_path: Path):
    path = tmp_path / "cat.png"
    photograph("chelsea").save(path, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert np.abs(np.asarray(read_picture(path)).astype(int) - np.asarray(photograph("chelsea"))).max() <= 1


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, None])
def test_a_broken_or_unfitting_profile_leaves_the_plain_colours(tmp_path: Path, profile: bytes | None):
    path = tmp_path / "cat.png"
    photograph("chelsea").save(path, icc_profile=profile or cmyk_profile(paper=(60.0, 60.0, 40.0)))
    assert difference(read_picture(path), photograph("chelsea")) == 0


def test_a_broken_profile_in_cmyk_falls_back_to_the_plain_conversion(tmp_path: Path):
    path = tmp_path / "ink.jpg"
    photograph("chelsea").convert("CMYK").save(path, quality=90, icc_profile=rgb_profile(1.8)[:150])
    assert difference(read_picture(path), photograph("chelsea")) < 6


def test_lab_colours_are_converted(tmp_path: Path):
    path = tmp_path / "lab.tif"
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    in_lab = ImageCms.profileToProfile(photograph("chelsea"), srgb, lab, outputMode="LAB")
    assert in_lab is not None
    in_lab.save(path)
    assert difference(read_picture(path), photograph("chelsea")) < 3


# Depth, palettes, transparency


def test_16_bit_grey_is_scaled_and_not_clipped(pile: dict[str, Path], tmp_path: Path):
    green = photograph("chelsea").getchannel("G")
    assert difference(read_picture(pile["deep_grey"]), Image.merge("RGB", (green,) * 3)) == 0
    with Image.open(pile["deep_grey"]) as deep:
        deep.save(tmp_path / "deep.tif")
    assert difference(read_picture(tmp_path / "deep.tif"), Image.merge("RGB", (green,) * 3)) == 0


def test_16_bit_colours_are_scaled(pile: dict[str, Path]):
    assert difference(read_picture(pile["deep_colour"]), photograph("chelsea")) == 0


def test_one_transparent_grey_of_16_bits_shows_the_background(tmp_path: Path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.array([[1000, 1001]], dtype=np.uint16)).save(path, transparency=1000)
    picture = read_picture(path, background=(255, 0, 0))
    assert colour(picture, 0, 0) == (255, 0, 0)
    assert colour(picture, 1, 0) == (4, 4, 4)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_whose_white_is_unknown_are_refused(tmp_path: Path, mode: str):
    path = tmp_path / "scan.tif"
    Image.new(mode, (9, 9), 1).save(path)
    with pytest.raises(DatasetError, match=r"scan\.tif stores 32 bits.*8 or 16 bits"):
        read_picture(path)


def test_a_palette_gives_its_colours(pile: dict[str, Path]):
    assert difference(read_picture(pile["palette"]), photograph("chelsea").quantize(64).convert("RGB")) == 0


def test_black_and_white_without_greys_is_read(tmp_path: Path):
    path = tmp_path / "fax.png"
    Image.new("1", (9, 9), 1).save(path)
    assert colour(read_picture(path)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_one_transparent_colour_shows_the_background(tmp_path: Path, mode: str):
    path = tmp_path / "logo.png"
    picture = Image.new("RGB", (4, 1), (90, 90, 90))
    picture.putpixel((0, 0), (7, 7, 7))
    picture = picture.quantize(2) if mode == "P" else picture.convert(mode)
    picture.save(path, transparency=picture.getpixel((0, 0)))
    flat = read_picture(path, background=(0, 0, 255))
    assert colour(flat, 0) == (0, 0, 255)
    assert colour(flat, 1) == (90, 90, 90)


@pytest.mark.parametrize("ending", ["png", "webp", "tif", "avif"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_half_transparency_mixes_with_the_background(tmp_path: Path, mode: str, ending: str):
    path = tmp_path / f"glass.{ending}"
    Image.new("RGBA", (16, 16), (0, 0, 0, 128)).convert(mode).save(path)
    assert all(abs(value - 127) <= 2 for value in colour(read_picture(path)))
    red, green, _ = colour(read_picture(path, background=(255, 0, 0)))
    assert abs(red - 127) <= 2
    assert green <= 2


def test_a_clear_background_is_white_unless_asked_otherwise(pile: dict[str, Path]):
    assert colour(read_picture(pile["alpha"])) == (255, 255, 255)
    assert colour(read_picture(pile["alpha"], background=(1, 2, 3))) == (1, 2, 3)


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "avif", "tif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, ending: str):
    path = tmp_path / f"film.{ending}"
    red, blue = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    red.save(path, save_all=True, append_images=[blue])
    value = colour(read_picture(path), 16, 16)
    assert value[0] > 240
    assert value[2] < 15


def test_the_picture_that_an_apng_keeps_for_readers_without_animation_is_no_frame(tmp_path: Path):
    path = tmp_path / "film.png"
    red, blue, green = (Image.new("RGB", (32, 32), name) for name in ("red", "blue", "lime"))
    red.save(path, save_all=True, append_images=[blue, green], default_image=True, duration=80)
    assert colour(read_picture(path), 16, 16)[2] > 240
    assert picture_size(path) == (32, 32)


def test_the_content_counts_and_not_the_ending(pile: dict[str, Path], tmp_path: Path):
    path = tmp_path / "really_a_jpeg.png"
    path.write_bytes(pile["chelsea"].read_bytes())
    assert picture_size(path) == read_picture(path).size == (451, 300)


# What cannot be read


@pytest.mark.parametrize(
    ("kind", "start"),
    [("TIFF", b"II*\0\x08\0\0\0"), ("PNG", b"\x89PNG\r\n\x1a\n"), ("GIF", b"GIF89a"), ("JPEG", b"\xff\xd8\xff\xe0"), ("HEIC", b"\0\0\0\x18ftypheic")],
)  # fmt: skip
def test_a_file_that_begins_as_a_picture_and_cannot_be_read_is_called_by_what_it_is(tmp_path: Path, kind: str, start: bytes):
    (tmp_path / "a.png").write_bytes(start + bytes(64))
    with pytest.raises(DatasetError, match=f"begins as a {kind}, and is one of an unusual kind or damaged|is damaged"):
        read_picture(tmp_path / "a.png")


def test_a_text_file_named_png_is_refused_by_name(pile: dict[str, Path]):
    for reader in (read_picture, picture_size):
        with pytest.raises(DatasetError, match=r"text\.png is not a picture.*save it again"):
            reader(pile["text"])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "bmp", "tif", "avif"])
def test_a_picture_that_breaks_off_is_refused_in_every_format(tmp_path: Path, ending: str, share: float):
    path = tmp_path / f"half.{ending}"
    photograph("chelsea").save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DatasetError, match=rf"half\.{ending} .*damaged"):
        read_picture(path)


def test_an_empty_file_a_missing_file_and_a_folder_each_get_their_sentence(tmp_path: Path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(DatasetError, match=r"empty\.png is empty"):
        read_picture(tmp_path / "empty.png")
    with pytest.raises(DatasetError, match=r"none\.png cannot be opened \(No such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(DatasetError, match=r"cannot be opened \(Is a directory"):
        picture_size(tmp_path)


def test_a_format_that_is_not_read_is_refused_even_where_pillow_could(tmp_path: Path):
    path = tmp_path / "page.png"
    photograph("chelsea").save(path, format="EPS")
    with pytest.raises(DatasetError, match="not a picture that can be read"):
        read_picture(path)


def claiming(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes whose header claims that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + pixels)
    return path


@pytest.mark.parametrize("warning_filter", ["error", "ignore", "default"])
@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000), (89_478_486, 1)])
def test_a_decompression_bomb_is_refused_under_every_warning_filter(tmp_path: Path, size: tuple[int, int], warning_filter: str):
    path = claiming(tmp_path / "bomb.png", *size)
    with warnings.catch_warnings():
        warnings.simplefilter(warning_filter)  # type: ignore[arg-type]
        for reader in (read_picture, picture_size):
            with pytest.raises(DatasetError, match=r"bomb\.png .*too large.*scale it down"):
                reader(path)


def test_the_limit_holds_where_others_have_lifted_pillows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(DatasetError, match="too large"):
        read_picture(claiming(tmp_path / "bomb.png", 10_000, 10_000))


def test_files_are_closed_after_reading_and_after_failing(pile: dict[str, Path]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
        for name, path in pile.items():
            for reader in (read_picture, picture_size, content_hash):
                try:
                    reader(path)
                except DatasetError:
                    assert name in UNREADABLE
        after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert after == before


def test_the_content_hash_is_that_of_the_bytes(pile: dict[str, Path], tmp_path: Path):
    assert content_hash(pile["chelsea"]) == hashlib.sha256(pile["chelsea"].read_bytes()).hexdigest()
    with pytest.raises(DatasetError, match="cannot be opened"):
        content_hash(tmp_path / "none.png")


# Colour profiles made by hand, since none may be shipped: ICC.1:2001-04, sections 6.1 (header), 6.2 (tags), 6.5 (types)


def rgb_profile(gamma: float) -> bytes:
    """A monitor profile with sRGB's primaries (adapted to D50) and a plain gamma."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return profile(b"mntr", b"RGB ", b"XYZ ", tags)


def cmyk_profile(paper: tuple[float, float, float]) -> bytes:
    """A printer profile in which no ink at all is the colour `paper` (CIE L*a*b*), and any full ink is black."""
    lightness, a, b = paper
    no_ink = bytes((round(lightness * 2.55), round(a + 128), round(b + 128)))
    black = bytes((0, 128, 128))
    identity = b"".join(struct.pack(">i", 65536 if place % 4 == 0 else 0) for place in range(9))
    ramp = bytes(range(256))
    table = b"mft1" + struct.pack(">IBBBB", 0, 4, 3, 2, 0) + identity + ramp * 4 + no_ink + black * 15 + ramp * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": xyz(0.9642, 1.0, 0.8249), b"A2B0": table, b"A2B1": table})


def xyz(*values: float) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(value * 65536) for value in values))


def profile(kind: bytes, colours: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    content, table = io.BytesIO(), io.BytesIO()
    start = 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table.write(struct.pack(">4sII", name, start + content.tell(), len(body)))
        content.write(body + b"\0" * (-len(body) % 4))
    size = start + content.tell()
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"lcms", 0x02400000, kind, colours, connection, b"\0" * 12, b"acsp")
    header += b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table.getvalue() + content.getvalue()


# Formats by extras, and frames


def heic(picture: Image.Image, path: Path, **options: object) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(picture).save(path, quality=95, **options)


def jxl(picture: Image.Image, path: Path) -> None:
    path.write_bytes(pytest.importorskip("imagecodecs").jpegxl_encode(np.asarray(picture), level=98))


@pytest.mark.parametrize(("write", "ending"), [(heic, "heic"), (jxl, "jxl")])
def test_a_photograph_in_an_extra_format_looks_as_it_was_saved(tmp_path: Path, write, ending: str):
    path = tmp_path / f"cat.{ending}"
    write(photograph("chelsea"), path)
    assert picture_size(path) == (451, 300)
    assert difference(read_picture(path), photograph("chelsea")) < 4
    assert path.suffix in PICTURE_SUFFIXES


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA"])
def test_a_jpeg_xl_in_any_mode_is_read(tmp_path: Path, mode: str):
    path = tmp_path / "cat.jxl"
    jxl(photograph("chelsea").convert(mode), path)
    assert difference(read_picture(path), photograph("chelsea").convert("RGB" if mode == "RGBA" else "L").convert("RGB")) < 4


@pytest.mark.parametrize(
    ("module", "write", "ending", "extra"), [("pillow_heif", heic, "heic", "heic"), ("imagecodecs", jxl, "jxl", "jxl")]
)
def test_without_its_extra_a_format_is_refused_by_the_extras_name(tmp_path: Path, monkeypatch, module, write, ending, extra):
    path = tmp_path / f"cat.{ending}"
    write(photograph("chelsea"), path)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(DatasetError, match=rf"cat.{ending} .*pip install lorasmith\[{extra}\]"):
        read_picture(path)


def test_a_jpeg_xl_that_claims_to_be_huge_is_refused_before_it_is_decoded(tmp_path: Path):
    path = tmp_path / "bomb.jxl"
    side = 30_000 - 1  # 18 bits each, the longer form of the header
    bits = 0 | (2 << 1) | (side << 3) | (0 << 21) | (2 << 24) | (side << 26)
    path.write_bytes(b"\xff\x0a" + bits.to_bytes(12, "little"))
    with pytest.raises(DatasetError, match="30000 x 30000 pixels"):
        read_picture(path)


@pytest.mark.parametrize("size", [(256, 256), (90, 160), (17, 1000), (451, 300)])
def test_the_size_of_a_jpeg_xl_stands_in_its_first_bytes(tmp_path: Path, size: tuple[int, int]):
    path = tmp_path / "cat.jxl"
    jxl(photograph("chelsea").resize(size), path)
    path.write_bytes(path.read_bytes()[:64])
    assert picture_size(path) == size


@pytest.mark.parametrize(("kind", "animated"), [("PNG", True), ("GIF", True), ("WEBP", True), ("PNG", False), ("GIF", False)])
def test_whether_there_are_more_frames_is_said(tmp_path: Path, kind: str, animated: bool):
    path = tmp_path / "cat.png"
    cat = photograph("chelsea")
    cat.save(path, kind, save_all=animated, **({"append_images": [cat.rotate(90)], "duration": 80} if animated else {}))
    reading = read.read_with_facts(path)
    assert reading.animated == animated
    assert reading.format == kind
    assert difference(reading.picture, cat) < 12


def test_premultiplied_edges_are_not_darkened(tmp_path: Path):
    path = tmp_path / "soft.tif"
    Image.new("RGBA", (64, 64), (128, 0, 0, 128)).save(path)  # half-clear red, its colour multiplied already
    said = b"\x52\x01\x03\x00\x01\x00\x00\x00"  # ExtraSamples: one number of 16 bits
    assert path.read_bytes().count(said + b"\x02") == 1
    path.write_bytes(path.read_bytes().replace(said + b"\x02", said + b"\x01"))
    assert colour(read_picture(path)) == pytest.approx((255, 127, 127), abs=3)


def test_the_share_that_is_not_opaque_is_said(tmp_path: Path):
    path = tmp_path / "half.png"
    half = Image.new("RGBA", (10, 10), "red")
    half.paste((0, 0, 0, 0), (0, 0, 10, 5))
    half.save(path)
    assert read.read_with_facts(path).clear == pytest.approx(0.5)


def test_the_tables_of_a_jpeg_are_handed_on(pile: dict[str, Path]):
    assert len(read.read_with_facts(pile["chelsea"]).tables[0]) == 64
    assert read.read_with_facts(pile["astronaut"]).tables == ()


# -- what is beside the pixels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["tEXt", "zTXt", "iTXt"])
@pytest.mark.parametrize("length", [1_500_000, 80_000_000])
def test_a_sound_png_with_a_long_note_is_read(way, length, tmp_path):
    notes = PngImagePlugin.PngInfo()
    text = "x" * length
    if way == "iTXt":
        notes.add_itxt("prompt", text, zip=True)
    else:
        notes.add_text("workflow", text, zip=way == "zTXt")
    path = tmp_path / "note.png"
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", (32, 24), (200, 30, 40)).save(path, pnginfo=notes, exif=exif)
    assert read_picture(path).getpixel((3, 3)) == (200, 30, 40)
    assert read_picture(path).size == picture_size(path) == (24, 32)


def test_a_colour_profile_with_much_behind_its_end_still_counts(tmp_path):
    image = Image.effect_noise((32, 24), 60).convert("RGB")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "short.png", icc_profile=profile)
    image.save(tmp_path / "long.png", icc_profile=profile + bytes(1_500_000))
    assert read_picture(tmp_path / "long.png").tobytes() == read_picture(tmp_path / "short.png").tobytes()


def test_a_damaged_png_with_a_long_note_is_still_damaged(tmp_path):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("workflow", "x" * 1_500_000, zip=True)
    path = tmp_path / "note.png"
    Image.effect_noise((320, 240), 60).save(path, pnginfo=notes)
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(DatasetError, match="breaks off"):
        read_picture(path)


def test_a_phone_s_jpeg_with_a_second_picture_is_a_still_jpeg(tmp_path):
    picture = Image.effect_noise((64, 48), 60).convert("RGB")
    picture.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[picture.resize((16, 16))], quality=30)
    picture.save(tmp_path / "plain.jpg", "JPEG", quality=30)
    phone, plain = read_with_facts(tmp_path / "phone.jpg"), read_with_facts(tmp_path / "plain.jpg")
    assert (phone.format, phone.animated, phone.tables) == ("JPEG", False, plain.tables)
    assert phone.picture.size == (64, 48)


def test_a_gif_that_is_cut_off_in_a_later_frame_is_read_and_is_animated(tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green")]
    frames[0].save(tmp_path / "whole.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "whole.gif").read_bytes()
    second = whole.rindex(b"\x2c\0\0\0\0")  # where the descriptor of its image begins
    for end in range(second, second + 11):
        (tmp_path / "cut.gif").write_bytes(whole[:end])
        found = read_with_facts(tmp_path / "cut.gif")
        assert found.picture.getpixel((20, 15)) == (255, 0, 0), end
        assert found.animated or end == second, end
