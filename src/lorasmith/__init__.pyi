"""The public names and where they are defined; `__init__.py` imports each when it is first used."""

from lorasmith.adapters.compatibility.check import check_file as check_file
from lorasmith.adapters.files.header import read_lora_header as read_lora_header
from lorasmith.adapters.files.lora_file import load_tensors as read_lora
from lorasmith.adapters.tools.convert import convert_file as convert
from lorasmith.adapters.tools.extract import extract_file as extract
from lorasmith.adapters.tools.merge import Sparse as SparseMerge
from lorasmith.adapters.tools.merge import merge_files as merge
from lorasmith.adapters.tools.merge_into_base import merge_into_base as merge_into_base
from lorasmith.adapters.tools.resize import resize_file as resize
from lorasmith.captions.collection import open_captions as open_captions
from lorasmith.curation.export import export as export_dataset
from lorasmith.curation.holdout import hold_out as hold_out
from lorasmith.curation.holdout import plan_holdout as plan_holdout
from lorasmith.curation.mend.mend import mend as mend
from lorasmith.curation.mend.proposals import propose as propose_mends
from lorasmith.curation.undo import undo_mends as undo_mends
from lorasmith.datasets.folders import open_folder as open_dataset
from lorasmith.errors import LorasmithError as LorasmithError
from lorasmith.evaluation.compare import compare as compare
from lorasmith.evaluation.grid.grid import grid as grid
from lorasmith.evaluation.prove import prove as prove
from lorasmith.evaluation.prove import prove_file as prove_file
from lorasmith.evaluation.report import write_report as write_report
from lorasmith.evaluation.sampling.loras import with_lora as with_lora
from lorasmith.evaluation.sampling.sample import sample as sample
from lorasmith.findings import Finding as Finding
from lorasmith.findings import MendChange as MendChange
from lorasmith.jobs.auditing import audit as audit
from lorasmith.jobs.importing import import_pictures as import_pictures
from lorasmith.jobs.sweep.sweep import sweep as sweep
from lorasmith.jobs.training import resume_training as resume
from lorasmith.jobs.training import retrain as retrain
from lorasmith.jobs.training import start_training as train
from lorasmith.library.catalogue.catalogue import Catalogue as Catalogue
from lorasmith.library.catalogue.query import Query as Query
from lorasmith.library.edit import edit_lora as edit_lora
from lorasmith.library.edit import undo_edits as undo_edits
from lorasmith.library.inspect import inspect as describe_lora
from lorasmith.library.install import install as install
from lorasmith.library.lora_comparison import compare_loras as compare_loras
from lorasmith.library.publish.publish import publish as publish
from lorasmith.models.open import describe as describe_base
from lorasmith.models.open import open_base as open_base
from lorasmith.models.prompts.parameters import read_png as read_png
from lorasmith.training.commands import Commands as Commands
from lorasmith.training.forecast.report import make_report as plan
from lorasmith.training.importers.import_settings import import_settings as import_settings
from lorasmith.training.records.event_log import read_events as read_events
from lorasmith.training.settings.toml import load_settings as load_settings
from lorasmith.training.settings.tree import Settings as Settings
from lorasmith.training.settings.tree import settings_from as settings_from

__version__: str

__all__ = [
    "Catalogue",
    "Commands",
    "Finding",
    "LorasmithError",
    "MendChange",
    "Query",
    "Settings",
    "SparseMerge",
    "__version__",
    "audit",
    "check_file",
    "compare",
    "compare_loras",
    "convert",
    "describe_base",
    "describe_lora",
    "edit_lora",
    "export_dataset",
    "extract",
    "grid",
    "hold_out",
    "import_pictures",
    "import_settings",
    "install",
    "load_settings",
    "mend",
    "merge",
    "merge_into_base",
    "open_base",
    "open_captions",
    "open_dataset",
    "plan",
    "plan_holdout",
    "propose_mends",
    "prove",
    "prove_file",
    "publish",
    "read_events",
    "read_lora",
    "read_lora_header",
    "read_png",
    "resize",
    "resume",
    "retrain",
    "sample",
    "settings_from",
    "sweep",
    "train",
    "undo_edits",
    "undo_mends",
    "with_lora",
    "write_report",
]
