"""Read one picture file as a viewer shows it: upright, in sRGB, flat, 8 bits a channel.

Pillow hands out what the file stores. Between that and what a person sees are the EXIF orientation, the colour profile,
CMYK ink, 16 bits, palettes and transparency; a trainer that forgets one of them learns pictures that nobody made.
`read_picture` settles them in one fixed order: decode, split off the transparency, colours to sRGB, flatten, turn upright.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageFile, UnidentifiedImageError

from lorasmith.errors import DatasetError
from lorasmith.images.file_part import FilePart, PictureSource
from lorasmith.images.jxl import is_jxl, jxl_picture, jxl_size
from lorasmith.images.png_notes import with_short_notes

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
"""What a file may hold, whatever its name says. Pillow knows more, some of which (EPS) runs a program on the file's content.

HEIC is read where pillow-heif is installed, JPEG XL where imagecodecs is.
"""

STILL = ("JPEG", "HEIF")
"""Formats whose further pictures are no frames: phones put previews, gain maps and depth behind a photograph (MPO is such a JPEG)."""

MAX_PIXELS = 89_478_485
"""Width times height above which a picture is refused, in pixels (a square of 9,459). A few bytes can claim to be any size.

From here on Pillow warns, or fails where somebody has turned warnings into errors; refusing at the same line gives the same answer
under every warning filter.
"""

OPAQUE = 250
"""Opacity, of 255, from which a pixel counts as opaque: whatever is behind it changes it by at most five steps, which nobody sees."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture with this EXIF orientation upright; 1 is upright already, and any other value is not an orientation."""


@dataclass(frozen=True)
class Reading:
    """A picture as a viewer shows it, and what its file says beside the pixels."""

    picture: Image.Image
    """RGB, 8 bits a channel, upright, flat."""
    format: str
    """`JPEG`, `PNG`, ...: what the file holds, whatever its name says."""
    animated: bool
    """Whether it has more than the one frame that was read."""
    clear: float
    """Share of the pixels that are not opaque, 0-1; see `OPAQUE`."""
    tables: tuple[tuple[int, ...], ...]
    """The quantisation tables of a JPEG, 64 numbers each; () for other formats."""


