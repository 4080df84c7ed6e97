"""Train a LoRA again from its file: its settings are in its metadata, its base and its pictures are found by their hashes.

    again = plan_retraining("mimi.safetensors", data=["pictures"])
    again.inputs       # what was found where, and what differs from what the file was trained with
    again.settings     # complete, with the places that were found; for `train`

Looked for is where the user says, where the run that made the file had it (if the file is still in its folder), and below the folder
that one is in, by name; never on the whole disk. Our own files record what they were trained with (`training.records.inputs`): the same
settings, pictures and base make the same tensors on the same machine. Files of other trainers say less: names, numbers of pictures, and
the hash of a base in one file.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from lorasmith.adapters.files.header import read_lora_header
from lorasmith.adapters.kinds import lora
from lorasmith.datasets.folders import open_folder
from lorasmith.datasets.order import ORDER
from lorasmith.datasets.training_set import TrainingSet, open_training_set
from lorasmith.errors import AdapterError, InputError, SettingsError
from lorasmith.images.picture_cache import PICTURES
from lorasmith.images.read import content_hash
from lorasmith.library.inspect import inspect
from lorasmith.library.search import Search
from lorasmith.models.files.hashes import auto_v1, fingerprints, sha256
from lorasmith.models.files.hub import is_hub_id
from lorasmith.models.open import SEPARATE_PARTS, describe
from lorasmith.pages.numbers import count
from lorasmith.training.importers.import_settings import import_settings
from lorasmith.training.records.inputs import KEY, PICTURE_DIGITS, RecordedPicture, recorded_pictures, versions
from lorasmith.training.settings.places import with_place
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class Input:
    """Something that the training needs: where it is, and how it differs from what it was."""

    setting: str
    """Such as base.path or datasets.0.path."""
    called: str
    """Its name when the file was trained."""
    place: Path | None
    """None where it was not found."""
    differs: tuple[str, ...] = ()
    """What is otherwise than it was, each in a few words."""
    compared: bool = True
    """Whether its content was compared; not where the file does not record it."""

    @property
    def state(self) -> str:
        """missing, differs, same, or found (its content could not be compared)."""
        return "missing" if self.place is None else "differs" if self.differs else "same" if self.compared else "found"

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {"setting": self.setting, "called": self.called, "place": self.place, "state": self.state, "differs": list(self.differs)}


@dataclass(frozen=True)
class Retraining:
    """What it takes to train a file again."""

    file: Path
    settings: Settings | None
    """With the places that were found; None where something is missing."""
    inputs: tuple[Input, ...]
    notes: tuple[str, ...] = ()
    """What else may make the result another one, a sentence each."""

    @property
    def exact(self) -> bool:
        """Whether the same tensors will come out on the same machine."""
        return not self.notes and all(each.state == "same" for each in self.inputs)

    def ready(self, anyway: bool = False) -> Settings:
        """The settings to train with.

        Raises:
            InputError: something is missing or, unless `anyway`, differs.
        """
        for each in self.inputs:
            if each.place is None:
                what = "--base" if each.setting == "base.path" else "--data"
                raise InputError(
                    f"{each.setting} ({each.called}) was not found, so {self.file.name} cannot be trained again: say where it is ({what}).",
                    code="retrain.missing", setting=each.setting,
                )  # fmt: skip
            if each.differs and not anyway:
                raise InputError(
                    f"{each.setting} is not what {self.file.name} was trained with ({'; '.join(each.differs)}): put it back, or train with "
                    "what is here (--anyway).",
                    code="retrain.differs", setting=each.setting,
                )  # fmt: skip
        assert self.settings is not None
        return self.settings

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {"file": self.file, "exact": self.exact, "inputs": [each.as_data for each in self.inputs], "notes": list(self.notes)}


def plan_retraining(file: str | Path, data: Iterable[str | Path] = (), base: str | Path | None = None) -> Retraining:
    """Find what a LoRA file was trained with, and say what differs.

    Parameters
    ----------
    file
        The LoRA file, of Lorasmith or of another trainer that wrote its settings into it.
    data
        Folders in which its pictures are, or which have them in folders below.
    base
        The base model.

    Raises
    ------
    SettingsError
        The file does not have settings that can be trained with.
    """
    file = Path(file)
    metadata = read_lora_header(file).metadata
    folders = [Path(each) for each in data]
    imported = import_settings(file)
    if imported.settings is None:
        imported = import_settings(file, base, folders)
    if imported.settings is None:
        raise SettingsError(f"{file} has no settings to train with. {imported.fault}", code="retrain.settings", path=str(file))
    record = Record.of(metadata)
    search = Search.beside(file, folders, [Path.cwd()])
    finding = _Finding(imported.settings, record, search, None if base is None else Path(base), metadata)
    inputs, notes = finding.all()
    if (rank := _other_rank(file, metadata, imported.settings)) is not None:
        notes.append(
            f"The file was rewritten after its training (its rank is now {rank}): trained again is the LoRA of its settings, of rank "
            f"{imported.settings.network.rank}."
        )
    if not record.is_ours:
        notes += [each.message for each in imported.of("import.not_carried") + imported.of("import.unknown")]
    return Retraining(file, finding.settings if all(each.place for each in inputs) else None, tuple(inputs), tuple(notes))


def _other_rank(file: Path, metadata: Mapping[str, str], settings: Settings) -> str | None:
    """The rank of a file, or its ranks, where they are not those of its settings: it was resized then."""
    network = settings.network
    if network.layers or network.dim_from_weights:
        return None
    said = metadata.get("ss_network_dim")
    if said is not None and said != str(network.rank):
        return said
    try:
        info = inspect(file)
    except AdapterError:
        return None
    is_of_rank = not info.ranks or str(network.rank) in info.ranks or str(network.conv_rank) in info.ranks
    return None if is_of_rank or info.kinds.keys() != {lora.KIND.name} else ", ".join(info.ranks)


@dataclass(frozen=True)
class Record:
    """What a file says of its inputs; see `training.records.inputs`."""

    is_ours: bool
    base: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[Sequence[RecordedPicture]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    continued: Sequence[Any] = ()
    order: int = ORDER

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Record:
        """The record in a file's metadata; an empty one where there is none, or it is damaged."""
        try:
            tree = json.loads(metadata[KEY])
            datasets = [
                [RecordedPicture(str(content), str(said), int(repeats)) for content, said, repeats in rows] for rows in tree["datasets"]
            ]
            return cls(True, dict(tree["base"]), datasets, dict(tree["versions"]), tree.get("continued", ()), int(tree.get("order", 1)))
        except (KeyError, ValueError, TypeError, RecursionError):
            return cls(False)


