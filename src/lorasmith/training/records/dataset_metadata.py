"""What a LoRA file says of the images that it was trained on, in kohya's names: folders, tags, buckets, and what datasets have for themselves.

kohya writes either one set of entries for all folders (ss_resolution, ss_batch_size_per_device ...) or, with a dataset configuration, a
table with each dataset's own (ss_datasets). Here the table is written where datasets differ, and an entry for all where it is true of all.
Folders are named by their last part alone: where they are is private.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lorasmith.captions.caption import split_tags
from lorasmith.captions.rules import CaptionRules
from lorasmith.datasets.columns import Columns
from lorasmith.datasets.settings import DatasetSettings
from lorasmith.datasets.training_set import RowPictures, TrainingPicture, TrainingSet, columns_of
from lorasmith.training.settings.tree import Settings

_OF_SETTINGS = ("flip_aug", "color_aug", "random_crop")


def several_sizes(settings: Settings) -> bool:
    """Whether datasets have a resolution or batch size of their own, so that the run's is not true of all images."""
    buckets, batch_size = settings.buckets, settings.training.batch_size
    sizes = {
        (buckets.model_copy(update={"resolution": dataset.resolution or buckets.resolution}).size, dataset.batch_size or batch_size)
        for dataset in settings.datasets
    }
    return sizes != {(buckets.size, batch_size)}


def dataset_options(settings: Settings, training_set: TrainingSet) -> dict[str, object]:
    """Entries of TrainingFacts.options about the datasets; those for all folders where all but regularisation agree."""
    trained = [dataset for dataset in settings.datasets if not dataset.is_reg]
    own = [_of_dataset(dataset, settings) for dataset in trained]
    found: dict[str, object] = {
        name: own[0][name]
        for name in (*_OF_SETTINGS, "shuffle_caption", "keep_tokens")
        if own and all(one[name] == own[0][name] for one in own)
    }
    # What changes with each sample is encoded with each sample.
    found["cache_latents"] = not any(dataset.color_aug or dataset.random_crop for dataset in settings.datasets)
    found["reg_dataset_dirs"] = dataset_dirs(training_set, is_reg=True)
    if several_sizes(settings) or any(one != own[0] for one in own):
        found["datasets"] = _datasets(settings, training_set)
    if not several_sizes(settings):
        found |= {
            "total_batch_size": settings.training.batch_size * settings.training.num_processes,
            "min_bucket_reso": settings.buckets.min_bucket_reso, "max_bucket_reso": settings.buckets.max_bucket_reso,
            "bucket_no_upscale": settings.buckets.bucket_no_upscale,
        }  # fmt: skip
    return found


def _of_dataset(dataset: DatasetSettings, settings: Settings) -> dict[str, Any]:
    """What kohya records of a dataset's folders, each by its name there."""
    rules: CaptionRules = dataset.caption_rules(settings.captions.rules)
    return {name: getattr(dataset, name) for name in _OF_SETTINGS} | {
        "shuffle_caption": rules.shuffle, "keep_tokens": rules.keep_tokens, "keep_tokens_separator": rules.keep_tokens_separator or "",
        "secondary_separator": rules.secondary_separator, "enable_wildcard": rules.wildcards, "caption_prefix": rules.prefix,
        "caption_suffix": rules.suffix, "resize_interpolation": "lanczos",
    }  # fmt: skip