def read_picture(path: PictureSource, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """The picture as a viewer shows it, as RGB with 8 bits a channel; of an animation, the first frame.

    Transparent parts show `background` (red, green, blue; 0-255). The file is closed when this returns.

    Raises:
        DatasetError: the file is missing, empty, damaged, no picture, of a format or pixel kind that is not read, or too large.
    """
    return read_with_facts(path, background).picture


def read_small(path: PictureSource, side: int) -> Image.Image:
    """`read_picture` no larger than `side` pixels on either side, as it is where it is smaller; of a JPEG only as much is decoded as that takes.

    Raises as `read_picture`.
    """
    picture = read_with_facts(path, decode_to=side).picture
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return picture


def read_with_facts(
    path: PictureSource, background: tuple[int, int, int] = (255, 255, 255), *, decode_to: int | None = None
) -> Reading:  # fmt: skip
    """`read_picture` with what an audit asks of the file, decoded once. Raises as `read_picture`.

    With `decode_to` a JPEG is decoded at a half, a quarter or an eighth of its size, whichever is still that many pixels on each side.
    """
    with _opened(path) as image:
        if decode_to is not None:
            image.draft(None, (decode_to, decode_to))  # None keeps the mode
        _decode(image, path)
        colours, alpha = _split_alpha(image, path)
        picture = _to_srgb(colours, image.info.get("icc_profile"))
        clear = 0.0
        if alpha is not None:
            flat = Image.new("RGB", picture.size, background)
            flat.paste(picture, mask=alpha)
            picture = flat
            clear = sum(alpha.histogram()[:OPAQUE]) / (alpha.width * alpha.height)
        turn = UPRIGHT.get(_orientation(image))
        upright = picture.transpose(turn) if turn is not None else picture
        kind = "JPEG" if image.format == "MPO" else image.format or ""
        tables = getattr(image, "quantization", None) if kind == "JPEG" else None  # what Pillow's JPEG files have
        return Reading(
            upright,
            kind,
            kind not in STILL and _is_animated(image),
            clear,
            tuple(tuple(tables[i]) for i in sorted(tables)) if tables else (),
        )


def _is_animated(image: Image.Image) -> bool:
    """Whether a file has more frames than the one that is read; also where the others are damaged, which Pillow meets as it counts them."""
    try:
        return bool(getattr(image, "is_animated", False))  # only files that may have frames have it
    except (OSError, ValueError, SyntaxError, IndexError, struct.error):
        return True


def read_opacity(path: PictureSource) -> Image.Image | None:
    """How opaque each pixel of what `read_picture` returns is, in mode L: 0 is clear; None where the file knows no transparency.

    Raises as `read_picture`.
    """
    with _opened(path) as image:
        _decode(image, path)
        _, alpha = _split_alpha(image, path)
        turn = UPRIGHT.get(_orientation(image))
        return alpha if alpha is None or turn is None else alpha.transpose(turn)


def picture_size(path: PictureSource) -> tuple[int, int]:
    """Width and height in pixels of what `read_picture` would return, from the header alone.

    Some PNGs keep their EXIF data behind the pixels; only those are decoded for it.

    Raises:
        DatasetError: as `read_picture`, except that damage behind the header goes unseen.
    """
    with _opened(path, header_only=True) as image:
        width, height = image.size
        if image.format == "TIFF":  # Pillow turns TIFFs itself and already gives the upright size
            return width, height
        if image.format == "PNG" and _png_notes_follow(image):
            _decode(image, path)
        orientation = _orientation(image)
        return (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def content_hash(path: PictureSource) -> str:
    """The SHA-256 of the file's bytes, as 64 hexadecimal digits. Raises DatasetError if the file cannot be opened."""
    with _open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _to_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    """An image in L, RGB, CMYK or LAB as sRGB in RGB, by its embedded ICC profile where that fits the image and works."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(source.profile.xcolor_space.strip())
            if mode == colours.mode:
                return _transform(colours, source)
            if mode == "RGB" and colours.mode == "L":
                return _transform(colours.convert("RGB"), source)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken profile says nothing about the pixels: take them as plain colours
    return colours.convert("RGB")


def _transform(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    """Colours as near as sRGB can show them, paper white to white and ink black to black, as image editors do by default."""
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # only the in-place form returns None
    return converted


def _split_alpha(image: Image.Image, path: PictureSource) -> tuple[Image.Image, Image.Image | None]:
    """The colours (mode L, RGB, CMYK or LAB, 8 bits) and the opacity (mode L, or None where all is opaque)."""
    if image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.mode in ("I", "F"):
        raise DatasetError(f"{path} stores 32 bits a pixel without saying which number is white: save it as a PNG of 8 or 16 bits.")
    if image.mode == "CMYK" and image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        return ImageChops.invert(image), None  # Adobe stores ink upside down, and Pillow takes every JPEG for Adobe's
    if image.mode in ("CMYK", "LAB"):
        return image, None
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        whole = image.convert("LA" if grey else "RGBA")
        return _without_alpha(whole), whole.getchannel("A")
    return image.convert("L" if grey else "RGB"), None


def _without_alpha(whole: Image.Image) -> Image.Image:
    """The colours of an LA or RGBA image as they are stored under the transparency."""
    bands = whole.split()[:-1]
    return bands[0] if len(bands) == 1 else Image.merge("RGB", bands)


def _from_16_bit(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A grey image of 16 bits as 8 bits (65535 becomes 255, rounded), and the opacity if the file names one grey transparent."""
    deep = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey, None
    return grey, Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where the file names none or its EXIF block cannot be read."""
    try:  # asked the base class, because a PNG decodes itself whole when asked
        return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, OSError, ValueError, TypeError, KeyError, IndexError, struct.error):  # a broken EXIF block: as stored, then
        return 1


def _png_notes_follow(image: Image.Image) -> bool:
    """Whether chunks that may hold EXIF data come after a PNG's pixels."""
    stream = image.fp if isinstance(image, ImageFile.ImageFile) else None
    assert stream is not None
    place = stream.tell()
    stream.seek(8)
    pixels_seen = found = False
    while not found and len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        pixels_seen = pixels_seen or kind == b"IDAT"
        found = pixels_seen and kind in (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
        stream.seek(length + 4, io.SEEK_CUR)  # the content and its checksum
    stream.seek(place)
    return found


def _decode(image: Image.Image, path: PictureSource) -> None:
    try:
        if image.format == "PNG" and getattr(image, "default_image", False):  # what APNGs keep for readers that show no animation
            image.seek(1)
        image.load()
    except ValueError as error:
        if not (image.format == "PNG" and _is_about_notes(error)):  # notes behind the pixels: those are decoded by then
            raise _damaged(path) from error
    except Exception as error:  # decoders fail in many ways on damaged bytes; whatever it is, this picture cannot be read
        raise _damaged(path) from error


@contextmanager
def _opened(path: PictureSource, header_only: bool = False) -> Iterator[Image.Image]:
    """The image with its header read and its size judged, nothing decoded; the file is closed at the end of the block.

    A JPEG XL is decoded already, unless `header_only`: then its pixels are black.
    """
    with _open_file(path) as stream:
        start = stream.read(1024)
        if not start:
            raise DatasetError(
                f"{path} is empty (0 bytes): get it again from its source, or delete it.", code="picture.empty", file=str(path)
            )
        stream.seek(0)
        if is_jxl(start):
            yield _opened_jxl(path, start, None if header_only else stream)
            return
        formats: tuple[str, ...] = FORMATS
        if start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS:
            _learn_heic(path)
            formats = ("HEIF",)
        try:
            try:
                image = Image.open(stream, formats=formats)
            except ValueError as error:
                if not _is_about_notes(error):
                    raise
                stream.seek(0)
                image = Image.open(io.BytesIO(with_short_notes(stream.read())), formats=formats)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DatasetError(f"{path} {_TOO_LARGE}", code="picture.too_large", file=str(path)) from error
        except UnidentifiedImageError as error:
            raise _not_a_picture(path, start) from error
        except Exception as error:  # as for decoding: a header's damage shows in many ways
            raise _damaged(path) from error
        _refuse_too_large(path, image.size)
        yield image


_BEGINNINGS = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"RIFF": "WEBP", b"BM": "BMP",
}  # fmt: skip
"""How files begin, and what they then are."""


def _not_a_picture(path: PictureSource, start: bytes) -> DatasetError:
    """The error that Pillow recognises no picture in a file, by what the file begins as."""
    kind = next((kind for begin, kind in _BEGINNINGS.items() if start.startswith(begin)), None)
    if kind is None and start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS:
        kind = "HEIC"
    what = (
        f"is not a picture that can be read, whatever its name says ({', '.join(FORMATS)} are read), or its beginning is damaged"
        if kind is None
        else f"begins as a {kind}, and is one of an unusual kind or damaged"
    )
    return DatasetError(f"{path} {what}: save it again as PNG or JPEG, or delete it.", code="picture.not_a_picture", file=str(path))


HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""What follows `ftyp` in the HEIC files of phones; AVIF files say `avif` there, which Pillow reads itself."""

_HEIC_LOCK = threading.Lock()


def _learn_heic(path: PictureSource) -> None:
    """Teach Pillow to read HEIC. Raises DatasetError where pillow-heif is not installed."""
    with _HEIC_LOCK:
        if "HEIF" in Image.OPEN:
            return
        try:
            import pillow_heif
        except ImportError as error:
            raise DatasetError(
                f"{path} is a HEIC picture, which needs an extra: pip install lorasmith[heic]",
                code="extra.missing",
                file=str(path),
                extra="heic",
            ) from error
        pillow_heif.register_heif_opener(thumbnails=False)


def _opened_jxl(path: PictureSource, start: bytes, stream: io.BufferedReader | None) -> Image.Image:
    try:
        size = jxl_size(start)
    except ValueError as error:
        raise _damaged(path) from error
    _refuse_too_large(path, size)
    if stream is None:
        return Image.new("L", size)
    try:
        image = jxl_picture(stream.read())
    except ImportError as error:
        raise DatasetError(
            f"{path} is a JPEG XL picture, which needs an extra: pip install lorasmith[jxl]",
            code="extra.missing",
            file=str(path),
            extra="jxl",
        ) from error
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    except Exception as error:  # as for other decoders
        raise _damaged(path) from error
    image.format = "JXL"  # as Pillow names the formats that it reads
    return image


def _is_about_notes(error: ValueError) -> bool:
    """Whether Pillow refuses a PNG for the length of its text or of its colour profile, which says nothing about the pixels."""
    return any(words in str(error) for words in ("MAX_TEXT_CHUNK", "MAX_TEXT_MEMORY", "text chunks"))


def _refuse_too_large(path: PictureSource, size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise DatasetError(f"{path} is {size[0]} x {size[1]} pixels and {_TOO_LARGE}", code="picture.too_large", file=str(path))


_TOO_LARGE = f"has more than {MAX_PIXELS:,} pixels, which is too large to open: scale it down (3000 pixels a side are plenty)."


def _open_file(path: PictureSource) -> io.BufferedReader:
    if isinstance(path, FilePart):
        return path.open()
    try:
        return open(path, "rb")
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be opened ({error.strerror}): check its name and that you may read it.", code="file.cannot_open", file=str(path)
        ) from error


def _damaged(path: PictureSource) -> DatasetError:
    return DatasetError(
        f"{path} breaks off or is damaged: get it again from its source, or delete it.", code="picture.damaged", file=str(path)
    )
