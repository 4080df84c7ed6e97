"""What a LoRA file records of the run that made it: kohya's metadata, and our settings, so that it can be trained again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lorasmith.adapters.attach import AttachedAdapter
from lorasmith.adapters.files.metadata import TrainingFacts, base_model_version, kohya_metadata, network_module
from lorasmith.adapters.kinds import KINDS
from lorasmith.datasets.training_set import TrainingSet
from lorasmith.models.base import Base
from lorasmith.models.description import Description
from lorasmith.models.diffusion import Ddpm
from lorasmith.models.families import FAMILIES
from lorasmith.models.family import PredictionType
from lorasmith.models.files.hashes import auto_v1, sha256
from lorasmith.models.files.hub import is_hub_id, source_of
from lorasmith.models.named import public_name_of
from lorasmith.sections import fields_of
from lorasmith.training.learner.continuation import Parent
from lorasmith.training.objective.losses import threshold_name
from lorasmith.training.optim.optimizers import class_path
from lorasmith.training.optim.schedules import in_steps
from lorasmith.training.planning.plan import Plan
from lorasmith.training.records.dataset_metadata import bucket_info, dataset_dirs, dataset_options, several_sizes, tag_frequency
from lorasmith.training.records.inputs import KEY as INPUTS
from lorasmith.training.records.inputs import Continued, inputs_entry
from lorasmith.training.settings.places import places, put
from lorasmith.training.settings.tree import Settings


@dataclass(frozen=True)
class ModelFiles:
    """What sites and UIs know the files of a base by: (sha256, the old hash of eight digits) each; None where it is a folder."""

    base: tuple[str, str] | None = None
    vae: tuple[str, str] | None = None


def model_files(settings: Settings) -> ModelFiles:
    """The hashes of the files that the settings name; those of a base that was loaded are remembered."""

    def hashes(place: Path | None) -> tuple[str, str] | None:
        source = None if place is None else source_of(place)
        return (sha256(source), auto_v1(source)) if source is not None and source.is_file() else None

    return ModelFiles(hashes(settings.base.path), hashes(settings.base.vae))


def _model_files(settings: Settings, files: ModelFiles) -> dict[str, object]:
    """The names and hashes of these files in kohya's metadata."""
    found: dict[str, object] = {"sd_model_hash": files.base[1]} if files.base else {}
    if settings.base.vae is not None:
        found["vae_name"] = settings.base.vae.name
    if files.vae:
        found |= {"new_vae_hash": files.vae[0], "vae_hash": files.vae[1]}
    return found


@dataclass(frozen=True)
class TrainedBase:
    """What a file records of the base that it was trained on."""

    family: str
    denoiser: str
    prediction_type: PredictionType
    zero_terminal_snr: bool
    """Whether its own schedule has it."""
    fingerprints: Mapping[str, str]

    @classmethod
    def of(cls, base: Base) -> TrainedBase:
        """Of an opened base."""
        diffusion = base.diffusion
        zero_snr = isinstance(diffusion, Ddpm) and bool(diffusion.config.get("rescale_betas_zero_snr"))
        return cls(base.family, base.denoiser, diffusion.prediction_type, zero_snr, base.fingerprints)

    @classmethod
    def described(cls, description: Description, fingerprints: Mapping[str, str]) -> TrainedBase:
        """Of a base that is not opened, whose fingerprints are not known or said apart."""
        zero_snr = description.prediction_type != "flow" and bool(description.scheduler[1].get("rescale_betas_zero_snr"))
        return cls(description.family, description.denoiser, description.prediction_type, zero_snr, fingerprints)


RankAndAlpha = tuple[int | str, float | str]
"""As files record them: "Dynamic" where layers differ."""


