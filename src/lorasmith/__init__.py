"""Turn a folder of images into a LoRA that is proven to be good.

The functions that most programs need, by one import:

    import lorasmith as ls

    settings = ls.load_settings("my-lora.toml")
    result = ls.train(settings, "runs/my-lora")

Everything else is in the rooms below, along an image's way: images, captions, datasets, curation, models, adapters, training,
evaluation. The public names stand in `__init__.pyi`, where editors and type checkers read them too. Each is imported when it is
first used, so that `import lorasmith` takes no time and no torch.
"""

from functools import cache
from typing import Any


@cache
def _public() -> dict[str, tuple[str, str]]:
    """Public name -> (module, name there), as the stub says it."""
    import ast
    from pathlib import Path

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = (line for line in stub.body if isinstance(line, ast.ImportFrom) and line.module)
    return {alias.asname or alias.name: (str(line.module), alias.name) for line in imports for alias in line.names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lorasmith")
    if name == "__all__":
        return ["__version__", *_public()]
    if name.startswith("__") or name not in _public():
        raise AttributeError(f"module 'lorasmith' has no attribute '{name}'")
    from importlib import import_module

    from lorasmith.imports import without_collection

    module, attribute = _public()[name]
    with without_collection():
        found = globals()[name] = getattr(import_module(module), attribute)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), "__version__", *_public()})
