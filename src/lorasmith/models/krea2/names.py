"""diffusers' names of the Krea 2 transformer's layers, and the original's."""

STACKS = {
    "transformer_blocks": "blocks", "text_fusion.layerwise_blocks": "txtfusion.layerwise_blocks",
    "text_fusion.refiner_blocks": "txtfusion.refiner_blocks",
}  # fmt: skip
"""What comes before a block's number."""
INSIDE = {
    "attn.to_q": "attn.wq", "attn.to_k": "attn.wk", "attn.to_v": "attn.wv", "attn.to_out.0": "attn.wo", "attn.to_gate": "attn.gate",
    "ff.gate": "mlp.gate", "ff.up": "mlp.up", "ff.down": "mlp.down",
}  # fmt: skip
"""The linear layers of a block."""
ENDS = {
    "img_in": "first", "final_layer.linear": "last.linear", "time_embed.linear_1": "tmlp.0", "time_embed.linear_2": "tmlp.2",
    "time_mod_proj": "tproj.1", "txt_in.linear_1": "txtmlp.1", "txt_in.linear_2": "txtmlp.3", "text_fusion.projector": "txtfusion.projector",
}  # fmt: skip
"""The linear layers outside the blocks."""
OTHERS = {
    "norm1.weight": "prenorm.scale", "norm2.weight": "postnorm.scale", "attn.norm_q.weight": "attn.qknorm.qnorm.scale",
    "attn.norm_k.weight": "attn.qknorm.knorm.scale", "scale_shift_table": "mod.lin", "txt_in.norm.weight": "txtmlp.0.scale",
    "final_layer.norm.weight": "last.norm.scale", "final_layer.scale_shift_table": "last.modulation.lin",
}  # fmt: skip
"""Tensors that are no linear layer's; those of a block without the block's own name."""
