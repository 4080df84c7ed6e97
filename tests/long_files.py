"""Which test files begin first.

A file's tests are one process's. A long file that begins last leaves the other core idle until it ends, and pytest-xdist begins with the
files of the most tests, so that one long test comes at the very end. `make test` keeps the order of this list instead: the longest first.
A file that is missing here costs a little time and nothing else.
"""

LONG_FILES = (
    "training/test_kill.py",
    "curation/test_audit.py",
    "evaluation/proof/test_measuring.py",
    "training/distributed/test_process_group.py",
    "adapters/tools/test_merge_into_base.py",
    "training/test_run.py",
    "training/test_families.py",
    "training/validation/test_validation.py",
    "models/test_quantize.py",
    "cli/test_verbs.py",
    "models/test_contract.py",
    "demo/verdict_bench/test_bench.py",
    "models/test_compiled_blocks.py",
    "training/learner/test_precision.py",
    "models/test_block_swap.py",
    "training/forecast/test_estimate.py",
    "evaluation/test_prove_families.py",
    "models/test_memory_saving.py",
    "training/forecast/test_kept_rehearsals.py",
    "adapters/tools/test_extract.py",
    "adapters/tools/test_results_in_diffusers.py",
    "training/test_full_disk.py",
    "models/files/test_weights.py",
    "training/test_step.py",
    "studio/test_app.py",
    "training/test_commands.py",
    "training/learner/test_continuation.py",
    "demo/test_base.py",
    "adapters/files/test_dialects.py",
    "training/learner/test_text_states.py",
    "studio/test_contract.py",
    "test_light_imports.py",
)
"""Below tests/, by their CPU seconds with those of child processes: from 36 down to 7."""