def lora_metadata(
    settings: Settings, plan: Plan, training_set: TrainingSet, base: TrainedBase, epoch: int, done: int,
    size: RankAndAlpha | None = None, parent: Parent | None = None, files: ModelFiles | None = None,
    continued: Continued = (), held_out: int = 0,
) -> dict[str, str]:  # fmt: skip
    """The metadata of a LoRA file after `epoch` epochs and `done` steps.

    `size` is that of the layers (`ranks_and_alphas`) where it may not be the settings', `files` are the hashes of the base's files,
    `continued` the changes of settings on the way, `held_out` the images that losses are measured on.
    """
    training, optimizer = settings.training, settings.optimizer
    rank, alpha = _size(settings, size)
    arguments = ",".join(f"{key}={value}" for key, value in optimizer.args.items())
    facts = TrainingFacts(
        output_name=settings.name,
        base_model_version=base_model_version(base.family, base.prediction_type),
        network_dim=rank,
        network_alpha=alpha,
        network_module=network_module(KINDS[settings.network.kind], base.family),
        network_args=_network_args(settings),
        resolution=settings.buckets.size,
        learning_rate=optimizer.learning_rate,
        unet_lr=settings.lr_of(base.denoiser, base.family) or None,
        text_encoder_lr=settings.lr_of("text_encoder", base.family) or None,
        optimizer=class_path(optimizer.type) + (f"({arguments})" if arguments else ""),
        lr_scheduler=settings.schedule.lr_scheduler,
        lr_warmup_steps=in_steps(settings.schedule.lr_warmup_steps, plan.steps),
        num_train_images=training_set.training_samples_per_epoch,
        num_reg_images=training_set.declared_regularisation,
        num_epochs=plan.epochs,
        epoch=epoch,
        max_train_steps=plan.steps,
        steps=done,
        seed=training.seed,
        mixed_precision=training.mixed_precision,
        prediction_type={"v_prediction": "v", "epsilon": "epsilon"}.get(base.prediction_type),
        clip_skip=settings.base.clip_skip,
        min_snr_gamma=None if base.prediction_type == "flow" else settings.loss.min_snr_gamma or None,
        max_grad_norm=training.max_grad_norm,
        batch_size=None if several_sizes(settings) else training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        num_batches_per_epoch=plan.batches_per_epoch,
        base_model_name=public_name_of(settings.base.path),
        base_model_sha256=files.base[0] if files and files.base else None,
        tag_frequency=tag_frequency(training_set.listed),
        dataset_dirs=dataset_dirs(training_set, is_reg=False),
        bucket_info=bucket_info(training_set.columns) if settings.buckets.enable_bucket else None,
        noise_offset=settings.noise.noise_offset or None,
        options=_options(settings, base)
        | dataset_options(settings, training_set)
        | {"num_validation_images": held_out}
        | _model_files(settings, files or ModelFiles()),
        spec=_spec(settings.captions.trigger),
        software=f"lorasmith/{version('lorasmith')}",
        extra={
            "lorasmith_settings": json.dumps(settings_without_folders(settings), sort_keys=True),
            INPUTS: json.dumps(inputs_entry(training_set, base.fingerprints, continued), separators=(",", ":")),
            **({} if parent is None else parent.metadata),
        },
    )
    return kohya_metadata(facts)


def _size(settings: Settings, size: RankAndAlpha | None) -> RankAndAlpha:
    """Rank and alpha: the settings', or those of the layers where rules or a parent give them sizes of their own."""
    network = settings.network
    if network.dim_from_weights or any(rule.rank is not None or rule.alpha is not None for rule in network.layers):
        return size or (network.rank, network.alpha_value)
    return network.rank, network.alpha_value


def ranks_and_alphas(adapters: Mapping[str, AttachedAdapter]) -> RankAndAlpha | None:
    """Rank and alpha of all layers together; None where no layer's kind has a rank."""
    layers = [layer for adapter in adapters.values() for layer in adapter.layers().values() if layer.rank is not None]
    ranks, alphas = {layer.rank for layer in layers if layer.rank is not None}, {layer.alpha for layer in layers}
    if not layers:
        return None
    return (ranks.pop() if len(ranks) == 1 else "Dynamic"), (alphas.pop() if len(alphas) == 1 else "Dynamic")


