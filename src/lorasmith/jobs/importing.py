"""An import, on this machine or with the copying spread over the nodes of a Ray cluster. The command line, jobs and the library call this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lorasmith.curation.imports import imports
from lorasmith.curation.imports.archives import Limits
from lorasmith.curation.imports.placing import Imported
from lorasmith.progress import Cancelled, Progress
from lorasmith.stores import here


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
    ray: str | None = None,
) -> Imported:
    """Bring the pictures of the sources with their captions into the dataset `into`, which is made if need be.

    A source is a picture, a folder, a ZIP or TAR archive, the TOML of an sd-scripts dataset, or a JSON with captions (sd-scripts'
    fine-tuning metadata, or a `metadata.jsonl`, `.json` or `.csv`), here or by its URL in a store. `concept` and `repeats` say where
    pictures go that are in no `N_name` folder; without it they go into the dataset's folder itself or, if there are `N_name` folders, into
    one named after the dataset. `link` makes hard links instead of copies where the disk can. `verify` decodes each picture whole instead
    of its header alone. `cancelled` is asked before each picture. Where the dataset has a holdout, copies of held-out pictures are held
    out, too: `cache` is a folder that keeps what is seen of pictures, so that only new ones are looked at.
    With `ray`, the address of a cluster (HEAD:PORT, or `auto`: the one that this machine is a node of), its nodes fetch, read, check and copy
    the pictures, to the same dataset; sources and dataset are on storage that all of them see under the same paths.

    Raises
    ------
    DatasetError
        A source does not exist, or is an archive that cannot be read or would do harm; or the dataset is in use.
    InputError
        A source is the dataset itself, or the cluster cannot be found.
    RunError
        A node does not see the sources or the dataset, or the cluster gave up. The same call goes on.

    Examples
    --------
    >>> imported = ls.import_pictures(["my-set"], "another-set")
    >>> len(imported.added), len(imported.left_out)
    (5, 0)
    >>> len(ls.import_pictures(["my-set"], "another-set").added)
    0
    """
    elsewhere = None
    if ray is not None:
        from lorasmith.cluster import check_installed
        from lorasmith.jobs.cluster.fetching import fetch_on_ray
        from lorasmith.jobs.cluster.importing import bring_on_ray

        check_installed()
        brought = [here(source, elsewhere=fetch_on_ray(ray)) for source in sources]
        sources, elsewhere = brought, bring_on_ray(ray, brought)
    return imports.import_pictures(
        sources, into, concept=concept, repeats=repeats, link=link, verify=verify, progress=progress, cancelled=cancelled, limits=limits,
        cache=cache, elsewhere=elsewhere,
    )  # fmt: skip
