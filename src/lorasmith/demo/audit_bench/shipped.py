"""Pictures that installed packages ship: photographs, microscopy, scans and signs that nobody drew for this test."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from lorasmith.images.read import read_picture

SHIPPED: dict[str, tuple[str, tuple[str, ...]]] = {
    "skimage": ("data", (
        "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "color.png",
        "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "logo.png", "moon.png", "motorcycle_left.png", "page.png",
        "retina.jpg", "rocket.jpg", "text.png",
    )),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
    "matplotlib": ("mpl-data/sample_data", ("grace_hopper.jpg", "logo2.png")),
}  # fmt: skip
"""Package -> the folder in it, and the pictures there that stand for what people train on."""

INSTALLED_AS = {"skimage": "scikit-image", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}
"""Package -> what `pip install` calls it."""


def shipped_pictures() -> dict[str, Image.Image]:
    """The pictures by the names of their files, of those packages that are installed; no package is imported."""
    return {
        Path(name).stem: read_picture(folder / place / name)
        for package, (place, names) in SHIPPED.items()
        if (folder := _folder_of(package)) is not None
        for name in names
        if (folder / place / name).exists()
    }


def packages_missing() -> list[str]:
    """What would have to be installed for the rest of the pictures."""
    return [INSTALLED_AS[package] for package in SHIPPED if _folder_of(package) is None]


def _folder_of(package: str) -> Path | None:
    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None