class _Finding:
    """The search for one file's inputs; `settings` gets the places as they are found."""

    def __init__(self, settings: Settings, record: Record, search: Search, base: Path | None, metadata: Mapping[str, str]):
        self.settings, self.record, self.search, self.base, self.metadata = settings, record, search, base, metadata

    def all(self) -> tuple[list[Input], list[str]]:
        """The inputs in the order of the settings, and what else may make the result another one."""
        notes = list(_version_notes(self.record)) + list(_continued_notes(self.record))
        inputs = [*self._named_files(notes), self._base()]
        datasets = self._datasets()
        if all(each.place for each in (*inputs, *datasets)):
            datasets = self._compared(datasets)
        return [*inputs, *datasets], notes

    def _put(self, setting: str, value: Path | int | None) -> None:
        self.settings = with_place(self.settings, setting, value)

    # ---- files beside the base

    def _named_files(self, notes: list[str]) -> list[Input]:
        """Files and folders that are known by their names alone; those without which the same tensors come out are given up."""
        inputs = []
        base = self.settings.base
        needed = {f"base.{name}": getattr(base, name) for name in (*SEPARATE_PARTS, "config")}
        needed |= {"network.weights": self.settings.network.weights}
        needed |= {f"datasets.{number}.mask_path": each.mask_path for number, each in enumerate(self.settings.datasets)}
        for setting, named in needed.items():
            if named is not None and not is_hub_id(named):
                place = next(self.search.candidates(setting, named.name), None)
                differs = self._parent_differs(place) if setting == "network.weights" and place is not None else ()
                inputs.append(Input(setting, named.name, place, differs, compared=setting == "network.weights"))
                if place is not None:
                    self._put(setting, place)
        for setting, named in (
            ("validation.path", self.settings.validation.path),
            ("samples.prompts_file", self.settings.samples.prompts_file),
        ):
            if named is not None:
                place = next(self.search.candidates(setting, named.name), None)
                self._put(setting, place)
                if place is None and setting == "validation.path" and self.settings.validation.stop_when_over:
                    notes.append("The folder to validate with is not here, by which the training may have ended early.")
        return inputs

    def _parent_differs(self, place: Path) -> tuple[str, ...]:
        try:
            known = json.loads(self.metadata["lorasmith_parent"])["sha256"]
        except (KeyError, ValueError, TypeError):
            return ()
        return () if sha256(place) == known else ("it is another file of that name",)

    # ---- the base

    def _base(self) -> Input:
        """The first base with the recorded hashes; else the first that is there."""
        named = self.settings.base.path
        called = str(named) if is_hub_id(named) else self.metadata.get("ss_sd_model_name", named.name)
        there: tuple[Path, tuple[str, ...], bool] | None = None
        given = [self.base] if self.base is not None else [named] if is_hub_id(named) else []
        names = dict.fromkeys((named.name, called))
        for place in given or chain((each for name in names for each in self.search.candidates("base.path", name)), self._by_hash()):
            try:
                differs, compared = self._base_differs(place)
            except InputError:
                if self.base is not None:
                    raise
                continue
            if not differs:
                there = place, (), compared
                break
            there = there or (place, differs, compared)
        if there is None:
            return Input("base.path", called, None)
        self._put("base.path", there[0])
        return Input("base.path", called, *there)

    def _by_hash(self) -> Iterator[Path]:
        """Models in one file that have the recorded hashes, whatever they are called; the short one is of 64 KiB, and is compared first."""
        short, whole = self.metadata.get("ss_sd_model_hash", "None"), self.metadata.get("ss_new_sd_model_hash", "None")
        for place in self.search.files(".safetensors") if "None" not in (short, whole) else ():
            with contextlib.suppress(InputError, OSError):
                if auto_v1(place) == short and sha256(place) == whole:
                    yield place

    def _base_differs(self, place: Path) -> tuple[tuple[str, ...], bool]:
        """What differs of a base, and whether it could be compared."""
        options = self.settings.base.open_options
        description = describe(place, **options)
        if self.record.base:
            found = fingerprints(description, self.settings.base.quantize)
            parts = [part for part, known in self.record.base.items() if found.get(part) != known]
            return ((f"other weights or settings of its {', '.join(parts)}",) if parts else ()), True
        for key, hash_of in (("ss_new_sd_model_hash", sha256), ("ss_sd_model_hash", auto_v1)):
            known = self.metadata.get(key, "None")
            if place.is_file() and known != "None":
                return (() if hash_of(place) == known else ("it is another file of that name",)), True
        return (), False

    # ---- the pictures

    def _datasets(self) -> list[Input]:
        """The folder of each dataset: that with the most of its pictures."""
        inputs = []
        for number, dataset in enumerate(self.settings.datasets):
            setting = f"datasets.{number}.path"
            rows = self.record.datasets[number] if number < len(self.record.datasets) else ()
            place = self._folder(setting, dataset.path.name, {each.content for each in rows})
            inputs.append(Input(setting, dataset.path.name, place, compared=bool(rows)))
            if place is not None:
                self._put(setting, place)
        return inputs

    def _folder(self, setting: str, name: str, wanted: set[str]) -> Path | None:
        candidates = list(dict.fromkeys((*self.search.candidates(setting, name), *self.search.folders)))
        named = next((each for each in candidates if each.name == name), None)
        if not wanted:
            only = candidates[0] if candidates and len(self.settings.datasets) == 1 else None
            return named or only
        best, most = named, (0, 0)
        for candidate in candidates:
            found = {self._digest(path) for path in _pictures_of(candidate)}
            score = (len(found & wanted), -len(found - wanted))
            if score > most:
                best, most = candidate, score
        return best

    def _digest(self, path: Path) -> str:
        if path not in self.search.digests:
            self.search.digests[path] = content_hash(path)[:PICTURE_DIGITS]
        return self.search.digests[path]

    def _compared(self, inputs: list[Input]) -> list[Input]:
        """The folders opened as a training opens them, and compared with what the file records."""
        if self.record.is_ours:
            self._keep_repeats()
        s = self.settings
        opened = open_training_set(
            s.datasets, s.buckets, batch_size=s.training.batch_size, balance_reg=s.training.balance_reg, cache=s.cache_folder / PICTURES
        )
        if not self.record.is_ours:
            return [self._counted(number, each, opened) for number, each in enumerate(inputs)]
        found = recorded_pictures(opened)
        compared = []
        for number, each in enumerate(inputs):
            rows = found[number] if number < len(found) else []
            names = dict(zip((row.content for row in rows), _names_of(opened, number), strict=True))
            compared.append(Input(each.setting, each.called, each.place, tuple(_differences(self.record.datasets[number], rows, names))))
        return compared

    def _keep_repeats(self) -> None:
        """Repeats that a folder's name gave, which may be another now."""
        for number, rows in enumerate(self.record.datasets):
            repeats = {each.repeats for each in rows}
            dataset = self.settings.datasets[number]
            if dataset.repeats is None and not dataset.is_reg and len(repeats) == 1:
                self._put(f"datasets.{number}.repeats", repeats.pop())

    def _counted(self, number: int, each: Input, opened: TrainingSet) -> Input:
        """A folder of which another trainer recorded how many pictures it has."""
        known = _image_counts(self.metadata).get(each.called)
        here = len(_names_of(opened, number))
        differs = (f"{count(here, 'picture')}, and {known} then",) if known is not None and known != here else ()
        return Input(each.setting, each.called, each.place, differs, compared=False)


