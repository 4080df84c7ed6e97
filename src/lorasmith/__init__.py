"""Turn a folder of images into a LoRA that is proven to be good.

The functions that most programs need, by one import::

    import lorasmith as ls

    settings = ls.load_settings("my-lora.toml")
    result = ls.train(settings, "runs/my-lora")

Everything else is in the rooms below, along an image's way: images, captions, datasets, curation, models, adapters, training,
evaluation. A name is imported when it is first used, so that `import lorasmith` takes no time and no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lorasmith.adapters.compatibility.check import check_file as check_file
    from lorasmith.adapters.files.lora_file import load_tensors as read_lora
    from lorasmith.adapters.tools.merge import merge as merge
    from lorasmith.adapters.tools.resize import resize as resize
    from lorasmith.captions.collection import open_captions as open_captions
    from lorasmith.curation.audit.dataset import audit_dataset as audit
    from lorasmith.curation.imports.imports import import_pictures as import_pictures
    from lorasmith.datasets.folders import open_folder as open_dataset
    from lorasmith.errors import LorasmithError as LorasmithError
    from lorasmith.evaluation.sampling import with_lora as with_lora
    from lorasmith.findings import Finding as Finding
    from lorasmith.jobs.training import resume_training as resume
    from lorasmith.jobs.training import start_training as train
    from lorasmith.models.open import describe as describe_base
    from lorasmith.models.open import open_base as open_base
    from lorasmith.models.sampling import sample as sample
    from lorasmith.training.commands import Commands as Commands
    from lorasmith.training.events import read_events as read_events
    from lorasmith.training.importers.import_settings import import_settings as import_settings
    from lorasmith.training.planning.report import make_report as plan
    from lorasmith.training.settings.tree import Settings as Settings
    from lorasmith.training.settings.tree import load_settings as load_settings
    from lorasmith.training.settings.tree import settings_from as settings_from

__version__: str

# Public name -> where it is defined. A test compares it with the imports above, which are for editors and type checkers.
_PUBLIC = {
    "Commands": "training.commands:Commands",
    "Finding": "findings:Finding",
    "LorasmithError": "errors:LorasmithError",
    "Settings": "training.settings.tree:Settings",
    "audit": "curation.audit.dataset:audit_dataset",
    "check_file": "adapters.compatibility.check:check_file",
    "describe_base": "models.open:describe",
    "import_pictures": "curation.imports.imports:import_pictures",
    "import_settings": "training.importers.import_settings:import_settings",
    "load_settings": "training.settings.tree:load_settings",
    "merge": "adapters.tools.merge:merge",
    "open_base": "models.open:open_base",
    "open_captions": "captions.collection:open_captions",
    "open_dataset": "datasets.folders:open_folder",
    "plan": "training.planning.report:make_report",
    "read_events": "training.events:read_events",
    "read_lora": "adapters.files.lora_file:load_tensors",
    "resize": "adapters.tools.resize:resize",
    "resume": "jobs.training:resume_training",
    "sample": "models.sampling:sample",
    "settings_from": "training.settings.tree:settings_from",
    "train": "jobs.training:start_training",
    "with_lora": "evaluation.sampling:with_lora",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("lorasmith")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lorasmith' has no attribute '{name}'")
    module, _, attribute = _PUBLIC[name].partition(":")
    found = globals()[name] = getattr(importlib.import_module(f"lorasmith.{module}"), attribute)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
