"""Bases that were distilled to few steps are reported by the plan, each family's, by what its authors call them; their bases are not."""

import pytest

from lorasmith.training.planning.check import check
from lorasmith.training.planning.lints.lints import lint_run
from tests.models.test_chroma import HEADER as CHROMA
from tests.models.test_detection import FLUX, QWEN_IMAGE, header_file
from tests.models.test_klein import header as klein
from tests.models.test_krea2 import DENOISER as KREA2
from tests.models.test_sd3 import NORM, ORIGINAL
from tests.models.test_zimage import DENOISER as ZIMAGE

SCHNELL = {name: shape for name, shape in FLUX.items() if "guidance" not in name}
BASES = {
    "flux1-dev": (FLUX, False), "flux1-schnell": (SCHNELL, True),
    "z_image_bf16": (ZIMAGE, False), "z_image_turbo_bf16": (ZIMAGE, True), "Z-Image-De-Turbo": (ZIMAGE, False),
    "flux-2-klein-base-4b-fp8": (klein(3072), False), "flux-2-klein-4b-fp8": (klein(3072), True),
    "flux-2-klein-base-9b": (klein(4096), False), "FLUX.2-klein-9B": (klein(4096), True), "my-klein": (klein(3072), False),
    "krea2_raw_bf16": (KREA2, False), "krea2_turbo_fp8_scaled": (KREA2, True),
    "Chroma1-HD": (CHROMA, False), "Chroma1-Flash": (CHROMA, True), "chroma-unlocked-v47-flash": (CHROMA, True),
    "sd3.5_large": (ORIGINAL | NORM, False), "sd3.5_large_turbo": (ORIGINAL | NORM, True),
    "qwen_image_2512_bf16": (QWEN_IMAGE, False), "Qwen-Image-Lightning-8steps-merged": (QWEN_IMAGE, True),
}  # fmt: skip


@pytest.mark.parametrize("name", BASES)
def test_a_plan_on_a_distilled_base_says_so(name, settings_for, tmp_path):
    header, distilled = BASES[name]
    path = header_file(tmp_path / f"{name}.safetensors", header)
    checked = check(settings_for(base={"path": str(path)}, network={"train_text_encoder": False}))
    found = {finding.code: finding for finding in lint_run(checked)}
    assert ("lint.distilled_base" in found) == distilled
    assert checked.description.form.defaults.cfg_scale == 1.0 or not distilled
    if distilled:
        assert "base.merge" in found["lint.distilled_base"].fix.words
