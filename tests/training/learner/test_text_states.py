"""Captions encoded once: the same bits as encoded each time, whatever way they took, and variants that keep the draws' shares."""

import gc
import random
import shutil
import weakref
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.selection import select_network
from lorasmith.captions.rules import CaptionRules, caption_for_training
from lorasmith.captions.variants import captions_needed, check_variants, sampled_caption, variant
from lorasmith.datasets.texts import TextCache
from lorasmith.draws import rng_for
from lorasmith.errors import RunError, SettingsError
from lorasmith.models.open import open_base
from lorasmith.models.sampling import sample
from lorasmith.models.sd1.base import StableDiffusion1
from lorasmith.models.texts import TextOptions
from lorasmith.training import events
from lorasmith.training.commands import Commands
from lorasmith.training.learner.learner import Learner
from lorasmith.training.learner.text_states import TextStates, reader
from lorasmith.training.objective.batch_loss import PreparedBatch
from lorasmith.training.optim.optimizers import make_optimizer
from lorasmith.training.optim.parameter_groups import PartRates, make_groups
from lorasmith.training.run import resume, train
from lorasmith.training.step import step
from tests.models.toys import toy_folder

CAPTIONS = ["zorvex, happy, beach, blue sky, hat", "zorvex, sad, forest, red cape", "zorvex, big, cat, sitting"]


def open_toy(folder, dtype=torch.float32):
    return open_base(folder, dtype, "cpu")


def equal(a, b):
    first, second = a.tensors(), b.tensors()
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) and first[name].dtype == second[name].dtype for name in first
    )


# ---- states


@pytest.mark.parametrize(
    ("toy", "options", "dtype"),
    [
        ("sd1", TextOptions(), torch.float32),
        ("sdxl", TextOptions(max_token_length=150), torch.bfloat16),
        ("flux", TextOptions(mask_t5=True), torch.float32),
    ],
    ids=["sd1", "sdxl in bf16, 150 tokens", "flux with its mask"],
)
def test_kept_states_are_bit_for_bit_those_that_the_encoders_give(toy, options, dtype, tmp_path):
    base = open_toy(toy_folder(toy), dtype)
    with torch.no_grad():
        alone = [base.encode_texts([caption], options) for caption in CAPTIONS]
    plain = TextStates(base, options, trained=False)
    writing = TextStates(base, options, trained=False, cache=TextCache(tmp_path))
    assert list(writing.encode_all(CAPTIONS)) == [1, 2, 3]
    again = open_toy(toy_folder(toy), dtype)
    reading = TextStates(again, options, trained=False, cache=TextCache(tmp_path))
    reading.free_encoders()
    for k, caption in enumerate(CAPTIONS):
        for texts in (plain, plain, writing, reading):
            assert equal(texts([caption]), alone[k])
    assert equal(reading(CAPTIONS[:2]), plain(CAPTIONS[:2]))


def test_kept_states_have_the_break_that_the_encoders_give(tmp_path):
    base, options = open_toy(toy_folder("sd1")), TextOptions(max_token_length=150)
    caption = "a cat BREAK a hat"
    list(TextStates(base, options, trained=False, cache=TextCache(tmp_path)).encode_all([caption]))
    kept = TextStates(base, options, trained=False, cache=TextCache(tmp_path))
    with torch.no_grad():
        parted, joined = (base.encode_texts([text], options) for text in (caption, "a cat a hat"))
    kept.free_encoders()
    assert equal(kept([caption]), parted)
    assert not equal(parted, joined)


def test_freed_encoders_leave_the_memory_and_a_caption_that_was_not_encoded_is_named(tmp_path):
    base = open_toy(toy_folder("sdxl"))
    encoders = [weakref.ref(module) for name, module in base.parts.items() if name != "unet"]
    texts = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path))
    list(texts.encode_all(CAPTIONS[:2]))
    texts.free_encoders()
    gc.collect()
    assert [encoder() for encoder in encoders] == [None, None]
    assert base.count_tokens("a cat") > 0
    with pytest.raises(RunError, match="'zorvex, big, cat, sitting' is not in the cache .*lorasmith resume"):
        texts(CAPTIONS)


