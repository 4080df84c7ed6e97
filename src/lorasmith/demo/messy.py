"""An archive with everything that can be wrong with a dataset, and `messy.json` beside it, the truth about each member."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from lorasmith.demo.drawing import draw_scene
from lorasmith.demo.scenes import BLOCK, DATASET_SEEDS, balanced_scenes, first_seed_of, fixed_attributes, trained_caption
from lorasmith.demo.world import Scene

DEFECTS: dict[str, str] = {
    "too-small": "The picture is smaller than the training resolution.",
    "too-large": "The picture is larger than 3000 pixels.",
    "transparent": "Parts are transparent, and other colours are hidden below them.",
    "heavy-jpeg": "Strong compression has left blocks and rings.",
    "text-on-picture": "A watermark or a speech bubble is drawn over it.",
    "blurred": "The picture is out of focus.",
    "dark": "The picture is far too dark.",
    "blown-out": "The light parts are burnt out to white.",
    "letterbox": "Black bars are above and below the picture.",
    "empty-margins": "The subject is small in a large empty space.",
    "extreme-aspect": "The picture is several times wider than high, or higher than wide.",
    "exact-duplicate": "The file has the same bytes as another.",
    "near-duplicate": "The picture is another one compressed again, mirrored or cut a little.",
    "several-views": "One sheet shows the subject several times.",
    "two-subjects": "Another creature is beside the subject.",
    "unrelated": "The picture does not show the subject.",
    "faces-other-way": "A mark that has a side is on the other side here.",
    "adversarial-noise": "A faint coloured pattern covers the whole picture, as protection against training leaves it.",
    "greyscale": "The picture has no colours.",
    "cmyk": "The colours are for print: CMYK instead of RGB.",
    "exif-rotated": "The picture is on its side, and a note in the file says so.",
    "sixteen-bit": "Each channel has 16 bits: careless conversion to 8 turns the picture white.",
    "palette": "The colours come from a palette.",
    "animated": "The file holds several frames.",
    "webp": "Many trainers do not read WebP.",
    "truncated": "The file ends too early.",
    "zero-bytes": "The file is empty.",
    "not-a-picture": "The file is named like a picture but is not one.",
    "nested-folder": "The file is in a folder of its own within the archive.",
    "non-ascii-name": "The name has letters outside ASCII.",
    "illegal-name": "The name cannot exist on some systems.",
    "long-name": "The name is too long for some systems.",
    "system-junk": "An operating system has left the file behind.",
    "caption-missing": "The picture has no caption.",
    "caption-without-picture": "The caption has no picture.",
    "caption-empty": "The caption says nothing.",
    "caption-bom": "The caption begins with a byte order mark.",
    "caption-latin-1": "The caption is Latin-1 instead of UTF-8.",
    "trigger-missing": "The caption lacks the trigger word.",
    "trigger-not-first": "The trigger word is not the first tag.",
    "trigger-inside-word": "The trigger word is only inside another word.",
    "prompt-weights": "A tag has a weight, as prompts have.",
    "implied-tag": "A tag is beside one that implies it.",
    "duplicate-tag": "A tag is there twice.",
    "too-many-tags": "The caption has over 30 tags.",
    "single-tag": "The caption is the trigger word and nothing else.",
}
"""What `messy.json` can say of a member."""

MESSY_TRIGGER = "zorvex"
_MESSY_SIDE = 256
_LONG_NAME = "zorvex-" + "with-a-very-long-tail-" * 9


@dataclass(frozen=True)
class _Member:
    name: str
    data: bytes
    wrong: tuple[str, ...] = ()


def write_messy(out: Path) -> Path:
    """Write `messy.zip` and `messy.json` into the folder `out`, unless they are there; gives the archive."""
    archive, truth = out / "messy.zip", out / "messy.json"
    if archive.exists() and truth.exists():
        return archive
    members = list(_messy_members())
    with tempfile.TemporaryDirectory(dir=out, prefix=".messy-") as aside:
        zipped, listed = Path(aside) / archive.name, Path(aside) / truth.name
        with zipfile.ZipFile(zipped, "w") as file:
            for member in members:
                info = zipfile.ZipInfo(member.name, (2024, 1, 1, 0, 0, 0))
                info.create_system, info.external_attr = 3, 0o644 << 16
                file.writestr(info, member.data)
        listed.write_text(json.dumps({m.name: list(m.wrong) for m in members}, indent=2, ensure_ascii=False) + "\n", "utf-8")
        os.replace(listed, truth)
        os.replace(zipped, archive)
    return archive


def _messy_members() -> Iterator[_Member]:
    scenes = iter(balanced_scenes(100, first_seed_of(DATASET_SEEDS, "messy"), **fixed_attributes("character", MESSY_TRIGGER)))

    def pair(name: str, data: bytes, caption: str, wrong: tuple[str, ...] = (), of_caption: tuple[str, ...] = ()) -> Iterator[_Member]:
        yield _Member(name, data, wrong)
        yield _Member(str(PurePosixPath(name).with_suffix(".txt")), caption.encode(), of_caption)

    sound = []
    for number in range(1, 11):
        scene = next(scenes)
        sound.append((_draw(scene), trained_caption("character", scene)))
        yield from pair(f"{number:04d}.png", _png(sound[-1][0]), sound[-1][1])

    for name, make_faulty, wrong in _FAULTY_PICTURES:
        scene = next(scenes)
        yield from pair(name, make_faulty(_draw(scene)), trained_caption("character", scene), wrong)

    copies = (
        ("0001 (copy).png", _png(sound[0][0]), "exact-duplicate", 0),
        ("0002 again.jpg", _jpeg(sound[1][0], 70), "near-duplicate", 1),
        ("0003 mirrored.png", _png(sound[2][0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)), "near-duplicate", 2),
        ("0004 cut.png", _png(sound[3][0].crop((6, 5, 250, 249))), "near-duplicate", 3),
    )
    for name, data, fault, of in copies:
        yield from pair(name, data, sound[of][1], (fault,))

    yield from _several_subjects(scenes)

    for name, wrong in _BAD_NAMES:
        scene = next(scenes)
        yield from pair(name, _png(_draw(scene)), trained_caption("character", scene), wrong, wrong)

    for stem, write_faulty, wrong in _FAULTY_CAPTIONS:
        scene = next(scenes)
        yield _Member(f"{stem}.png", _png(_draw(scene)))
        yield _Member(f"{stem}.txt", write_faulty(trained_caption("character", scene)), wrong)
    yield _Member("no-caption.png", _png(_draw(next(scenes))), ("caption-missing",))
    yield _Member("no-picture.txt", trained_caption("character", next(scenes)).encode(), ("caption-without-picture",))

    for name, data in _JUNK:
        yield _Member(name, data, ("system-junk",))


def _several_subjects(scenes: Iterator[Scene]) -> Iterator[_Member]:
    """Sheets and companions, a stranger, and a mark that changes sides."""
    side = _MESSY_SIDE
    first = next(scenes)
    caption = trained_caption("character", first)
    sheet = Image.new("RGB", (side * 2 + 24, side * 2 + 24), "white")
    for i, scene in enumerate((first, next(scenes), next(scenes), next(scenes))):
        sheet.paste(_draw(scene), (8 + i % 2 * (side + 8), 8 + i // 2 * (side + 8)))
    yield _Member("four-views.png", _png(sheet), ("several-views",))
    yield _Member("four-views.txt", caption.encode())

    first, block = next(scenes), first_seed_of(DATASET_SEEDS, "messy") + BLOCK // 2
    stranger, other = balanced_scenes(2, block, background=first.background, style=first.style, concept=None)
    both = Image.new("RGB", (side * 2, side))
    both.paste(_draw(first), (0, 0))
    both.paste(_draw(other), (side, 0))
    yield _Member("with-a-friend.png", _png(both), ("two-subjects",))
    yield _Member("with-a-friend.txt", trained_caption("character", first).encode())
    yield _Member("someone-else.png", _png(_draw(stranger)), ("unrelated",))
    yield _Member("someone-else.txt", f"{MESSY_TRIGGER}, {stranger.expression}, {stranger.pose}, {stranger.background}".encode())

    bows = balanced_scenes(3, block + 100, **fixed_attributes("character", MESSY_TRIGGER) | {"accessory": "bow", "accessory_color": "red"})
    for number, scene in enumerate(bows, 1):
        picture = _draw(scene)
        if odd := number == 3:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield _Member(f"bow-{number}.png", _png(picture), ("faces-other-way",) if odd else ())
        yield _Member(f"bow-{number}.txt", trained_caption("character", scene).encode())


def _draw(scene: Scene, side: int = _MESSY_SIDE) -> Image.Image:
    return draw_scene(scene, side)


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _png(picture: Image.Image) -> bytes:
    return _encoded(picture, "PNG")


def _jpeg(picture: Image.Image, quality: int = 92) -> bytes:
    return _encoded(picture, "JPEG", quality=quality)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _sticker(picture: Image.Image) -> bytes:
    """The middle of the picture, round; what is cut off is transparent magenta."""
    inside = Image.new("L", picture.size, 0)
    ImageDraw.Draw(inside).ellipse((10, 2, picture.width - 11, picture.height - 3), fill=255)
    out = Image.composite(picture, Image.new("RGB", picture.size, (255, 0, 255)), inside)
    out.putalpha(inside)
    return _png(out)


def _watermark(picture: Image.Image) -> bytes:
    w, h = picture.size
    layer = Image.new("RGBA", (w * 2, h * 2))
    draw = ImageDraw.Draw(layer)
    for row in range(0, h * 2, h // 4):
        draw.text((row % 40, row), "SAMPLE  stockpictures  " * 3, fill=(255, 255, 255, 150), font=ImageFont.load_default(w / 12))
    layer = layer.rotate(30).crop((w // 2, h // 2, w // 2 + w, h // 2 + h))
    return _png(Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB"))


def _speech_bubble(picture: Image.Image) -> bytes:
    draw = ImageDraw.Draw(picture)
    draw.polygon([(70, 50), (96, 88), (100, 50)], fill="white", outline="black")
    draw.ellipse((8, 6, 148, 66), fill="white", outline="black", width=2)
    draw.text((30, 22), "Hello you!", fill="black", font=ImageFont.load_default(20))
    return _png(picture)


def _letterbox(picture: Image.Image) -> bytes:
    out = Image.new("RGB", (picture.width, picture.height * 3 // 2), "black")
    out.paste(picture, (0, picture.height // 4))
    return _png(out)


def _lost_in_space(picture: Image.Image) -> bytes:
    out = Image.new("RGB", (900, 560), (244, 244, 240))
    out.paste(picture.resize((150, 150), Image.Resampling.LANCZOS), (610, 330))
    return _png(out)


def _strip(picture: Image.Image) -> bytes:
    large = picture.resize((1024, 1024), Image.Resampling.LANCZOS)
    return _png(large.crop((0, 380, 1024, 530)))


def _coloured_noise(picture: Image.Image) -> bytes:
    """A pattern between 2 and 8 pixels wide, of a strength of about 7 in 255, different in each channel."""
    grey = np.random.default_rng(5).integers(0, 256, (3, picture.height, picture.width), dtype=np.uint8)
    bands = []
    for channel in grey:
        noise = Image.fromarray(channel)
        fine, coarse = (np.asarray(noise.filter(ImageFilter.GaussianBlur(r)), np.float32) for r in (0.8, 3))
        bands.append((fine - coarse) / (fine - coarse).std() * 7)
    pixels = np.asarray(picture, np.float32) + np.stack(bands, -1).clip(-16, 16)
    return _png(Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8)))


def _sixteen_bit(picture: Image.Image) -> bytes:
    return _png(Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257))


def _lying_on_its_side(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn right by 90 degrees to look at it
    upright = picture.crop((32, 0, 224, 256))
    return _encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=exif)


def _moving(picture: Image.Image, kind: str) -> bytes:
    frames = [picture.rotate(angle, Image.Resampling.BILINEAR) for angle in (0, 6, -6)]
    return _encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=120, loop=0)


def _with_weight(caption: str) -> str:
    trigger, first, *others = caption.split(", ")
    return ", ".join((trigger, f"({first}:1.2)", *others))


_FAULTY_PICTURES: tuple[tuple[str, Callable[[Image.Image], bytes], tuple[str, ...]], ...] = (
    ("too-small.png", lambda p: _png(p.resize((40, 40), Image.Resampling.BOX)), ("too-small",)),
    ("too-large.png", lambda p: _png(p.resize((3328, 3328), Image.Resampling.NEAREST)), ("too-large",)),
    ("transparent.png", _sticker, ("transparent",)),
    ("compressed.jpg", lambda p: _jpeg(p, 4), ("heavy-jpeg",)),
    ("compressed-once.png", lambda p: _png(Image.open(io.BytesIO(_jpeg(p, 4)))), ("heavy-jpeg",)),
    ("watermark.png", _watermark, ("text-on-picture",)),
    ("speech-bubble.png", _speech_bubble, ("text-on-picture",)),
    ("blurred.png", lambda p: _png(p.filter(ImageFilter.GaussianBlur(6))), ("blurred",)),
    ("dark.png", lambda p: _png(ImageEnhance.Brightness(p).enhance(0.1)), ("dark",)),
    ("blown-out.png", lambda p: _png(p.point([min(255, round(v * 1.8 + 90)) for v in range(256)] * 3)), ("blown-out",)),
    ("letterbox.png", _letterbox, ("letterbox",)),
    ("lost-in-space.png", _lost_in_space, ("empty-margins",)),
    ("strip.png", _strip, ("extreme-aspect",)),
    ("protected.png", _coloured_noise, ("adversarial-noise",)),
    ("grey.png", lambda p: _png(p.convert("L")), ("greyscale",)),
    ("print.jpg", lambda p: _jpeg(p.convert("CMYK")), ("cmyk",)),
    ("on-its-side.jpg", _lying_on_its_side, ("exif-rotated",)),
    ("deep.png", _sixteen_bit, ("sixteen-bit", "greyscale")),
    ("few-colours.png", lambda p: _png(p.quantize(32)), ("palette",)),
    ("moving.gif", lambda p: _moving(p, "GIF"), ("animated", "palette")),
    ("moving-too.webp", lambda p: _moving(p, "WEBP"), ("animated", "webp")),
    ("still.webp", lambda p: _encoded(p, "WEBP", lossless=True), ("webp",)),
    ("cut-off.png", lambda p: _half(_png(p)), ("truncated",)),
    ("cut-off-too.jpg", lambda p: _half(_jpeg(p)), ("truncated",)),
    ("nothing.png", lambda p: b"", ("zero-bytes",)),
    ("letter.png", lambda p: b"This is a letter and not a picture.\n", ("not-a-picture",)),
)

_BAD_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("more/deeper/0042.png", ("nested-folder",)),
    ("zörvex im schnee ☃ ゾルベクス.png", ("non-ascii-name",)),
    ('zorvex: what? "a horn" *.png', ("illegal-name",)),
    ("CON.png", ("illegal-name",)),
    (f"{_LONG_NAME}.png", ("long-name",)),
)

_FAULTY_CAPTIONS: tuple[tuple[str, Callable[[str], bytes], tuple[str, ...]], ...] = (
    ("caption-bom", lambda c: c.encode("utf-8-sig"), ("caption-bom",)),
    ("caption-latin-1", lambda c: f"{c}, café".encode("latin-1"), ("caption-latin-1",)),
    ("caption-empty", lambda c: b"", ("caption-empty",)),
    ("trigger-missing", lambda c: ", ".join(c.split(", ")[1:]).encode(), ("trigger-missing",)),
    ("trigger-not-first", lambda c: ", ".join((*c.split(", ")[1:], MESSY_TRIGGER)).encode(), ("trigger-not-first",)),
    (
        "trigger-inside-word",
        lambda c: c.replace(MESSY_TRIGGER, f"{MESSY_TRIGGER}ian", 1).encode(),
        ("trigger-missing", "trigger-inside-word"),
    ),
    ("weights", lambda c: _with_weight(c).encode(), ("prompt-weights",)),
    ("implied", lambda c: f"{c}, style".encode(), ("implied-tag",)),
    ("duplicate", lambda c: f"{c}, {c.split(', ')[1]}".encode(), ("duplicate-tag",)),
    ("too-many", lambda c: ", ".join((c, *(f"detail {i}" for i in range(1, 31)))).encode(), ("too-many-tags",)),
    ("single", lambda c: MESSY_TRIGGER.encode(), ("single-tag",)),
)

_JUNK: tuple[tuple[str, bytes], ...] = (
    ("Thumbs.db", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)),
    ("desktop.ini", b"[.ShellClassInfo]\r\n"),
    (".DS_Store", bytes.fromhex("0000000142756431") + bytes(56)),
    ("__MACOSX/._0001.png", bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(58)),
)