def _network_args(settings: Settings) -> dict[str, object]:
    """What differs from a plain LoRA of one rank, in the words of the trainers that have such networks."""
    network = settings.network
    given = {name: value for name, field in fields_of(type(network)).items() if (value := getattr(network, name)) != field.default}
    chosen = {
        name: value
        for name, value in given.items()
        if name not in ("kind", "rank", "alpha", "train_unet", "train_text_encoder", "layers", "weights", "dim_from_weights")
    }
    algo = KINDS[network.kind].algo
    return ({} if algo is None else {"algo": algo}) | chosen


def _options(settings: Settings, base: TrainedBase) -> dict[str, object]:
    """Further settings that kohya's metadata has a name for; those of the datasets are in `dataset_metadata`."""
    noise, loss, captions = settings.noise, settings.loss, settings.captions
    flow = base.prediction_type == "flow"
    found: dict[str, object] = {
        "noise_offset_random_strength": noise.noise_offset_random_strength,
        "adaptive_noise_scale": noise.adaptive_noise_scale or None,
        "multires_noise_iterations": noise.multires_noise_iterations or None,
        "multires_noise_discount": noise.multires_noise_discount,
        "ip_noise_gamma": noise.ip_noise_gamma or None,
        "ip_noise_gamma_random_strength": noise.ip_noise_gamma_random_strength,
        "loss_type": loss.loss_type,
        "huber_c": loss.huber_c,
        "huber_scale": loss.huber_scale,
        "huber_schedule": threshold_name(loss.huber_schedule, flow),
        "debiased_estimation": loss.debiased_estimation,
        "prior_loss_weight": loss.prior_loss_weight,
        "caption_dropout_rate": captions.caption_dropout_rate,
        "caption_dropout_every_n_epochs": captions.caption_dropout_every_n_epochs,
        "caption_tag_dropout_rate": captions.caption_tag_dropout_rate,
        "network_dropout": settings.network.dropout or None,
        "scale_weight_norms": settings.network.scale_weight_norms,
        "gradient_checkpointing": settings.training.gradient_checkpointing,
        "max_token_length": settings.base.max_token_length,
        "full_fp16": False,
        "fp8_base": False,
        "fp8_base_unet": False,
        "lowram": False,  # nothing is trained or kept in these here
        "face_crop_aug_range": None,
        "resize_interpolation": "lanczos",
        "validation_seed": None,
        "validation_split": 0.0,  # images that are held out are in a folder of their own
        "validate_every_n_epochs": settings.validation.every_n_epochs if settings.validation.path else None,
        "validate_every_n_steps": None,
        "zero_terminal_snr": not flow and (noise.zero_terminal_snr or base.zero_terminal_snr),
    }
    if flow:
        own = ("timestep_sampling", "sigmoid_scale", "discrete_flow_shift", "weighting_scheme", "logit_mean", "logit_std", "mode_scale",
               "model_prediction_type", "guidance_scale")  # fmt: skip
        found |= {name: getattr(settings.flow, name) for name in own}
    theirs = FAMILIES[base.family].sd_scripts
    if theirs is not None and theirs.model_type:
        found |= {"model_type": theirs.model_type, "apply_t5_attn_mask": settings.base.t5_attention_mask}
    return found


def settings_without_folders(settings: Settings) -> dict[str, Any]:
    """The settings as they may be shared: the last part of each path, since folders are private; of a base of the hub its id."""
    tree = settings.model_dump(mode="json", exclude={"cache"})
    for name, place in places(settings).items():
        put(tree, name, str(place) if name == "base.path" and is_hub_id(place) else place.name)
    return tree


def _spec(trigger: str | None) -> dict[str, str]:
    """What a user needs to know in a prompt."""
    return {} if trigger is None else {"trigger_phrase": trigger, "usage_hint": f"Trigger word: {trigger}"}
