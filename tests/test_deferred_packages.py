"""A deferred package gives all that it has, and runs its `__init__` for nobody who wants one of its modules."""

import subprocess
import sys
import threading

import pytest

from lorasmith.deferred_packages import deferred_packages


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package "crowd" with a module "one", whose `__init__` is the given text; the tests forget it afterwards."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(init):
        (tmp_path / "crowd").mkdir()
        (tmp_path / "crowd" / "__init__.py").write_text(init, encoding="utf-8")
        (tmp_path / "crowd" / "one.py").write_text("class One: ...\n", encoding="utf-8")
        (tmp_path / "crowd" / "two.py").write_text("class Two: ...\n", encoding="utf-8")

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == "crowd"]:
        del sys.modules[name]


def test_a_module_below_is_imported_without_the_packages_init(package):
    package("from crowd.two import Two\n")
    with deferred_packages("crowd"):
        from crowd.one import One
    assert One.__module__ == "crowd.one"
    assert "crowd.two" not in sys.modules
    import crowd

    assert crowd.Two.__module__ == "crowd.two"
    with pytest.raises(AttributeError, match="module 'crowd' has no attribute 'Three'"):
        _ = crowd.Three


def test_a_package_that_puts_another_module_in_its_place_is_asked_there(package):
    package("import sys, types\nsys.modules[__name__] = lazy = types.ModuleType(__name__)\nlazy.number = 7\n")
    with deferred_packages("crowd"):
        import crowd.one
    assert crowd.number == crowd.number == 7


def test_the_init_runs_once_for_all_threads(package):
    package("import sys, time\nsys.crowd_runs = getattr(sys, 'crowd_runs', 0) + 1\ntime.sleep(0.05)\nnumber = 7\n")
    with deferred_packages("crowd"):
        import crowd
    found = []
    threads = [threading.Thread(target=lambda: found.append(crowd.number)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 4
    assert sys.crowd_runs == 1
    del sys.crowd_runs


def test_an_init_that_fails_fails_again_when_asked_again(package):
    package("import a_package_that_is_not_there\n")
    with deferred_packages("crowd"):
        import crowd
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
            _ = crowd.number


def test_other_packages_and_later_imports_are_left_alone(package):
    package("from crowd.two import Two\n")
    before = list(sys.meta_path)
    with deferred_packages("nobody"):
        import crowd
    assert "crowd.two" in sys.modules
    assert type(crowd).__name__ == "module"
    assert sys.meta_path == before


def test_a_unet_and_a_text_encoder_come_without_all_other_models_which_are_there_when_asked_for():
    program = """
import sys
from lorasmith.models.parts import class_of
class_of("diffusers", "UNet2DConditionModel"), class_of("transformers", "CLIPTextModel"), class_of("diffusers", "AutoencoderKL")
assert "diffusers.models.transformers.auraflow_transformer_2d" not in sys.modules
import diffusers, transformers
from diffusers.models.transformers import FluxTransformer2DModel
assert FluxTransformer2DModel is diffusers.FluxTransformer2DModel is class_of("diffusers", "FluxTransformer2DModel")
assert transformers.models.bert.BertConfig is transformers.models.bert.BertConfig is transformers.BertConfig
assert transformers.AutoModel and diffusers.StableDiffusionPipeline
class_of("diffusers", "DPMSolverMultistepScheduler")(use_beta_sigmas=True).set_timesteps(2)  # asks scipy.stats for its beta distribution
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
