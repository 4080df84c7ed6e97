"""An opened base of the made-up family; see `lorasmith.models.base.Base`."""

import torch

from lorasmith.errors import SettingsError
from lorasmith.models.autoencoder import ChannelwiseAutoencoder
from lorasmith.models.diffusion import Flow
from lorasmith.models.files.hashes import fingerprints
from lorasmith.models.files.weights import load_parts
from lorasmith.models.guidance import norm_kept
from lorasmith.models.memory import Freeable, checkpoint_blocks
from lorasmith.models.texts import USUAL, EncodedTexts
from lorasmith.models.tokenizers import load_tokenizer
from tests.models.made_up.family import MADE_UP

LAYERS_READ = (2, 4)  # hidden states of the language model


class MadeUp:
    family, denoiser, defaults = MADE_UP.name, MADE_UP.denoiser, MADE_UP.defaults
    guided = staticmethod(norm_kept)

    def __init__(self, modules, tokenizers, diffusion, fingerprints):
        self.parts = {name: module for name, module in modules.items() if name != "vae"}
        self.transformer, self.tokenizer = modules["transformer"], tokenizers["tokenizer"]
        self.diffusion, self.fingerprints = diffusion, fingerprints
        self._autoencoder = Freeable(ChannelwiseAutoencoder(modules["vae"]), "autoencoder")
        self._encoder = Freeable(modules["text_encoder"], "text encoders")
        self.latent_channels, self.latent_step = self.autoencoder.channels, self.autoencoder.step
        sizes = MADE_UP.sizes({"vae": modules["vae"].config})
        self.pixel_step, self.native_resolution = sizes.pixel_step, sizes.native

    @classmethod
    def open(cls, description, dtype, device="cpu", quantize="none", blocks_to_swap=0):
        modules = load_parts(description, MADE_UP.usual.parts, dtype, device, quantize, blocks_to_swap)
        return cls(
            modules,
            {"tokenizer": load_tokenizer(description, "tokenizer")},
            Flow(description.scheduler[1]),
            fingerprints(description, quantize),
        )

    @property
    def autoencoder(self):
        return self._autoencoder.module

    def tokens(self, height, width):
        return (height // 2) * (width // 2)

    def count_tokens(self, caption, options=USUAL):
        return len(self.tokenizer(caption, add_special_tokens=False).input_ids)

    def max_tokens(self, options):
        return (options.max_token_length or self.defaults.max_token_lengths[0]) - 1

    def encode_texts(self, captions, options):
        if options.clip_skip != 1 or options.weighted or options.mask_t5 or (options.max_token_length or 0) > 32:
            raise SettingsError("base.clip_skip is not used by this family.")
        encoder = self._encoder.module
        length = self.max_tokens(options) + 1
        asked = self.tokenizer(list(captions), padding="longest", truncation=True, max_length=length, return_tensors="pt").to(
            encoder.device
        )
        # Its attention is causal: padding on the right is seen by no token before it.
        found = encoder(asked.input_ids, output_hidden_states=True).hidden_states
        mask = asked.attention_mask.bool()
        states = torch.stack([found[k] for k in LAYERS_READ], dim=2) * mask[..., None, None]
        return EncodedTexts(states, mask=mask, extra={"words": asked.input_ids * mask}, ragged=True)

    def encode_pixels(self, pixels):
        return self.autoencoder.encode(pixels)

    def decode_latents(self, latents):
        return self.autoencoder.decode(latents)

    def predict(self, noisy, timesteps, texts, sizes=None, guidance=None):
        device, dtype = self.transformer.device, self.transformer.dtype
        texts = texts.to(device, dtype)
        time = 1 - timesteps.to(device) / 1000
        return -self.transformer(noisy.to(device, dtype), time, texts.states, texts.extra["words"], texts.mask)

    def checkpoint_gradients(self):
        for part in self.parts.values():
            checkpoint_blocks(part)

    def free_text_encoders(self):
        self.parts = {self.denoiser: self.transformer}
        self._encoder.free()

    def free_autoencoder(self):
        self._autoencoder.free()
