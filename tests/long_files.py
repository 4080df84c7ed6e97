"""Which test files begin first.

A file's tests are one process's. A long file that begins last leaves the other core idle until it ends, and pytest-xdist begins with the
files of the most tests, so that one long test comes at the very end. `make test` keeps the order of this list instead: the longest first.
A file that is missing here costs a little time and nothing else.
"""

LONG_FILES = (
    "training/test_kill.py",
    "evaluation/proof/test_measuring.py",
    "training/distributed/test_process_group.py",
    "curation/test_audit.py",
    "adapters/tools/test_merge_into_base.py",
    "training/test_run.py",
    "demo/verdict_bench/test_bench.py",
    "models/test_quantize.py",
    "models/test_block_swap.py",
    "training/test_families.py",
    "training/test_step.py",
    "training/forecast/test_estimate.py",
    "training/validation/test_validation.py",
    "studio/test_client.py",
    "models/test_compiled_blocks.py",
    "adapters/tools/test_extract.py",
    "adapters/tools/test_results_in_diffusers.py",
    "models/test_memory_saving.py",
    "training/test_full_disk.py",
)
"""Below tests/."""