def test_what_memory_cannot_hold_is_read_from_disk(tmp_path, monkeypatch):
    base = open_toy(toy_folder("sd1"))
    one = sum(tensor.nbytes for tensor in base.encode_texts(["a"], TextOptions()).tensors().values())
    texts = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path), room=2 * one)
    list(texts.encode_all(CAPTIONS))
    wanted = TextStates(base, TextOptions(), trained=False)(CAPTIONS)
    asked = []
    monkeypatch.setattr(StableDiffusion1, "encode_texts", lambda *args: asked.append(args))
    assert equal(texts(CAPTIONS), wanted)
    assert len(texts._kept) == 2
    assert asked == []


def test_a_damaged_file_is_encoded_anew(tmp_path):
    base = open_toy(toy_folder("sd1"))
    list(TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path)).encode_all(CAPTIONS))
    for file in tmp_path.rglob("*.text"):
        data = bytearray(file.read_bytes())
        data[-5] ^= 1
        file.write_bytes(data)
    texts = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path))
    assert equal(texts(CAPTIONS), TextStates(base, TextOptions(), trained=False)(CAPTIONS))


def test_who_reads_otherwise_reads_from_another_place(toy_base):
    base = open_toy(toy_base)
    readers = {
        reader(base, TextOptions()), reader(base, TextOptions(clip_skip=2)), reader(base, TextOptions(max_token_length=150)),
        reader(base, TextOptions(weighted=True)), reader(open_toy(toy_base, torch.bfloat16), TextOptions()),
        reader(open_toy(toy_folder("sd1")), TextOptions()),
    }  # fmt: skip
    assert len(readers) == 6
    assert reader(open_toy(toy_base), TextOptions()) in readers


def test_the_usual_length_of_a_caption_is_part_of_how_it_is_read():
    base = open_toy(toy_folder("flux"))
    defaults, as_before = base.defaults, reader(base, TextOptions())
    base.defaults = replace(defaults, max_token_lengths=(16,))  # the same encoders beside a transformer that reads fewer tokens
    assert reader(base, TextOptions()) != as_before


def test_a_trained_encoder_is_asked_each_time_and_its_states_carry_gradients(settings_for, toy_base):
    base = open_toy(toy_base)
    settings = settings_for()
    chosen = select_network("sd1", {"text_encoder": base.parts["text_encoder"]}, settings.network)["text_encoder"]
    adapter = attach_network(base.parts["text_encoder"], chosen.targets, chosen.settings, 1)
    texts = TextStates(base, TextOptions(), trained=True)
    before = texts(CAPTIONS[:1]).states
    assert before.requires_grad
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(0.1)
    assert not torch.equal(texts(CAPTIONS[:1]).states, before)
    adapter.detach()


def test_pictures_are_drawn_from_states_alone(tmp_path):
    base = open_toy(toy_folder("sd1"))
    texts = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path))
    list(texts.encode_all(["", *CAPTIONS]))
    asked = {"prompts": CAPTIONS[:1], "seeds": [1], "steps": 2, "width": 64, "height": 64}
    before = sample(base, **asked, texts=texts)
    plain = sample(base, **asked)
    texts.free_encoders()
    after = sample(base, **asked, texts=texts)
    assert after[0].tobytes() == before[0].tobytes()
    difference = max(abs(a - b) for a, b in zip(plain[0].tobytes(), after[0].tobytes(), strict=True))
    assert difference <= 1  # with the negative prompt beside it the encoder may round otherwise


# ---- variants

TAGS = CaptionRules(shuffle=True, keep_tokens=1, trigger="zorvex", tag_dropout=0.2)


def shown(rules, variants, epochs=200, picture=0, repeats=5, caption=CAPTIONS[0]):
    return [
        sampled_caption(caption, rules, variants, 7, epoch=epoch, picture=picture, repeat=repeat)
        for epoch in range(1, epochs + 1)
        for repeat in range(repeats)
    ]


