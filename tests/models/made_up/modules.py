"""The denoiser of a made-up family: a small transformer over patches of latents and the states of a language model."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, mask):
        query, key, value = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v))
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.to_out(found.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.ff_in, self.ff_out = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x, mask):
        x = x + self.attention(self.norm1(x), mask)
        return x + self.ff_out(nn.functional.gelu(self.ff_in(self.norm2(x))))


class MadeUpTransformer(ModelMixin, ConfigMixin):
    """Tokens of 2 x 2 latents, after the text's; its time is 1 - sigma, and it predicts picture - noise."""

    _supports_gradient_checkpointing = True
    _repeated_blocks = ("Block",)

    @register_to_config
    def __init__(self, in_channels=4, width=32, heads=2, num_layers=2, text_width=16, text_layers=2, vocabulary=1000):
        super().__init__()
        self.patch_in, self.patch_out = nn.Linear(4 * in_channels, width), nn.Linear(width, 4 * in_channels)
        self.text_in, self.words = nn.Linear(text_width * text_layers, width), nn.Embedding(vocabulary, width)
        self.time_in = nn.Linear(1, width)
        self.place_in = nn.Linear(2, width)
        self.layers = nn.ModuleList(Block(width, heads) for _ in range(num_layers))

    def forward(self, latents, time, states, words, mask):
        """Latents (n, c, h, w), time (n,), states (n, tokens, layers, width), words (n, tokens), mask (n, tokens)."""
        height, width = latents.shape[-2:]
        patches = nn.functional.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)
        rows, columns = torch.meshgrid(torch.arange(height // 2), torch.arange(width // 2), indexing="ij")
        places = torch.stack([rows, columns], dim=-1).flatten(0, 1).to(latents)
        image = self.patch_in(patches) + self.place_in(places) + self.time_in(time[:, None].to(latents))[:, None]
        text = self.text_in(states.flatten(2)) + self.words(words)
        read = torch.cat([mask, mask.new_ones(image.shape[:2])], dim=1)[:, None, None]
        x = torch.cat([text, image], dim=1)
        for block in self.layers:
            x = block(x, read)
        answer = self.patch_out(x[:, text.shape[1] :]).transpose(1, 2).unflatten(2, (height // 2, width // 2))
        return nn.functional.pixel_shuffle(answer, 2)