def _names_of(opened: TrainingSet, number: int) -> list[str]:
    """The names of what is recorded of a dataset."""
    of_rows = [rows.path.name for rows in opened.rows if rows.number == number]
    return of_rows or [item.picture.path.name for item in opened.listed if item.dataset == number]


def _pictures_of(folder: Path) -> list[Path]:
    """The pictures that a dataset in this folder has; none where it has no dataset."""
    try:
        return [picture.path for picture in open_folder(folder, verify=False).pictures]
    except InputError:
        return []


def _differences(recorded: Sequence[RecordedPicture], found: Sequence[RecordedPicture], names: Mapping[str, str]) -> Iterable[str]:
    """How the pictures of a dataset differ from those that a file records, in a few words each."""
    before, now = Counter(each.content for each in recorded), Counter(each.content for each in found)
    if lost := (before - now).total():
        yield f"{lost} of {count(len(recorded), 'picture')} {'is' if lost == 1 else 'are'} not there, or changed"
    if new := list((now - before).elements()):
        yield f"{count(len(new), 'picture')} {'was' if len(new) == 1 else 'were'} not in the training ({names[new[0]]})"
    said = {each.content: each for each in recorded}
    both = [each for each in found if each.content in said]
    if changed := [each for each in both if each.said != said[each.content].said]:
        yield f"the caption (or mask) of {count(len(changed), 'picture')} is another ({names[changed[0].content]})"
    if repeated := [each for each in both if each.repeats != said[each.content].repeats]:
        first = repeated[0]
        yield f"{count(len(repeated), 'picture')} repeated {first.repeats} times, and {said[first.content].repeats} times then"
    if before == now and [each.content for each in recorded] != [each.content for each in found]:
        yield "the pictures are in another order, as their names are others: every draw depends on it"


def _image_counts(metadata: Mapping[str, str]) -> dict[str, int]:
    """Folder -> pictures, as sd-scripts records them."""
    counts: dict[str, int] = {}
    for key in ("ss_dataset_dirs", "ss_reg_dataset_dirs"):
        try:
            counts |= {Path(name).name: int(facts["img_count"]) for name, facts in json.loads(metadata.get(key, "{}")).items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return counts


def _version_notes(record: Record) -> Iterable[str]:
    if record.order != ORDER:
        yield (
            "The file was trained by another version of Lorasmith, which shows the pictures in another order: the same pictures as often, but "
            "other tensors."
        )
    here = versions()
    others = [f"{name} {known} (here {here[name]})" for name, known in record.versions.items() if name in here and here[name] != known]
    if others:
        yield f"The file was trained with {', '.join(others)}: the last digits of its numbers may differ."


def _continued_notes(record: Record) -> Iterable[str]:
    for step, changes in record.continued:
        yield f"The run went on after step {step} with other settings ({', '.join(changes)}), and begins with the last of them now."
