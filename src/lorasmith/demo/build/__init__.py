"""How the demo's weights were made: `stock`, `vae`, `text_encoder`, `unet`, `tagger`, then `measure`, each a script."""
