"""Make the demo's tokenizer and train its text encoder.

    python -m lorasmith.demo.build.text_encoder WORK OUT --steps 3000

The tokenizer is a CLIP tokenizer whose merges make each word of the world one token; any other word falls apart into
byte-level pieces. The text encoder is a CLIPTextModel that learns to say, from the state at the end of a caption, what
the caption says: one small classifier per attribute reads it, as the picture side does in CLIP. Random words are mixed
in, so that a word it has never read does not upset the rest.
"""

from __future__ import annotations

import argparse
import json
import random
import string
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from lorasmith.demo.build import loop
from lorasmith.demo.world import (
    ACCESSORIES,
    ACCESSORY_COLORS,
    BACKGROUNDS,
    COLORS,
    EXPRESSIONS,
    POSES,
    SPECIES,
    STYLES,
    Scene,
    attribute_tags,
    random_scene,
    sentence_caption,
)

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
WIDTH = 128
ATTRIBUTES: dict[str, tuple[str | None, ...]] = {
    "species": SPECIES,
    "color": COLORS,
    "accessory": (None, *ACCESSORIES),
    "accessory_color": (None, *ACCESSORY_COLORS),
    "background": BACKGROUNDS,
    "expression": EXPRESSIONS,
    "pose": POSES,
    "style": STYLES,
}


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write `vocab.json` and `merges.txt` into `folder` and open them as CLIPTokenizer."""
    rng = random.Random(0)
    scenes = [random_scene(i) for i in range(4000)]
    text = [t for s in scenes for t in (*attribute_tags(s).values(), sentence_caption(s, rng))]
    words = sorted({w.strip(",") for line in text for w in line.split()})
    bpe = Tokenizer(models.BPE(unk_token=EOS, continuing_subword_prefix="", end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    bpe.train_from_iterator(words, trainers.BpeTrainer(
        vocab_size=4000, min_frequency=1, show_progress=False, end_of_word_suffix="</w>",
        initial_alphabet=list(string.ascii_lowercase),
    ))  # fmt: skip
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = [*alphabet, *(a + "</w>" for a in alphabet), *dict.fromkeys("".join(m) for m in merges), BOS, EOS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(dict.fromkeys(vocab))}, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n", "utf-8")
    tokenizer = CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), unk_token=EOS, bos_token=BOS, eos_token=EOS,
        pad_token=EOS, model_max_length=77,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return tokenizer


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=4,
        num_attention_heads=4, max_position_embeddings=77, projection_dim=WIDTH, hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id,
    ))  # fmt: skip


def training_caption(scene: Scene, rng: random.Random) -> tuple[str, set[str]]:
    """A caption of `scene` and the attributes that it speaks of.

    Half are sentences, half shuffled tags. One tag caption in four lacks tags, and one caption in eight carries a word
    that nobody has read before.
    """
    said = set(ATTRIBUTES)
    if rng.random() < 0.5:
        caption = sentence_caption(scene, rng)
    else:
        tags = attribute_tags(scene)
        if rng.random() < 0.25:
            keep = rng.randint(1, len(tags) - 1)
            tags = {name: tags[name] for name in sorted(rng.sample(sorted(tags), keep))}
            said = {name for name in ATTRIBUTES if name.replace("_color", "") in tags}
        words = list(tags.values())
        rng.shuffle(words)
        caption = ", ".join(words)
    if rng.random() < 0.125:
        odd = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9)))
        caption = f"{odd}, {caption}" if rng.random() < 0.6 else f"{caption}, {odd}"
    return caption, said


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Token ids, int64 (n, 77), padded with the end token."""
    return tokenizer(captions, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(2)
    tokenizer = make_tokenizer(args.out / "tokenizer")
    encoder = new_text_encoder(tokenizer)
    heads = torch.nn.ModuleDict({name: torch.nn.Linear(WIDTH, len(values)) for name, values in ATTRIBUTES.items()})
    print(f"{len(tokenizer)} tokens, {sum(p.numel() for p in encoder.parameters()) / 1e6:.2f} M parameters", flush=True)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *heads.parameters()], lr=args.lr, betas=(0.9, 0.98), weight_decay=0.01)

    def step(number: int, generator: torch.Generator) -> dict[str, float]:
        rng = random.Random(f"text-{number}")
        scenes = [random_scene(rng.randrange(10**9)) for _ in range(args.batch)]
        captions, said = zip(*(training_caption(s, rng) for s in scenes), strict=True)
        ids = tokenize(tokenizer, list(captions))
        longest = int((ids != tokenizer.eos_token_id).sum(1).max()) + 4
        hidden = encoder(ids[:, :longest]).last_hidden_state
        loss, right, asked = torch.zeros(()), 0, 0
        for position in (-1, -3):  # the padding is read by the U-Net too: let all of it know the caption
            for name, values in ATTRIBUTES.items():
                rows = [i for i in range(args.batch) if name in said[i]]
                truth = torch.tensor([values.index(getattr(scenes[i], name)) for i in rows])
                logits = heads[name](hidden[rows, position])
                loss = loss + F.cross_entropy(logits, truth)
                right, asked = right + int((logits.argmax(1) == truth).sum()), asked + len(rows)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        return {"loss": loss.item() / (2 * len(ATTRIBUTES)), "right": right / asked}

    loop.run(
        args.work / "text_encoder.state", {"encoder": encoder, "heads": heads}, optimizer, args.steps, step, lr=args.lr,
        on_save=lambda _: encoder.save_pretrained(args.out / "text_encoder"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
