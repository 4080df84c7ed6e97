"""Which test files begin first.

A file's tests are one process's. A long file that begins last leaves the other core idle until it ends, and pytest-xdist begins with the
files of the most tests, so that one long test comes at the very end. `make test` keeps the order of this list instead: the longest first.
A file that is missing here costs a little time and nothing else.
"""

LONG_FILES = (
    "training/test_kill.py",
    "evaluation/proof/test_measuring.py",
    "curation/test_audit.py",
    "training/distributed/test_process_group.py",
    "models/test_compiled_blocks.py",
    "training/test_run.py",
    "models/test_quantize.py",
    "models/test_block_swap.py",
    "demo/verdict_bench/test_bench.py",
    "adapters/tools/test_merge_into_base.py",
    "training/validation/test_validation.py",
    "training/test_families.py",
    "cli/test_verbs.py",
    "training/forecast/test_estimate.py",
    "models/test_contract.py",
    "models/test_memory_saving.py",
    "studio/test_client.py",
    "training/test_step.py",
    "adapters/tools/test_extract.py",
    "models/files/test_weights.py",
    "training/learner/test_precision.py",
    "training/learner/test_text_states.py",
    "adapters/tools/test_results_in_diffusers.py",
    "training/forecast/test_kept_rehearsals.py",
    "training/learner/test_continuation.py",
    "evaluation/grid/test_grid.py",
    "evaluation/test_prove.py",
    "adapters/files/test_dialects.py",
    "training/test_full_disk.py",
    "training/test_commands.py",
    "jobs/test_torture.py",
)
"""Below tests/."""