def test_every_showing_reads_one_of_the_variants_and_all_are_shown():
    drawn = [variant(CAPTIONS[0], TAGS, 7, 0, k) for k in range(6)]
    assert len(set(drawn)) == 6
    assert set(shown(TAGS, 6)) == set(drawn)
    assert all(caption.startswith("zorvex") for caption in drawn)
    assert variant(CAPTIONS[0], TAGS, 7, 1, 0) != drawn[0]  # another picture draws for itself


@pytest.mark.parametrize("variants", [1, 3])
def test_dropouts_share_holds_over_the_showings_of_every_picture(variants):
    rules = CaptionRules(shuffle=True, dropout=0.3)
    for picture in range(4):
        captions = shown(rules, variants, picture=picture)
        assert captions.count("") / len(captions) == pytest.approx(0.3, abs=0.05)


def test_dropout_leaves_out_the_very_showings_that_it_leaves_out_without_variants():
    rules = CaptionRules(dropout=0.3, dropout_every_n_epochs=5)
    for epoch in range(1, 60):
        uncached = caption_for_training(CAPTIONS[0], rules, rng_for("caption", 7, epoch, 2, 0), epoch=epoch)
        assert sampled_caption(CAPTIONS[0], rules, 1, 7, epoch=epoch, picture=2, repeat=0) == uncached


def test_all_that_a_run_can_show_is_among_what_is_needed():
    pictures = [(caption, CaptionRules(shuffle=True, dropout=0.2, dropout_every_n_epochs=3)) for caption in CAPTIONS]
    needed = captions_needed(pictures, 4, 7, also=["zorvex, running", ""])
    assert len(needed) == len(set(needed))
    assert needed == captions_needed(pictures, 4, 7, also=["zorvex, running", ""])
    assert {"", "zorvex, running"} < set(needed)
    for number, (caption, rules) in enumerate(pictures):
        assert set(shown(rules, 4, epochs=30, picture=number, caption=caption)) <= set(needed)


def test_settings_that_cannot_go_with_variants_are_refused_in_a_sentence():
    assert check_variants(CaptionRules(token_warmup_step=10), [CaptionRules(token_warmup_step=10)], 0, True) == []
    with pytest.raises(SettingsError, match="cached_variants .* network.train_text_encoder"):
        check_variants(CaptionRules(shuffle=True), [CaptionRules(shuffle=True)], 4, True)
    with pytest.raises(SettingsError, match="token_warmup_step"):
        check_variants(CaptionRules(token_warmup_step=10), [CaptionRules(token_warmup_step=10)], 4, False)
    assert check_variants(CaptionRules(shuffle=True), [CaptionRules(shuffle=True)], 4, False) == []
    assert check_variants(CaptionRules(), [CaptionRules()], 1, False) == []
    assert "1 does the same" in check_variants(CaptionRules(dropout=0.1), [CaptionRules(dropout=0.1)], 4, False)[0]
    of_folders = [CaptionRules(), CaptionRules(tag_dropout=0.1)]
    assert check_variants(CaptionRules(), of_folders, 4, False) == []
    assert "datasets.1.caption_tag_dropout_rate draws once" in check_variants(CaptionRules(), of_folders, 1, False)[0]
    assert "1 does the same" in check_variants(CaptionRules(shuffle=True), [CaptionRules()], 4, False)[0]
    assert "captions.shuffle_caption draws once" in check_variants(CaptionRules(shuffle=True), [CaptionRules(shuffle=True)], 1, False)[0]


# ---- a run


def losses(settings, base, texts, caption_of, steps=6):
    """The losses of a few steps of a U-Net's LoRA on made-up latents."""
    parts = {"unet": base.parts["unet"]}
    chosen = select_network(base.family, parts, settings.network)["unet"]
    adapters = {"unet": attach_network(parts["unet"], chosen.targets, chosen.settings, settings.training.seed)}
    groups = make_groups({"unet": PartRates(adapters["unet"], settings.lr_of("unet"))})
    optimizer = make_optimizer("AdamW", [group.for_optimizer() for group in groups], {})
    learner = Learner(base, adapters, optimizer, texts, settings)
    latents = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    found = []
    for number in range(steps):
        order = random.Random(number).sample(range(3), 2)
        captions = tuple(caption_of(picture, number + 1) for picture in order)
        found.append(step(learner, [PreparedBatch(latents[order], captions, ("a", "b"))], number).loss)
    adapters["unet"].detach()
    return found


