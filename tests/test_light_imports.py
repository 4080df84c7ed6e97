"""What reads, plans and reports needs no torch, which takes seconds to import; one after the other, so that the first that does is named."""

import subprocess
import sys

LIGHT = (
    "captions.advice.advise", "captions.collection", "captions.edits.planning", "captions.statistics", "captions.taggers.tagging", "cli.main", "curation.audit.dataset", "datasets.folders", "datasets.training_set", "library.inspect", "cli.lora.show",
    "evaluation.report", "evaluation.run_list", "evaluation.run_record", "findings", "images.read", "jobs.kinds.registry", "jobs.supervisor", "jobs.worker", "library.catalogue.catalogue", "library.inspect", "models.open", "models.samplers", "pages.render", "training.commands", "training.events",
    "training.importers.import_settings", "training.planning.check", "training.planning.lints", "training.planning.plan",
    "training.recipes.starting_point", "training.records.event_log", "training.records.manifest", "training.records.run_folder",
    "training.settings.toml", "training.validation.validation_set",
)  # fmt: skip

PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"lorasmith.{name}")
    for heavy in ("torch", "diffusers", "transformers"):
        if heavy in sys.modules:
            sys.exit(f"{name} imports {heavy}")
"""


def test_a_light_module_imports_no_heavy_library():
    result = subprocess.run([sys.executable, "-c", PROGRAM, *LIGHT], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


NOT_FOR_A_RUN = (
    "bitsandbytes", "diffusers.models.transformers.transformer_flux", "diffusers.models.unets.unet_3d_condition", "diffusers.pipelines",
    "fastapi", "matplotlib", "onnx", "onnxruntime", "pandas", "scipy.stats._distn_infrastructure", "skimage", "sklearn", "tensorboard", "tensorboardX.writer", "torch._inductor.compile_fx",
    "torchvision", "transformers.pipelines", "transformers.trainer", "wandb",
)  # fmt: skip
"""What takes long to import, and is not used before the first step of a run on the demo base."""

A_BASE = """
import gc, sys
from lorasmith.demo.weights import BASE
from lorasmith.models.open import open_base
from lorasmith.training import run
from lorasmith.training.listeners import tensorboard
open_base(BASE)
assert gc.isenabled()
print([name for name in sys.argv[1:] if name in sys.modules])
"""


def test_a_run_on_the_demo_base_imports_nothing_that_it_does_not_use():
    result = subprocess.run([sys.executable, "-c", A_BASE, *NOT_FOR_A_RUN], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "[]", result.stderr
