"""The public names and where they are defined; `__init__.py` imports each when it is first used."""

from lorasmith.adapters.compatibility.check import check_file as check_file
from lorasmith.adapters.files.lora_file import load_tensors as read_lora
from lorasmith.adapters.tools.convert import convert_file as convert
from lorasmith.adapters.tools.merge import merge_files as merge
from lorasmith.adapters.tools.resize import resize_file as resize
from lorasmith.captions.collection import open_captions as open_captions
from lorasmith.curation.audit.dataset import audit_dataset as audit
from lorasmith.curation.imports.imports import import_pictures as import_pictures
from lorasmith.datasets.folders import open_folder as open_dataset
from lorasmith.errors import LorasmithError as LorasmithError
from lorasmith.evaluation.sampling import sample as sample
from lorasmith.evaluation.sampling import with_lora as with_lora
from lorasmith.findings import Finding as Finding
from lorasmith.jobs.training import resume_training as resume
from lorasmith.jobs.training import start_training as train
from lorasmith.models.open import describe as describe_base
from lorasmith.models.open import open_base as open_base
from lorasmith.training.commands import Commands as Commands
from lorasmith.training.forecast.report import make_report as plan
from lorasmith.training.importers.import_settings import import_settings as import_settings
from lorasmith.training.records.event_log import read_events as read_events
from lorasmith.training.settings.toml import load_settings as load_settings
from lorasmith.training.settings.tree import Settings as Settings
from lorasmith.training.settings.tree import settings_from as settings_from

__version__: str

__all__ = [
    "Commands",
    "Finding",
    "LorasmithError",
    "Settings",
    "__version__",
    "audit",
    "check_file",
    "convert",
    "describe_base",
    "import_pictures",
    "import_settings",
    "load_settings",
    "merge",
    "open_base",
    "open_captions",
    "open_dataset",
    "plan",
    "read_events",
    "read_lora",
    "resize",
    "resume",
    "sample",
    "settings_from",
    "train",
    "with_lora",
]