def _datasets(settings: Settings, training_set: TrainingSet) -> list[dict[str, Any]]:
    """The table of the datasets: those of one resolution and batch size together, each folder a subset."""
    groups: dict[tuple[Any, int], list[TrainingPicture]] = {}
    of_rows: dict[tuple[Any, int], list[RowPictures]] = {}
    for item in (*training_set.listed, *training_set.not_needed):
        groups.setdefault((item.resolution, item.batch_size or settings.training.batch_size), []).append(item)
    for rows in training_set.rows:
        group = rows.buckets.size, rows.dataset.batch_size or settings.training.batch_size
        groups.setdefault(group, [])
        of_rows.setdefault(group, []).append(rows)
    buckets, found = settings.buckets, []
    for (resolution, batch_size), items in groups.items():
        own = of_rows.get((resolution, batch_size), [])
        columns = Columns.joined([columns_of(item for item in items if item.repeats), *(rows.columns for rows in own)])
        found.append({
            "is_dreambooth": True, "batch_size_per_device": batch_size,
            "num_train_images": int(columns.repeats[~columns.is_reg].sum()),
            "num_reg_images": int(columns.declared[columns.is_reg].sum()) + sum(item.picture.repeats for item in items if not item.repeats),
            "resolution": list(resolution or buckets.size), "enable_bucket": buckets.enable_bucket,
            "min_bucket_reso": buckets.min_bucket_reso, "max_bucket_reso": buckets.max_bucket_reso,
            "tag_frequency": tag_frequency(items), "bucket_info": bucket_info(columns) if buckets.enable_bucket else None,
            "resize_interpolation": "lanczos", "subsets": [*_subsets(items, settings), *(_subset_of_rows(rows, settings) for rows in own)],
        })  # fmt: skip
    return found


def _subset_of_rows(rows: RowPictures, settings: Settings) -> dict[str, Any]:
    """A manifest, or shards."""
    return {
        "img_count": len(rows), "num_repeats": int(rows.columns.repeats.max()), **_of_dataset(rows.dataset, settings),
        "image_dir": rows.path.stem, "class_tokens": None, "is_reg": rows.dataset.is_reg,
    }  # fmt: skip


def _subsets(items: Sequence[TrainingPicture], settings: Settings) -> list[dict[str, Any]]:
    """A dataset's folders."""
    folders: dict[tuple[int, str], list[TrainingPicture]] = {}
    for item in items:
        folders.setdefault((item.dataset, item.picture.folder), []).append(item)
    return [
        {
            "img_count": len(own), "num_repeats": own[0].picture.repeats, **_of_dataset(settings.datasets[dataset], settings),
            "image_dir": Path(folder).name, "class_tokens": None, "is_reg": own[0].picture.is_reg,
        }
        for (dataset, folder), own in folders.items()
    ]  # fmt: skip


def tag_frequency(items: Iterable[TrainingPicture]) -> dict[str, dict[str, int]]:
    """Folder -> tag -> in how many of its captions."""
    found: dict[str, Counter[str]] = {}
    for item in items:
        lines = (item.picture.caption or "").strip().splitlines()
        found.setdefault(item.picture.folder, Counter()).update(split_tags(lines[0]) if lines else [])
    return {folder: dict(sorted(tags.items())) for folder, tags in sorted(found.items())}


def dataset_dirs(training_set: TrainingSet, is_reg: bool) -> dict[str, dict[str, int]]:
    """Folder -> repeats and pictures as they are on the disk, with regularisation pictures that are not needed."""
    found: dict[str, dict[str, int]] = {}
    found |= {
        rows.path.stem: {"n_repeats": int(rows.columns.repeats.max()), "img_count": len(rows)}
        for rows in training_set.rows
        if rows.dataset.is_reg is is_reg
    }
    for item in (*training_set.listed, *training_set.not_needed):
        if item.picture.is_reg is not is_reg:
            continue
        entry = found.setdefault(item.picture.folder, {"n_repeats": item.picture.repeats, "img_count": 0})
        entry["img_count"] += 1
    return dict(sorted(found.items()))


def bucket_info(columns: Columns) -> dict[str, object]:
    """How many samples of an epoch are in each bucket, and how far their aspect ratios are from the bucket's on average."""
    counts = {bucket: int(columns.repeats[members].sum()) for bucket, members in columns.members(lambda kind: kind.bucket).items()}
    buckets = {str(k): {"resolution": list(size), "count": count} for k, (size, count) in enumerate(sorted(counts.items()))}
    return {"buckets": buckets, "mean_img_ar_error": float(columns.aspect_error.mean())}
