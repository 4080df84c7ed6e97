"""Stable Diffusion 1.x: one CLIP text encoder, a U-Net over VAE latents, epsilon or v-prediction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from lorasmith.errors import BaseModelError

PARTS = ("unet", "text_encoder", "vae", "tokenizer", "scheduler")


class StableDiffusion1:
    """An opened base of this family; see `models.family.Base`."""

    family = "sd1"

    def __init__(self, unet: Any, text_encoder: Any, tokenizer: Any, vae: Any, scheduler: Any, fingerprints: dict[str, str]):
        self.unet, self.text_encoder, self.tokenizer, self.vae = unet, text_encoder, tokenizer, vae
        self.fingerprints = fingerprints
        self.parts = {"unet": unet, "text_encoder": text_encoder}
        self.prediction_type: str = scheduler.config.prediction_type
        self.alphas_cumprod: torch.Tensor = scheduler.alphas_cumprod.float()
        self.scheduler_config: dict[str, Any] = dict(scheduler.config)
        self.latent_channels: int = vae.config.latent_channels
        self.latent_step: int = 2 ** (len(vae.config.block_out_channels) - 1)
        self.pixel_step: int = self.latent_step * 2 ** (len(unet.config.block_out_channels) - 1)
        self.native_resolution: int = unet.config.sample_size * self.latent_step
        self.max_tokens: int = text_encoder.config.max_position_embeddings - 2

    @classmethod
    def open(cls, folder: Path, dtype: torch.dtype, device: str = "cpu") -> StableDiffusion1:
        """Open a diffusers folder; weights are read straight to `dtype`, the autoencoder always to float32."""
        for part in PARTS:
            if not (folder / part).is_dir():
                raise BaseModelError(
                    f"the base {folder} has no folder {part!r}; give a complete diffusers folder of a Stable Diffusion 1.x model"
                )
        try:
            unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype, local_files_only=True)
            text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype, local_files_only=True)
            tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
            vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32, local_files_only=True)
            scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise BaseModelError(f"the base {folder} cannot be opened ({reason}); download it again or give another folder") from error
        if unet.config.in_channels != vae.config.latent_channels:
            raise BaseModelError(
                f"the base {folder} is an inpainting or another special model ({unet.config.in_channels} input channels); give a plain one"
            )
        if text_encoder.config.hidden_size == 1024:
            raise BaseModelError(f"the base {folder} is a Stable Diffusion 2.x model, which this version does not train; give a 1.x model")
        for name, module in (("unet", unet), ("text_encoder", text_encoder), ("vae", vae)):
            lost = [n for n, p in module.named_parameters() if p.is_meta]
            if lost:
                raise BaseModelError(
                    f"the base {folder} lacks weights of its {name} ({lost[0]} and {len(lost) - 1} more); download it again"
                )
            module.requires_grad_(False).eval().to(device)
        return cls(
            unet, text_encoder, tokenizer, vae, scheduler, {part: fingerprint(folder / part) for part in ("unet", "text_encoder", "vae")}
        )

    def count_tokens(self, caption: str) -> int:
        return len(self.tokenizer(caption, truncation=False).input_ids) - 2

    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """The mode of the posterior, times the scaling factor: the same picture gives the same latent."""
        with torch.no_grad():
            latents = self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist.mode()
        return latents * self.vae.config.scaling_factor

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.vae.decode(latents.to(self.vae.device, self.vae.dtype) / self.vae.config.scaling_factor).sample.clamp(-1, 1)

    def encode_texts(self, captions: Sequence[str], clip_skip: int) -> torch.Tensor:
        """(n, tokens, width); `clip_skip` k reads the k-th last layer, through the final norm (as the UIs do)."""
        ids = self.tokenizer(
            list(captions), padding="max_length", truncation=True, max_length=self.max_tokens + 2, return_tensors="pt"
        ).input_ids.to(self.text_encoder.device)
        if clip_skip == 1:
            return self.text_encoder(ids).last_hidden_state
        layers = self.text_encoder.config.num_hidden_layers
        if clip_skip > layers:
            raise BaseModelError(f"base.clip_skip is {clip_skip}, but the text encoder has {layers} layers; use {layers} or less")
        states = self.text_encoder(ids, output_hidden_states=True).hidden_states[-clip_skip]
        return self.text_encoder.final_layer_norm(states)

    def predict(self, noisy: torch.Tensor, timesteps: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        device, dtype = self.unet.device, self.unet.dtype
        return self.unet(noisy.to(device, dtype), timesteps.to(device), states.to(device, dtype)).sample


def fingerprint(folder: Path) -> str:
    """sha256 over the names and bytes of a part's config and weight files."""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.iterdir() if f.suffix in (".json", ".safetensors")):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
