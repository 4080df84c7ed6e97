"""Z-Image at its full size, as data: what a single file does not say about itself. Turbo is the same model, distilled to few steps."""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL, QWEN3
from lorasmith.models.parts import Architecture, Part, SchedulerConfig
from lorasmith.models.zimage.conversion import from_original

ZIMAGE_TRANSFORMER = Architecture(
    "ZImageTransformer2DModel", "diffusers", kind="transformer", title="a Z-Image transformer",
    anchors={"layers.0.attention.qkv.weight": "original", "layers.0.attention.to_q.weight": "diffusers"},
    tables={"original": from_original}, quantizable=True, unused=r"norm_final\.weight", width=("dim",),
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "all_patch_size": [2], "all_f_patch_size": [1], "in_channels": 16, "dim": 3840, "n_layers": 30, "n_refiner_layers": 2, "n_heads": 30,
    "n_kv_heads": 30, "norm_eps": 1e-5, "qk_norm": True, "cap_feat_dim": 2560, "rope_theta": 256.0, "t_scale": 1000.0,
    "axes_dims": [32, 48, 48], "axes_lens": [1024, 512, 512],
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(ZIMAGE_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(QWEN3, full_size.QWEN3_4B),
    "vae": Part(AUTOENCODER_KL, full_size.FLUX_VAE),
}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": False,
})  # fmt: skip