def test_a_run_on_one_variant_without_shuffle_has_the_losses_of_an_uncached_run_bit_for_bit(settings_for, toy_base, tmp_path):
    settings = settings_for(network={"rank": 2, "train_text_encoder": False})
    rules = CaptionRules(trigger="zorvex", keep_tokens=1, dropout=0.3)
    seed = settings.training.seed

    def uncached(picture, epoch):
        return caption_for_training(CAPTIONS[picture], rules, rng_for("caption", seed, epoch, picture, 0), epoch=epoch)

    def cached(picture, epoch):
        return sampled_caption(CAPTIONS[picture], rules, 1, seed, epoch=epoch, picture=picture, repeat=0)

    base = open_toy(toy_base)
    plain = losses(settings, base, TextStates(base, TextOptions(), trained=False), uncached)
    texts = TextStates(base, TextOptions(), trained=False, cache=TextCache(tmp_path))
    list(texts.encode_all(captions_needed([(caption, rules) for caption in CAPTIONS], 1, seed)))
    texts.free_encoders()
    assert losses(settings, base, texts, cached) == plain
    assert len(set(plain)) == len(plain)


PLAIN = {"trigger": "zorvex", "shuffle_caption": False, "keep_tokens": 0, "caption_dropout_rate": 0.3}
FROZEN_TEXTS = {"rank": 2, "train_text_encoder": False}


def asked_for(monkeypatch):
    """What the text encoder is asked to encode from here on."""
    seen, encode = [], StableDiffusion1.encode_texts
    monkeypatch.setattr(StableDiffusion1, "encode_texts", lambda base, texts, options: seen.extend(texts) or encode(base, texts, options))
    return seen


def test_a_whole_run_on_one_variant_ends_in_the_bytes_of_a_run_without(settings_for, tmp_path, monkeypatch):
    samples = {"prompts": ["{trigger}, happy"], "steps": 2, "negative_prompt": "sad"}
    seen = asked_for(monkeypatch)
    plain = train(settings_for(captions=PLAIN, network=FROZEN_TEXTS, samples=samples), tmp_path / "plain")
    cached = settings_for(captions={**PLAIN, "cached_variants": 1}, network=FROZEN_TEXTS, samples=samples)
    seen.clear()
    result = train(cached, tmp_path / "cached")
    with safe_open(result.file, "pt") as a, safe_open(plain.file, "pt") as b:
        assert all(torch.equal(a.get_tensor(key), b.get_tensor(key)) for key in b.keys())  # noqa: SIM118, it has no iterator
        assert a.keys() == b.keys()
    pictures = [sorted((tmp_path / name / "samples").iterdir()) for name in ("plain", "cached")]
    assert [file.read_bytes() for file in pictures[0]] == [file.read_bytes() for file in pictures[1]]
    assert len(seen) == len(set(seen))  # every text once
    seen.clear()
    again = train(cached, tmp_path / "again")
    assert again.file.read_bytes() == result.file.read_bytes()
    assert set(seen) <= {"zorvex, happy", "sad"}  # captions are on disk; the samples' prompts are encoded before the encoders are freed


def test_a_run_on_variants_goes_on_after_a_stop_to_the_same_bytes(settings_for, tmp_path):
    settings = settings_for(captions={**PLAIN, "shuffle_caption": True, "keep_tokens": 1, "cached_variants": 3}, network=FROZEN_TEXTS)
    whole = train(settings, tmp_path / "whole").file
    commands = Commands()
    train(settings, tmp_path / "part", [lambda event: commands.stop() if isinstance(event, events.StepDone) and event.step == 4 else None],
          commands)  # fmt: skip
    shutil.rmtree(settings.cache)
    assert resume(tmp_path / "part").file.read_bytes() == whole.read_bytes()
