"""diffusers' names of the Lumina 2 transformer's layers, and the original's; see `architectures.next_dit_names` for its attention."""

STACKS = ("layers", "noise_refiner", "context_refiner")
"""What comes before a block's number, in both."""
INSIDE = {
    "attn.to_out.0": "attention.out", "feed_forward.linear_1": "feed_forward.w1", "feed_forward.linear_2": "feed_forward.w2",
    "feed_forward.linear_3": "feed_forward.w3", "norm1.linear": "adaLN_modulation.1",
}  # fmt: skip
"""The linear layers of a block, but for query, key and value."""
ENDS = {
    "x_embedder": "x_embedder", "norm_out.linear_1": "final_layer.adaLN_modulation.1", "norm_out.linear_2": "final_layer.linear",
    "time_caption_embed.caption_embedder.1": "cap_embedder.1", "time_caption_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_caption_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
}  # fmt: skip
"""The linear layers outside the blocks."""
NORMS = {"norm1.norm": "attention_norm1", "norm1": "attention_norm1", "norm2": "attention_norm2"}
"""The norms of a block that have other names; the blocks of the caption's refiner have the first without modulation."""
CAPTION_NORM = {"time_caption_embed.caption_embedder.0": "cap_embedder.0"}
