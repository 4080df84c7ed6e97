"""The record of a made-up family, as a newer one would be: a language model's states, flow with a fixed shift, LoRA files without alphas."""

from lorasmith.captions.style import CaptionStyle
from lorasmith.models.architectures.parts import QWEN3, VIDEO_AUTOENCODER
from lorasmith.models.family import (
    ClipSkip,
    Detection,
    Family,
    FamilyDefaults,
    Match,
    Prediction,
    Rate,
    Sizes,
    Tokenizer,
    Variant,
)
from lorasmith.models.lora_naming import LOADS, Consumers, LayerNames, LoraMarks, LoraNaming, PartNaming, readings
from lorasmith.models.parts import Architecture, Part
from lorasmith.models.shift import FixedShift
from lorasmith.models.template import Template
from tests.models import toys

TRANSFORMER = Architecture(
    "MadeUpTransformer", "tests.models.made_up.modules", kind="transformer", title="a made-up transformer",
    anchors={"layers.0.attention.to_q.weight": "diffusers"},
)  # fmt: skip
PARTS = {
    "transformer": Part(TRANSFORMER, {}),
    "text_encoder": Part(QWEN3, {
        "vocab_size": 1000, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8,
    }),
    "vae": Part(VIDEO_AUTOENCODER, {
        "base_dim": 4, "z_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1, "temperal_downsample": [False, True, True],
        "latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.5, 0.5, 1.0, 2.0],
    }),
}  # fmt: skip
SCHEDULER = ("FlowMatchEulerDiscreteScheduler", {"num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": False})
DEFAULTS = FamilyDefaults(
    resolution=64, bucket_step=16, max_token_lengths=(32,), rate=Rate(1e-4, "made up"),
    text_encoder_lr=0.0, trained_text_encoders=(), text_encoders_left_alone="it is a language model", shift=FixedShift(3.0), steps=4,
    cfg_scale=3.0, save_precision="bf16",
)  # fmt: skip
LAYERS = LayerNames(
    categories=((r"layers\.\d+\.attention\.to_\w+", "attention"), (r"layers\.\d+\.ff_(in|out)", "mlp")),
    words=frozenset(["layers", "attention", "to_q", "to_k", "to_v", "to_out", "ff_in", "ff_out"]),
    block=lambda flat, shape: f"LAYER{int(flat.split('_')[1]):02d}",
)

MADE_UP = Family(
    name="made-up",
    title="Made-up",
    package=__package__,
    base_class="MadeUp",
    denoiser="transformer",
    variants={"": Variant(PARTS, SCHEDULER, DEFAULTS, distilled=None)},
    tokenizers={"tokenizer": Tokenizer("T5Tokenizer", toys.t5_tokenizer, "run the tests")},
    prediction=Prediction(("flow",), usual_reason="made-up models predict the flow"),
    sizes=lambda settings: Sizes(64, 2 * 2 ** len(settings["vae"]["temperal_downsample"])),
    detection=Detection(("MadeUpPipeline",), lambda file: Match("its layers say so"), lambda folder, pipeline, settings: Match("")),
    lora=LoraNaming(
        {"transformer": PartNaming("diffusion_model", LAYERS)},
        in_words="diffusion_model. and the transformer's own names, without alphas",
        consumers=Consumers({"diffusion_model., original path": readings(comfyui=LOADS)}, without=("AUTOMATIC1111",)),
        marks=LoraMarks(certain=r"layers_\d+_attention_to_q"),
        style="dotted",
        alpha_keys=False,
    ),
    captions=CaptionStyle("sentences", "It reads sentences.", "Write sentences."),
    template=Template(after="</s>"),
    clip_skip=ClipSkip("clip skip is not used: it has no CLIP"),
    states_read=lambda layers, denoiser: (1, 3),
)
