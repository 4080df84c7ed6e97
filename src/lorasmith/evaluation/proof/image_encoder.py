"""An image encoder that the user names: one more space in which pictures are near or far (see `measures.spaces`).

    encoder = open_image_encoder("facebook/dinov2-base")    # CLIP, SigLIP, DINO ... as transformers saves them, or a tagger's folder
    encoder.encode(pictures)                                # (n, d), each of length 1

The base's own spaces need no download and decide alone where none is named. A better eye than the base's tells more of large changes:
features that were trained to tell things apart, or a tagger that knows the tags people write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from lorasmith.captions.taggers.model_folder import model_fingerprint, model_folder
from lorasmith.captions.taggers.tagger import Tagger, open_tagger
from lorasmith.errors import InputError
from lorasmith.models.device import choose_device

FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
BATCH = 32


class ImageEncoder(Protocol):
    """Pictures as vectors."""

    identity: str
    """Changes with the model, so that what was measured by another one is measured again."""

    def encode(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """float64 (n, d), of length 1, of RGB pictures of any size."""
        ...


def open_image_encoder(source: str | Path) -> ImageEncoder:
    """The encoder in a folder or a hub repository (`owner/name`): a vision model of transformers, or a tagger.

    No code that comes with the weights is run, and only safetensors are read.

    Raises InputError where it cannot be found, downloaded or opened, or has no image encoder.
    """
    if _is_tagger(source):
        return TaggerEncoder(open_tagger(source))
    return VisionModel(source)


def _is_tagger(source: str | Path) -> bool:
    """By its files where it is a folder, by its repository's name where it is on the hub."""
    folder = Path(os.path.expanduser(source))
    return not (folder / "config.json").is_file() or any(folder.glob("*.onnx")) if folder.is_dir() else "tagger" in str(source).lower()


class TaggerEncoder:
    """A tagger's probabilities, of which the surely absent and the surely present tags hardly move a picture."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger, self.identity = tagger, tagger.identity

    def encode(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        return _of_length_one(self._tagger.probabilities(pictures))


class VisionModel:
    """A vision model of transformers: what it projects pictures to (CLIP, SigLIP), or its pooled output (DINO, ViT)."""

    def __init__(self, source: str | Path) -> None:
        import torch
        import transformers

        folder = model_folder(source, FILES)
        kind = _model_type(folder, source)
        try:
            self._prepare = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            model = transformers.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise InputError(
                f"The image encoder {source} cannot be opened ({reason}): download it again, or give another.", code="encoder.not_readable"
            ) from error
        self._device = choose_device()
        self._model: Any = model.to(self._device).eval()
        self.identity = f"{kind} {model_fingerprint(folder)}"

    def encode(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        import torch

        found = []
        with torch.no_grad():
            for first in range(0, len(pictures), BATCH):
                part = [picture.convert("RGB") for picture in pictures[first : first + BATCH]]
                pixels = self._prepare(images=part, return_tensors="pt")["pixel_values"].to(self._device)
                # CLIP and its kin have a text encoder too, and say how to leave it out; models of pictures alone do not need to.
                project = getattr(self._model, "get_image_features", self._model)
                found.append(project(pixel_values=pixels).pooler_output.float().cpu())
        return _of_length_one(torch.cat(found).numpy())


def _model_type(folder: Path, source: str | Path) -> str:
    """What `config.json` says the model is."""
    try:
        return str(json.loads((folder / "config.json").read_text("utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{source} has no readable config.json: give the folder of a vision model as transformers saves it (CLIP, DINOv2, SigLIP), or of a "
            "tagger.",
            code="encoder.no_config",
        ) from error


def _of_length_one(vectors: np.ndarray) -> np.ndarray:
    found = vectors.astype(np.float64)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
