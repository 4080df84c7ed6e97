"""Lumina 2 at its full size, as data: what a single file does not say about itself."""

from __future__ import annotations

from typing import Any

from lorasmith.models.architectures import full_size
from lorasmith.models.architectures.parts import AUTOENCODER_KL
from lorasmith.models.lumina2.conversion import from_original
from lorasmith.models.parts import Architecture, Part, SchedulerConfig, Size

LUMINA2_TRANSFORMER = Architecture(
    "Lumina2Transformer2DModel", "diffusers", kind="transformer", title="a Lumina 2 transformer",
    # The first is Z-Image's too; what tells them apart is in `family`.
    anchors={"layers.0.attention.qkv.weight": "original", "layers.0.attn.to_q.weight": "diffusers"},
    tables={"original": from_original}, quantizable=True, unused=r"norm_final\.weight", width=("hidden_size",),
)  # fmt: skip
GEMMA2 = Architecture(
    "Gemma2Model", "transformers", kind="gemma2", title="a Gemma 2 language model", config_class="Gemma2Config",
    anchors={"layers.0.pre_feedforward_layernorm.weight": "transformers"}, folder_names="transformers", quantizable=True,
    not_beside="layers.0.self_attn.q_norm.weight",  # Gemma 3
    sizes=(Size(("embed_tokens.weight",), 1, "hidden_size", models={2304: "Gemma 2 2B", 3584: "Gemma 2 9B", 4608: "Gemma 2 27B"}),),
)  # fmt: skip
TRANSFORMER: dict[str, Any] = {
    "sample_size": 128, "patch_size": 2, "in_channels": 16, "hidden_size": 2304, "num_layers": 26, "num_refiner_layers": 2,
    "num_attention_heads": 24, "num_kv_heads": 8, "multiple_of": 256, "ffn_dim_multiplier": None, "norm_eps": 1e-5, "scaling_factor": 1.0,
    "axes_dim_rope": [32, 32, 32], "axes_lens": [300, 512, 512], "cap_feat_dim": 2304,
}  # fmt: skip
GEMMA2_2B: dict[str, Any] = {
    "vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
    "num_key_value_heads": 4, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-6, "query_pre_attn_scalar": 256, "sliding_window": 4096, "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
}  # fmt: skip
PARTS: dict[str, Part] = {
    "transformer": Part(LUMINA2_TRANSFORMER, TRANSFORMER),
    "text_encoder": Part(GEMMA2, GEMMA2_2B),
    "vae": Part(AUTOENCODER_KL, full_size.FLUX_VAE),
}
SCHEDULER: SchedulerConfig = ("FlowMatchEulerDiscreteScheduler", {
    "num_train_timesteps": 1000, "shift": 6.0, "use_dynamic_shifting": False,
})  # fmt: skip
