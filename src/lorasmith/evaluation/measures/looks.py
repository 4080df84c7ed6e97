"""saturation, contrast, sharpness and clipping: how pictures with the trigger look beside the base's of the same prompts and seeds.

    saturation   mean of (most - least of R, G, B) / most
    contrast     standard deviation of brightness
    sharpness    mean difference in brightness of neighbouring pixels
    clipping     share of pixels with a channel at 0 or 255

each 0-1, LoRA less base. They are shown and decide nothing: in the pilot, on drawn pictures, they told under-cooked, harmful and memorised
LoRAs by AUC 0.30-0.70. On photographs they were not tried.

Cost: the pictures of `subject`. Source: proof pilot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from lorasmith.evaluation.measures.measured import Measure

BRIGHTNESS = np.array([0.299, 0.587, 0.114])


def saturation(rgb: np.ndarray) -> float:
    """Of a picture (height, width, 3), 0-1."""
    most, least = rgb.max(2), rgb.min(2)
    return float(((most - least) / np.maximum(most, 1 / 255)).mean())


def contrast(rgb: np.ndarray) -> float:
    """Of a picture (height, width, 3), 0-1."""
    return float((rgb @ BRIGHTNESS).std())


def sharpness(rgb: np.ndarray) -> float:
    """Of a picture (height, width, 3), 0-1."""
    brightness = rgb @ BRIGHTNESS
    return float((np.abs(np.diff(brightness, axis=0)).mean() + np.abs(np.diff(brightness, axis=1)).mean()) / 2)


def clipping(rgb: np.ndarray) -> float:
    """Of a picture (height, width, 3), 0-1."""
    return float(((rgb <= 0) | (rgb >= 1)).any(2).mean())


LOOKS: dict[str, Callable[[np.ndarray], float]] = {
    "saturation": saturation,
    "contrast": contrast,
    "sharpness": sharpness,
    "clipping": clipping,
}


def looks(names: Sequence[str], pictures: Sequence[Image.Image], of_base: Sequence[Image.Image]) -> dict[str, Measure]:
    """All four, from prompts by name, pictures with the LoRA and without it."""
    with_lora, without = ([np.asarray(picture.convert("RGB"), np.float64) / 255 for picture in some] for some in (pictures, of_base))
    return {
        look: Measure.of({name: of(own) - of(base) for name, own, base in zip(names, with_lora, without, strict=True)})
        for look, of in LOOKS.items()
    }
