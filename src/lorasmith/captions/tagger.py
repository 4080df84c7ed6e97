"""Taggers in the form of the WD v3 models: an ONNX network and a list of tags.

Input: float32 (n, height, width, 3), BGR, 0-255; the picture on a white square, resized bicubically. Output: one
probability per row of `selected_tags.csv` (`tag_id,name,category,count`; category 0 general, 4 character, 9 rating).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lorasmith.errors import InputError


class WdTagger:
    """A tagger opened from a folder with `model.onnx` and `selected_tags.csv`."""

    def __init__(self, folder: Path, threads: int = 0):
        import onnxruntime

        model, table = folder / "model.onnx", folder / "selected_tags.csv"
        for file in (model, table):
            if not file.is_file():
                raise InputError(f"the tagger folder {folder} has no {file.name}; give a folder with model.onnx and selected_tags.csv")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0]
        self.side: int = self._input.shape[1]
        with table.open(newline="", encoding="utf-8") as rows:
            self.tags = tuple(row["name"].replace("_", " ") for row in csv.DictReader(rows))

    def probabilities(self, pictures: Sequence[Image.Image], batch_size: int = 32) -> np.ndarray:
        """float32 (n, tags), 0-1, for RGB pictures of any size."""
        rows = []
        for first in range(0, len(pictures), batch_size):
            batch = np.stack([_prepare(picture, self.side) for picture in pictures[first : first + batch_size]])
            rows.append(self._session.run(None, {self._input.name: batch})[0])
        return np.concatenate(rows)


def _prepare(picture: Image.Image, side: int) -> np.ndarray:
    """float32 (side, side, 3), BGR, 0-255."""
    square = picture
    if picture.width != picture.height:
        longest = max(picture.size)
        square = Image.new("RGB", (longest, longest), (255, 255, 255))
        square.paste(picture, ((longest - picture.width) // 2, (longest - picture.height) // 2))
    if square.width != side:
        square = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(square, dtype=np.float32)[:, :, ::-1]
