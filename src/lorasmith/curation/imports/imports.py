"""Bring any pile of pictures into a dataset: files, folders, archives, and datasets made for other trainers.

A dataset is a folder that every trainer can read, pictures with captions beside them, plain or in kohya's `N_name` folders:

    anna/                          anna/
      cat.png  cat.txt               10_anna, red hat/cat.png  cat.txt
      dog.jpg                        5_anna, blue coat/...
      .lorasmith/                    regularisation/1_woman/...
                                     holdout/1_anna, red hat/...

`survey` says what is in a source, `bringing` copies it aside, `placing` lets it into the dataset. By the record of what came in (`curation.record`), importing a pile
again adds nothing, also after pictures were renamed, mended or laid out. Sources are only read. Where an import is interrupted, the next
one goes on. What is left out comes back as findings.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from lorasmith.curation.holdout import keep_together
from lorasmith.curation.imports.archives import Limits
from lorasmith.curation.imports.bringing import Bringer, Brought, in_order
from lorasmith.curation.imports.placing import Imported, Placing
from lorasmith.curation.imports.source import FoundPicture
from lorasmith.curation.imports.survey import refuse_source, survey
from lorasmith.curation.mend.mend import alone_in
from lorasmith.curation.moves import finish_moves
from lorasmith.curation.names import safe_folder
from lorasmith.dataset_folder import is_no_folder, mask_beside
from lorasmith.errors import DatasetError, LorasmithError
from lorasmith.progress import Cancelled, Progress
from lorasmith.stores import here, url_of

Elsewhere = Callable[[Sequence[FoundPicture], Bringer, Iterable[str], Cancelled], Iterator[tuple[int, Brought]]]
"""Does what `Bringer.bring` does for each picture of a list, in other processes; gives its number in the list and what came of it, in any order.

It is also given, as `known_as` has them, the pictures that the dataset has, and what to ask whether to stop.
"""


def import_pictures(
    sources: Sequence[str | Path],
    into: str | Path,
    *,
    concept: str | None = None,
    repeats: int = 1,
    link: bool = False,
    verify: bool = False,
    progress: Progress | None = None,
    cancelled: Cancelled = lambda: False,
    limits: Limits | None = None,
    cache: str | Path | None = None,
    elsewhere: Elsewhere | None = None,
) -> Imported:
    """Bring the pictures of the sources with their captions into the dataset `into`, which is made if need be.

    A source is a picture, a folder, a ZIP or TAR archive, the TOML of an sd-scripts dataset, or a JSON with captions (sd-scripts'
    fine-tuning metadata, or a `metadata.jsonl`, `.json` or `.csv`), here or by its URL in a store. `concept` and `repeats` say where pictures go that are in no `N_name` folder; without
    it they go into the dataset's folder itself or, if there are `N_name` folders, into one named after the dataset. `link` makes hard
    links instead of copies where the disk can. `verify` decodes each picture whole instead of its header alone.
    `cancelled` is asked before each picture. Where the dataset has a holdout, copies of held-out pictures are held out, too:
    `cache` is a folder that keeps what is seen of pictures, so that only new ones are looked at. `elsewhere` brings pictures aside in other
    processes; what comes of the import does not depend on it.

    Raises
    ------
    DatasetError
        A source does not exist, or is an archive that cannot be read or would do harm; or the dataset is in use.
    InputError
        A source is the dataset itself.
    """
    into, piles = Path(into), [here(source) for source in sources]
    report = Imported(into)
    if url_of(into) is not None:
        raise is_no_folder(into)
    if into.exists() and not into.is_dir():
        raise DatasetError(f"{into} is a file: name a folder for the dataset.", code="dataset.no_folder", folder=str(into))
    for source in piles:
        refuse_source(source, into)
    with ExitStack() as open_archives:
        found = [one for source in piles for one in survey(source, into, report.left_out, open_archives, limits)]
        if concept is not None:
            for one in found:
                if one.concept is None:
                    one.concept, one.repeats = safe_folder(concept), repeats
        into.mkdir(parents=True, exist_ok=True)
        with alone_in(into):
            finish_moves(into)
            placing = Placing(into, report, link, verify)
            placing.choose_layout(found)
            try:
                with closing(_brought(found, placing, elsewhere, cancelled)) as coming:
                    for number, one in enumerate(found):
                        if cancelled() or (brought := next(coming, None)) is None:
                            report.stopped = True
                            break
                        placing.take_in(one, brought)
                        if progress:
                            progress(number + 1, len(found))
            except LorasmithError:  # of `elsewhere`: what came before it stays
                placing.close()
                raise
            placing.close()
    _join_copies(into, report, cache)
    return report


def _brought(found: Sequence[FoundPicture], placing: Placing, elsewhere: Elsewhere | None, cancelled: Cancelled) -> Generator[Brought]:
    """What came of bringing each picture, in their order; ends early where `elsewhere` was stopped."""
    if elsewhere is None:
        for one in found:
            yield placing.bringer.bring(one)
        return
    apart = [one for one in found if not one.sequential]
    with closing(in_order(elsewhere(apart, placing.bringer, placing.known.digests(), cancelled))) as results:
        for one in found:
            brought = placing.bringer.bring(one) if one.sequential else next(results, None)
            if brought is None:
                return
            yield brought


def _join_copies(into: Path, report: Imported, cache: str | Path | None) -> None:
    """Move what came in to the side of its near duplicates, where some of the dataset's pictures are held out."""
    moved = keep_together(into, {one.path for one in report.added}, cache)
    for number, one in enumerate(report.added):
        if (path := moved.get(one.path)) is not None:
            captions = tuple(path.with_suffix(caption.suffix) for caption in one.captions)
            report.added[number] = replace(one, path=path, captions=captions)
    masks = {mask_beside(old): mask_beside(new) for old, new in moved.items()}
    report.masks_added = [masks.get(mask, mask) for mask in report.masks_added]
