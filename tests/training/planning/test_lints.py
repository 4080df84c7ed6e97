"""The plan says what the guides would say: each rule speaks where it is left, and is silent where it is kept."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lorasmith.datasets.buckets import bucket_sizes, fit
from lorasmith.datasets.folders import Picture
from lorasmith.datasets.training_set import TrainingPicture, TrainingSet
from lorasmith.models.families import FAMILIES
from lorasmith.models.open import describe
from lorasmith.models.widths import Width, Widths
from lorasmith.training.planning.check import check
from lorasmith.training.planning.lints.lints import lint_facts, lint_run
from lorasmith.training.planning.lints.registry import LINTS, coded, lint, set_to, warning
from lorasmith.training.planning.lints.run_facts import BaseFacts, RunFacts, facts_of
from lorasmith.training.planning.plan import make_plan
from lorasmith.training.recipes.recipes import recipe, settings_tree
from lorasmith.training.settings.checks import check_together
from lorasmith.training.settings.tree import setting_names, settings_from

SD1 = BaseFacts(FAMILIES["sd1"], FAMILIES["sd1"].defaults, 512, "epsilon")
SDXL = BaseFacts(FAMILIES["sdxl"], FAMILIES["sdxl"].defaults, 1024, "epsilon")
FLUX = BaseFacts(FAMILIES["flux"], FAMILIES["flux"].defaults, 1024, "flow")

TAGS = "zorvex, red hat, standing, forest, smile"
SENTENCE = "A small creature with a red hat stands in the forest, and it smiles at us."
DEFAULTS = {
    "base.path": "base", "base.clip_skip": 2, "datasets.repeats": 10, "buckets.resolution": 512, "buckets.max_bucket_reso": 1024,
    "captions.trigger": "zorvex", "captions.shuffle_caption": True, "captions.keep_tokens": 1, "network.rank": 16, "network.alpha": 8.0,
    "training.epochs": 10, "training.batch_size": 2, "optimizer.unet_lr": 1e-4, "optimizer.text_encoder_lr": 1e-5,
    "samples.prompts": ["{trigger}"],
}  # fmt: skip


def run_of(base=SD1, captions=(TAGS,), count=20, size=(512, 512), folders=None, without=(), **changes):
    """Settings as usual but for `changes` (dots written as __), and pictures that nobody drew."""
    flat = {**DEFAULTS, **{name.replace("__", "."): value for name, value in changes.items()}}
    for name in without:
        flat.pop(name, None)
    tree: dict = {}
    for name, value in flat.items():
        section, _, key = name.partition(".")
        if key:
            tree.setdefault(section, {})[key] = value
        else:
            tree[section] = value
    repeats = tree["datasets"].pop("repeats")
    tree["datasets"] = [{"path": "pictures", **tree["datasets"]}]
    settings = settings_from(tree)
    sizes = bucket_sizes(settings.buckets)
    pictures = [
        Picture(Path("pictures", folder, f"{n}.png"), captions[n % len(captions)], size, folder, times)
        for folder, (number, times) in (folders or {"": (count, repeats)}).items()
        for n in range(number)
    ]
    training_set = TrainingSet(tuple(TrainingPicture(p, fit(p.size, settings.buckets, sizes)) for p in pictures), ())
    return RunFacts(settings, training_set, base, make_plan(settings, training_set))


TWO = {"10_anna": (20, 10), "10_berta": (20, 10)}
TWO_APART = {"folders": TWO, "without": ["captions.trigger"], "captions__keep_tokens": 2, "training__batch_size": 1}
EACH_OTHER = tuple(f"{word}, red hat, standing, forest, smile" for word in ("one", "two", "three", "four", "five"))
TO_FLUX = {"base": FLUX, "base__clip_skip": 1, "captions": (SENTENCE,), "captions__shuffle_caption": False, "captions__keep_tokens": 0,
           "buckets__resolution": 1024, "buckets__max_bucket_reso": 2048, "size": (1024, 1024), "network__train_text_encoder": False,
           "without": ["optimizer.text_encoder_lr"], "loss__min_snr_gamma": 0, "training__mixed_precision": "bf16",
           "datasets__repeats": 8}  # fmt: skip
SDXL_V = BaseFacts(FAMILIES["sdxl"], FAMILIES["sdxl"].defaults, 1024, "v_prediction")
AT_SDXL = {
    "buckets__resolution": 1024,
    "buckets__max_bucket_reso": 2048,
    "size": (1024, 1024),
    "training__mixed_precision": "bf16",
    "base__clip_skip": 1,
}
STYLE = {"count": 100, "datasets__repeats": 3, "network__train_text_encoder": False, "without": ["optimizer.text_encoder_lr"]}
PRODIGY = {"optimizer__type": "Prodigy", "optimizer__unet_lr": 1.0, "optimizer__text_encoder_lr": 1.0}

# Lint -> a run at which it speaks, and words of what it says; and one close by at which it does not.
CASES = {
    "distilled_base": ({"base": replace(FLUX, distilled=True), **AT_SDXL}, "few steps", {"base": FLUX, **AT_SDXL}),
    "compiled_for_few_steps": (
        {"training__torch_compile": True, "training__epochs": 4}, "from about 500 steps on", {"training__torch_compile": True},
    ),
    "few_pictures": ({"count": 14}, "has 14 pictures", {"count": 15}),
    "many_pictures": ({"count": 101, "datasets__repeats": 2}, "101 pictures", {**STYLE, "count": 101}),
    "small_pictures": ({"size": (400, 400)}, "20 of 20 pictures", {"size": (420, 420)}),
    "unbalanced_concepts": (
        {**TWO_APART, "folders": {"10_anna": (20, 10), "10_berta": (40, 10)}}, "10_berta has 400 samples", TWO_APART,
    ),
    "over_baked_folders": ({"datasets__repeats": 21}, "seen 210 times", {"datasets__repeats": 20}),
    "resolution_over_native": ({"buckets__resolution": 1024}, "native 512", {"buckets__resolution": 768}),
    "resolution_far_under_native": ({"buckets__resolution": 256}, "half of the base's native", {"buckets__resolution": 384}),
    "bucket_area_lost": (
        {"size": (900, 600), "buckets__max_bucket_reso": 512}, "of the area", {"size": (900, 600), "buckets__max_bucket_reso": 1024},
    ),
    "square_bucket_alone": (
        {"size": (900, 600), "buckets__min_bucket_reso": 512}, "leaves the square bucket alone: 20 of 20 pictures lose",
        {"size": (900, 600), "buckets__min_bucket_reso": 448},
    ),
    "no_buckets": ({"size": (900, 600), "buckets__enable_bucket": False}, "20 of 20", {"buckets__enable_bucket": False}),
    "flipped_subject": ({"datasets__flip_aug": True}, "mirrored", {**STYLE, "datasets__flip_aug": True}),
    "changed_colours": ({"datasets__color_aug": True}, "hue", {}),
    "strong_noise_offset": ({"noise__noise_offset": 0.08}, "over 0.05", {**STYLE, "noise__noise_offset": 0.08}),
    "multires_noise_for_subject": (
        {"noise__multires_noise_iterations": 8}, "for styles", {**STYLE, "noise__multires_noise_iterations": 8},
    ),
    "zero_weight_of_last_step": (
        {"base": SDXL_V, "base__zero_terminal_snr": True, **AT_SDXL}, "weight 0",
        {"base": SDXL_V, "base__zero_terminal_snr": True, "loss__min_snr_gamma": 0, **AT_SDXL},
    ),
    "half_weights": ({"training__weight_dtype": "bf16"}, "three digits", {}),
    "fp16_base": ({"training__mixed_precision": "fp16"}, "overflow", {"training__mixed_precision": "bf16"}),
    "fast_retraining": (
        {"network__weights": "old.safetensors"}, "0.0001",
        {"network__weights": "old.safetensors", "optimizer__unet_lr": 1e-5, "optimizer__text_encoder_lr": 1e-6},
    ),
    "long_retraining": (
        {"network__weights": "old.safetensors", "training__epochs": 20}, "2000 steps", {"network__weights": "old.safetensors", "training__epochs": 5},
    ),
    "no_trigger": (
        {"captions": EACH_OTHER, "without": ["captions.trigger"], "samples__prompts": ["x"]}, "no common tag",
        {"without": ["captions.trigger"], "samples__prompts": ["x"]},
    ),
    "one_trigger_for_several": ({**TWO_APART, "without": []}, "2 concepts", TWO_APART),
    "sentences_shuffled": ({"captions": (SENTENCE,)}, "sentences", {"captions": (SENTENCE,), "captions__shuffle_caption": False}),
    "tags_in_order": ({"captions__shuffle_caption": False}, "tags", {}),
    "trigger_shuffled": (
        {"without": ["captions.trigger"], "captions__keep_tokens": 0, "samples__prompts": ["x"]}, "zorvex",
        {"without": ["captions.trigger"], "captions__keep_tokens": 1, "samples__prompts": ["x"]},
    ),
    "tokens_kept_without_trigger": (
        {"captions": EACH_OTHER, "without": ["captions.trigger"], "samples__prompts": ["x"]}, "keep_tokens is 1",
        {"without": ["captions.trigger"], "samples__prompts": ["x"]},
    ),
    "second_tag_shuffled": ({**TWO_APART, "captions__keep_tokens": 1}, "outfit", TWO_APART),
    "placeholders_in_captions": ({"captions": (f"{TAGS}, [trigger]", TAGS)}, "10 of 20 captions have [trigger]", {"captions": (f"{TAGS}, [hat]",)}),
    "choices_not_drawn": ({"captions": (f"{TAGS}, {{red|blue}} hat",)}, "{red|blue}", {"captions": (f"{TAGS}, {{red|blue}} hat",), "captions__enable_wildcard": True}),
    "separator_of_kept_tags_not_read": (
        {"captions": (f"zorvex ||| {TAGS}",)}, "|||", {"captions": (f"zorvex ||| {TAGS}",), "captions__keep_tokens_separator": "|||"},
    ),
    "many_captions_dropped": ({"captions__caption_dropout_rate": 0.1}, "0.1", {**STYLE, "captions__caption_dropout_rate": 0.1}),
    "lines_not_trained": (
        {"captions": (f"{TAGS}\n{SENTENCE}",)}, "20 of 20", {"captions": (f"{TAGS}\n{SENTENCE}",), "datasets__caption_lines": "all"},
    ),
    "breaks_not_read": (
        {"captions": (f"{TAGS} BREAK night",)}, "nothing at 75 tokens",
        {"captions": (f"{TAGS} BREAK night",), "base__max_token_length": 150},
    ),
    "epochs_without_captions": ({"captions__caption_dropout_every_n_epochs": 5}, "Whole epochs", {}),
    "weighted_captions": ({"base__weighted_captions": True}, "Emphasis", {}),
    "clip_skip": ({"base__clip_skip": 1}, "anime", {"base__clip_skip": 2}),
    "rank_over_kind": (
        {"network__kind": "loha", "network__rank": 64, "network__alpha": 32.0}, "loha", {"network__rank": 64, "network__alpha": 32.0},
    ),
    "convolutions_over_rank": ({"network__conv_rank": 32}, "rank 32", {"network__conv_rank": 16}),
    "low_rank_for_several": ({**TWO_APART, "network__rank": 8}, "2 concepts", {"network__rank": 8}),
    "alpha_over_rank": ({"network__alpha": 32.0}, "by 2", {"network__alpha": 16.0}),
    "alpha_far_under_rank": ({"network__alpha": 0.5}, "1/32 of", {**PRODIGY, "network__alpha": 0.5}),
    "one_rank_in_large_batches": (
        {"network__kind": "dylora", "network__rank": 128, "network__alpha": 64.0}, "one rank for a whole batch",
        {"network__kind": "dylora", "network__rank": 128, "network__alpha": 64.0, "training__batch_size": 1},
    ),
    "rank_under_kind": (
        {"network__kind": "dylora", "training__batch_size": 1}, "rank 16",
        {"network__kind": "dylora", "network__rank": 64, "network__alpha": 32.0, "training__batch_size": 1},
    ),
    "rate_under_kind": (
        {"network__kind": "ia3", "without": ["network.rank", "network.alpha"]}, "optimizer.unet_lr 0.0001",
        {"network__kind": "ia3", "without": ["network.rank", "network.alpha"], "optimizer__unet_lr": 5e-3},
    ),
    "strong_dropout": ({"network__dropout": 0.1}, "network.dropout", {**STYLE, "network__dropout": 0.1}),
    "small_set_high_rank": (
        {"count": 10, "network__rank": 64, "network__alpha": 32.0}, "10 pictures",
        {"count": 10, "network__rank": 64, "network__alpha": 32.0, "network__dropout": 0.05},
    ),
    "idle_text_encoder": ({"optimizer__text_encoder_lr": 0.0}, "learning rate is 0", {}),
    "text_encoder_of_family": ({**TO_FLUX, "network__train_text_encoder": True, "optimizer__text_encoder_lr": 1e-5, "without": []}, "Flux", TO_FLUX),
    "text_encoder_without_word": (
        {"captions": EACH_OTHER, "without": ["captions.trigger"], "samples__prompts": ["x"]}, "no trigger",
        {"captions": EACH_OTHER, "without": ["captions.trigger", "optimizer.text_encoder_lr"], "samples__prompts": ["x"],
         "network__train_text_encoder": False},
    ),
    "text_encoder_too_fast": ({"optimizer__text_encoder_lr": 1e-4}, "bleed", {"optimizer__text_encoder_lr": 5e-5}),
    "rate_far_from_usual": ({"optimizer__unet_lr": 1e-3}, "10 times", {"optimizer__unet_lr": 5e-4}),
    "rate_of_learning_rate_free": ({**PRODIGY, "optimizer__unet_lr": 1e-4, "optimizer__text_encoder_lr": 1e-4}, "Prodigy", PRODIGY),
    "schedule_of_learning_rate_free": (
        {**PRODIGY, "schedule__lr_scheduler_num_cycles": 3}, "restarts", {**PRODIGY, "schedule__lr_scheduler": "cosine"},
    ),
    "many_restarts": ({"schedule__lr_scheduler_num_cycles": 5}, "is 5", {"schedule__lr_scheduler_num_cycles": 3}),
    "long_warmup": ({"schedule__lr_warmup_steps": 400}, "400 of 1,000", {"schedule__lr_warmup_steps": 0.1}),
    "short_training": ({"datasets__repeats": 1}, "200 samples", {"datasets__repeats": 3}),
    "long_training": ({"count": 60, "datasets__repeats": 15}, "9,000 samples", {"count": 60, "datasets__repeats": 10}),
    "large_batch": ({"training__batch_size": 8}, "is 8", {"training__batch_size": 4}),
    "concepts_in_batches": ({**TWO_APART, "training__batch_size": 2}, "2 concepts", TWO_APART),
    "repeats_instead_of_epochs": ({"training__epochs": 2, "datasets__repeats": 50}, "2 checkpoints", {"training__epochs": 5, "datasets__repeats": 20}),
    "few_checkpoints": ({"checkpoints__save_every_n_epochs": 5}, "keeps 2 of 10", {"checkpoints__save_every_n_epochs": 2}),
    "never_stops_when_over": ({"validation__stop_when_over": 10}, "never ends", {"validation__stop_when_over": 9}),
    "min_snr_gamma_unusual": ({"loss__min_snr_gamma": 50.0}, "50", {"loss__min_snr_gamma": 10.0}),
    "file_in_fp32": ({"checkpoints__save_precision": "fp32"}, "twice", {"checkpoints__save_precision": "bf16"}),
    "large_base_in_fp32": ({**TO_FLUX, "training__mixed_precision": "no"}, "memory", TO_FLUX),
    "awkward_name": ({"name": "con.v1"}, "con.v1", {"name": "anna, red hat v1.2"}),
    "no_samples": ({"samples__prompts": []}, "empty", {}),
}  # fmt: skip


def names(run):
    return {found.code.removeprefix("lint.") for found in lint_facts(run)}


def test_a_usual_run_is_passed_without_a_word():
    assert lint_facts(run_of()) == []


@pytest.mark.parametrize("name", LINTS)
def test_a_rule_speaks_where_it_is_left_and_not_close_by(name):
    left, words, kept = CASES[name]
    found = [each for each in lint_facts(run_of(**left)) if each.code == f"lint.{name}"]
    assert found
    assert words in f"{found[0].message} {found[0].why}"
    for each in found:
        assert each.severity == "warning"
        assert each.why.endswith(".")
        assert each.fix.words.endswith(".")
        assert each.message[-1] == "."
        assert not re.search(r"\bS[0-4]\b", each.source)
        assert each.as_data["code"] == each.code
    assert name not in names(run_of(**kept))


@pytest.mark.parametrize("name", ["aux", "a. ", "anna__v2", "[anna]", "{a}", "caf\u0065\u0301", "a\u200bb", "long" * 30])
def test_a_name_that_file_systems_or_prompts_dislike_is_changed(name):
    found = next(each for each in lint_facts(run_of(name=name)) if each.code == "lint.awkward_name")
    assert "awkward_name" not in names(run_of(name=found.fix.changes[0].value))


def test_every_fix_and_every_subject_names_settings_that_exist():
    known = set(setting_names())
    for left, _, _ in CASES.values():
        for found in lint_facts(run_of(**left)):
            named = [change.setting for change in found.fix.changes] + (list(found.subjects) if found.about == "setting" else [])
            named += [
                word.rstrip(".")
                for word in found.fix.words.replace(",", " ").split()
                if word.split(".")[0] in SECTIONS and "." in word[:-1]
            ]
            assert {re.sub(r"\.\d+\.", ".", name) for name in named} <= known, found


SECTIONS = {name.split(".")[0] for name in setting_names()}


@pytest.mark.parametrize(
    "name", [name for name in LINTS if name not in ("small_pictures", "short_training", "long_training", "long_retraining")]
)
def test_the_change_of_a_fix_silences_its_lint(name):
    left, _, _ = CASES[name]
    found = [change for each in lint_facts(run_of(**left)) if each.code == f"lint.{name}" for change in each.fix.changes]
    if not found:
        pytest.skip("it takes a person")
    changes = {change.setting.replace("datasets.0.", "datasets.").replace(".", "__"): change.value for change in found}
    removed = [name.replace("__", ".") for name, value in changes.items() if value is None]
    mended = {
        **left,
        **{name: value for name, value in changes.items() if value is not None},
        "without": [*left.get("without", ()), *removed],
    }
    assert name not in names(run_of(**{key: value for key, value in mended.items() if key.replace("__", ".") not in removed}))


def test_a_lint_is_one_function(monkeypatch):
    def odd_seed(run):
        if run.settings.training.seed == 13:
            yield warning("training.seed is 13.", why="Some people do not like it.", fix=set_to("training.seed", 14), source="folklore")

    monkeypatch.setitem(LINTS, "odd_seed", coded(odd_seed))  # what @lint does
    found = [each for each in lint_facts(run_of(training__seed=13)) if each.code == "lint.odd_seed"]
    assert [each.fix.words for each in found] == ["Set training.seed to 14."]
    assert "odd_seed" not in names(run_of())
    with pytest.raises(ValueError, match="'odd_seed' is already taken"):
        lint(odd_seed)


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux"])
@pytest.mark.parametrize("kind", ["character", "style", "concept", "multi-concept"])
@pytest.mark.parametrize("level", ["standard", "competition"])
def test_our_own_recipes_keep_the_rules(family, kind, level):
    count = {"character": 30, "style": 100, "concept": 50, "multi-concept": 60}[kind]
    tree = settings_tree(recipe(kind, family, level, count))
    flat = {f"{section}__{key}": value for section, content in tree.items() for key, value in content.items()}
    base = {"sd1": SD1, "sdxl": SDXL, "flux": FLUX}[family]
    native = base.native_resolution
    without = [name for name in DEFAULTS if name.startswith(("network.", "optimizer.", "captions.")) and name != "captions.trigger"]
    changes = {
        "size": (2 * native, 2 * native),
        "count": count,
        "without": [name for name in without if name.replace(".", "__") not in flat],
    }
    if kind == "multi-concept":
        changes |= {"folders": dict.fromkeys(("anna", "berta"), (30, flat["datasets__repeats"])), "samples__prompts": ["anna"]}
        changes["without"].append("captions.trigger")
    run = run_of(base=base, base__clip_skip=1 if family == "flux" else 2, **changes, **flat)
    check_together(run.settings)
    assert names(run) == set()


def test_regularisation_pictures_are_no_concept_and_count_for_nothing():
    from dataclasses import replace

    run = run_of(folders={"10_anna": (20, 10), "1_woman": (60, 1)})
    as_reg = [replace(item, picture=replace(item.picture, is_reg=item.picture.folder == "1_woman")) for item in run.training_set.pictures]
    assert "concepts_in_batches" in names(run)
    assert lint_facts(replace(run, training_set=TrainingSet(tuple(as_reg), ()))) == []


def test_nothing_is_proposed_for_a_text_encoder_that_the_family_leaves_alone_but_to_leave_it_alone():
    on = {**TO_FLUX, "network__train_text_encoder": True}
    for rate, code in ((0.0, "lint.idle_text_encoder"), (9e-5, "lint.text_encoder_of_family")):
        found = [
            one for one in lint_facts(run_of(**{**on, "without": [], "optimizer__text_encoder_lr": rate})) if "text_encoder" in one.code
        ]
        assert [one.code for one in found] == [code]
        assert found[0].fix.words == "Set network.train_text_encoder to false."
    (idle,) = [one for one in lint_facts(run_of(optimizer__text_encoder_lr=0.0)) if one.code == "lint.idle_text_encoder"]
    assert "or optimizer.text_encoder_lr to a tenth" in idle.fix.words


def test_a_clip_skip_that_no_base_of_the_family_uses_is_named():
    assert "clip_skip" in names(run_of(**{**TO_FLUX, "base__clip_skip": 2}))
    assert "clip_skip" in names(run_of(base__clip_skip=3))
    assert "clip_skip" in names(run_of(captions=(SENTENCE,), captions__shuffle_caption=False, base__clip_skip=2))


def test_the_facts_of_a_real_folder_are_its_own(settings_for, toy_base):
    facts = facts_of(describe(toy_base))
    assert (facts.family.name, facts.native_resolution, facts.prediction_type) == ("sd1", 32, "epsilon")
    found = {each.code: each for each in lint_run(check(settings_for(buckets={"resolution": 64})))}
    assert "native 32" in found["lint.resolution_over_native"].message
    assert "5 pictures" in found["lint.few_pictures"].message


def test_a_rate_is_compared_with_what_suits_the_width_of_the_base():
    narrow = replace(SD1, widths=Widths(Width(192, 1280)))
    assert "rate_far_from_usual" not in names(run_of(narrow, optimizer__unet_lr=2e-3))
    (fast,) = LINTS["rate_far_from_usual"](run_of(narrow, optimizer__unet_lr=1e-2))
    assert fast.message.startswith("optimizer.unet_lr 0.01 is 15 times what suits a base of Stable Diffusion 1.x of this width (6.7 times")
    (slow,) = LINTS["rate_far_from_usual"](run_of(narrow, optimizer__unet_lr=5e-5))
    assert slow.fix.changes[0].value == 6.7e-4


def test_an_encoder_that_reads_captions_whole_is_said_to_take_break_for_a_word():
    run = run_of(FLUX, captions=("a red hat BREAK night",), without=["base.clip_skip"], captions__shuffle_caption=False)
    (finding,) = LINTS["breaks_not_read"](run)
    assert "20 of 20 captions have BREAK, which Flux" in finding.message


@pytest.mark.parametrize(("family", "lengths"), [("flux", 1), ("chroma", 3), ("zimage", 1)])
def test_compiling_is_counted_for_each_length_of_captions_where_the_denoiser_reads_them_so(family, lengths):
    captions = tuple(" ".join(["word"] * number) for number in (4, 8, 12))
    base = BaseFacts(FAMILIES[family], FAMILIES[family].defaults, 1024, "flow")
    run = run_of(base, captions, training__torch_compile=True, training__epochs=4, **AT_SDXL)
    (found,) = (finding for finding in lint_facts(run) if finding.code == "lint.compiled_for_few_steps")
    assert found.evidence.number == pytest.approx(run.plan.steps / lengths)
    assert ("3 of captions" in found.message) == (lengths == 3)
