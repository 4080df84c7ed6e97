"""What varies in a sweep: lists, ranges and distributions by the names of settings; what cannot is refused by name."""

from __future__ import annotations

import pytest

from lorasmith.errors import SettingsError
from lorasmith.jobs.sweep.sweep_file import load_sweep, sweep_from
from lorasmith.jobs.sweep.trials import check_trials, in_words, planned_values, trial_of, value_in_words
from lorasmith.jobs.sweep.vary import Choices, Distribution
from lorasmith.training.settings.stand_ins import stand_ins
from lorasmith.training.settings.toml import settings_toml
from lorasmith.training.settings.tree import settings_from

TREE = {"base": {"path": "base"}, "datasets": [{"path": "my-set"}], "training": {"epochs": 4}}


def sweep(vary, settings=TREE, **said):
    return sweep_from({"name": "rates", "settings": settings, "vary": vary, **said})


@pytest.mark.parametrize(
    ("setting", "written", "values"),
    [
        ("network.rank", [4, 16], (4, 16)),
        ("network.kind", ["lora", "lokr"], ("lora", "lokr")),
        ("network.rank", {"from": 4, "to": 64, "count": 3, "scale": "log"}, (4, 16, 64)),
        ("network.rank", {"from": 4, "to": 9, "count": 3}, (4, 6, 9)),  # a rank is a whole number
        ("network.dropout", {"from": 0, "to": 1, "count": 3}, (0.0, 0.5, 1.0)),
        ("optimizer.learning_rate", {"from": 1e-5, "to": 1e-3, "count": 3, "scale": "log"}, (1e-5, 1e-4, 1e-3)),
        ("optimizer.learning_rate", {"from": 0.1, "to": 0.3, "step": 0.1}, (0.1, 0.2, 0.3)),
        ("training.epochs", {"from": 2, "to": 7, "step": 2}, (2, 4, 6)),
        ("captions.trigger", ["zorvex", "mib"], ("zorvex", "mib")),
    ],
)
def test_a_list_or_a_range_is_these_values(setting, written, values):
    assert sweep({setting: written}).vary == {setting: Choices(values)}


def test_a_range_without_count_and_step_is_a_distribution_and_draws_stay_in_it():
    drawn = sweep(
        {"optimizer.learning_rate": {"from": 1e-5, "to": 1e-3, "scale": "log"}, "network.rank": {"from": 4, "to": 6}},
        search="random", trials=30,
    )  # fmt: skip
    assert drawn.vary == {"optimizer.learning_rate": Distribution(1e-5, 1e-3, log=True), "network.rank": Distribution(4, 6, whole=True)}
    values = planned_values(drawn)
    assert values == planned_values(drawn), "the same seed draws the same"
    rates = sorted(one["optimizer.learning_rate"] for one in values)
    assert 1e-5 <= rates[0] < 1e-4 < rates[-1] <= 1e-3
    assert {one["network.rank"] for one in values} == {4, 5, 6}
    assert values != planned_values(sweep(drawn.file.vary, search="random", trials=30, seed=1))


def test_no_more_draws_are_looked_for_than_there_are():
    narrow = sweep({"network.dropout": {"from": 0.1, "to": 0.102}}, search="random", trials=4)
    with pytest.raises(SettingsError, match="trials = 4, and there are 3 combinations of numbers with three digits"):
        planned_values(narrow)


def test_a_grid_is_every_combination_and_draws_differ():
    vary = {"network": {"rank": [4, 8]}, "training": {"seed": [1, 2]}}  # as TOML has names with dots
    every = [{"network.rank": rank, "training.seed": seed} for rank in (4, 8) for seed in (1, 2)]
    assert planned_values(sweep(vary)) == every
    drawn = planned_values(sweep(vary, search="random", trials=4))
    assert sorted(map(str, drawn)) == sorted(map(str, every))


def test_trials_have_the_values_and_the_rest_of_the_settings():
    two = {**TREE, "datasets": [{"path": "a"}, {"path": "b"}]}
    trial = trial_of(sweep({"datasets.1.path": ["c", "d"]}, two), 2, {"datasets.1.path": "d"})
    assert [str(dataset.path) for dataset in trial.settings.datasets] == ["a", "d"]
    assert trial.settings.name == "lora-2"
    nested = sweep({"datasets": {"1": {"path": ["c", "d"]}}}, two)  # as TOML has datasets.1.path without quotation marks
    assert nested.vary == {"datasets.1.path": Choices(("c", "d"))}

    only = trial_of(sweep({"datasets.path": ["c", "d"]}), 1, {"datasets.path": "c"})
    assert str(only.settings.datasets[0].path) == "c"
    together = sweep({"network.rank, network.alpha": [[8, 4], [16, 8]]})
    assert planned_values(together)[1] == {"network.rank, network.alpha": [16, 8]}
    assert in_words(planned_values(together)[1]) == "network.rank 16, network.alpha 8"
    assert value_in_words([16, 8.0]) == "16, 8"
    network = trial_of(together, 2, planned_values(together)[1]).settings.network
    assert (network.rank, network.alpha) == (16, 8)
    sets = sweep({"datasets": [[{"path": "a"}], [{"path": "a"}, {"path": "b"}]]})
    assert len(trial_of(sets, 2, planned_values(sets)[1]).settings.datasets) == 2


def test_a_short_trial_has_a_share_of_the_length():
    assert trial_of(sweep({"network.rank": [4, 8]}, share=0.3), 1, {"network.rank": 4}).settings.training.epochs == 1
    steps = {**TREE, "training": {"max_train_steps": 1000}}
    assert trial_of(sweep({"network.rank": [4, 8]}, steps, share=0.3), 1, {"network.rank": 4}).settings.training.max_train_steps == 300


@pytest.mark.parametrize(
    ("vary", "said", "sentence"),
    [
        ({"network.rnak": [4, 8]}, {}, "there is no such setting; did you mean 'network.rank'"),
        ({"network.rank": 4}, {}, "network.rank in .vary. is 4, which varies nothing"),
        ({"network.rank": [4]}, {}, "network.rank in .vary. needs two values or more that differ"),
        ({"network.rank": {"from": 4, "to": 8, "cuont": 3}}, {}, "has 'cuont', which a range does not have; did you mean 'count'"),
        ({"network.rank": {"from": 8, "to": 4, "count": 3}}, {}, "goes from 8 to 4. Let it rise"),
        ({"network.dropout": {"from": 0, "to": 1, "count": 3, "scale": "log"}}, {}, "needs numbers above 0"),
        ({"network.rank": {"from": 4, "to": 8, "count": 3, "step": 1}}, {}, "has count and step. Give one of them"),
        ({"network.rank": {"from": 4, "to": 8}}, {}, "network.rank has no end of values, which a grid cannot take"),
        ({"network.rank": [4, 8]}, {"trials": 3}, "trials has no effect on a grid, which takes all 2 combinations"),
        ({"network.rank": [4, 8]}, {"search": "random"}, "trials is missing"),
        ({"network.rank": [4, 8]}, {"search": "random", "trials": 3}, "trials = 3, and there are 2 combinations"),
        ({"network.rank": {"from": 1, "to": 2000, "step": 1}}, {}, "1,000 are the most"),
        ({"network.rank": list(range(1, 200_000))}, {}, "has 199,999 values, and 1,000 are the most"),
        ({"network.dropout": {"from": 0, "to": 1, "step": 1e-320}}, {}, "1,000 are the most"),
        ({"network.rank": {"from": 1, "to": 10**400, "step": 1}}, {}, "has to = 1000"),
        ({"network.dropout": {"from": -1e308, "to": 1e308, "step": 1}}, {}, "has from = -1e.308. Give a number"),
        ({"network.rank": {"from": 4, "to": 6}}, {"search": "random", "trials": 5}, "trials = 5, and there are 3 combinations"),
        ({"network.rank": {"from": 4.5, "to": 8}}, {"search": "random", "trials": 2}, "takes whole numbers"),
        ({"cache": ["a", "b"]}, {}, "cache cannot vary, since trials share the latents and texts in it"),
        ({}, {}, "names no setting"),
        ({"network.rank": [4, 8]}, {"serach": "random"}, "there is no 'serach' in a sweep; did you mean 'search'"),
        ({"network.rank": [4, 8]}, {"share": 2}, "share = 2 cannot be used"),
        ({"optimizer.learning_rate": "0,0001"}, {}, "has '0,0001', where a comma may be a decimal one. Write numbers with a point"),
        ({"optimizer.learning_rate": ["0,0001", "0,0002"]}, {}, "has '0,0001', where a comma may be a decimal one"),
        ({"network.rank, network.alpha": "8,5"}, {}, "has '8,5', where a comma may be a decimal one"),
        ({"network.dropout": {"from": 0, "to": "0,5", "count": 3}}, {}, "has '0,5', where a comma may be a decimal one"),
        ({"captions.trigger": ["0,5", "0,5"]}, {}, "needs two values or more that differ"),
        ({"network.rank, network.alpha": [4, 8]}, {}, "names 2 settings. Give a list with 2 values in each place"),
    ],
)
def test_what_cannot_vary_is_refused_by_name(vary, said, sentence):
    with pytest.raises(SettingsError, match=sentence):
        sweep(vary, **said)


def test_one_of_several_datasets_has_to_be_named():
    with pytest.raises(SettingsError, match=r"set for each of 2 datasets. Name one, such as datasets.0.repeats"):
        sweep({"datasets.repeats": [1, 2]}, {**TREE, "datasets": [{"path": "a"}, {"path": "b"}]})


def test_a_value_that_the_settings_refuse_is_named_with_its_trial():
    refused = sweep({"network.rank": [4, -4]})
    with pytest.raises(SettingsError, match=r"Trial 2 \(network.rank -4\): network.rank = -4 should be greater than or equal to 1"):
        trial_of(refused, 2, {"network.rank": -4})


def test_a_combination_that_cannot_work_is_refused_before_anything_runs(settings_for):
    settings = settings_for().model_dump(mode="json", exclude_none=True)
    wrong = sweep({"network.kind": ["lora", "lokr"], "network.factor": [-1, 8]}, settings)
    trials = [trial_of(wrong, number, values) for number, values in enumerate(planned_values(wrong), 1)]
    with pytest.raises(
        SettingsError, match=r"Trial 2 \(network.kind lora, network.factor 8\) could not be trained: network.factor has no effect"
    ):
        check_trials(trials)


@pytest.mark.parametrize(
    ("vary", "settings", "sentence"),
    [
        (
            {"optimizer.learning_rate": [1e-5, 1e-3]}, {"optimizer": {"unet_lr": 1e-4, "text_encoder_lr": 1e-5}},
            "optimizer.learning_rate would change nothing in any trial, since optimizer.unet_lr and optimizer.text_encoder_lr are set",
        ),
        ({"optimizer.learning_rate": [1e-5, 1e-3]}, {"optimizer": {"unet_lr": 1e-4}, "network": {"train_text_encoder": False}}, "optimizer.unet_lr is set"),
        ({"captions.keep_tokens": [1, 2]}, {"datasets": [{"path": "a", "keep_tokens": 1}]}, "datasets.0.keep_tokens is set"),
        ({"buckets.resolution": [512, 768]}, {"datasets": [{"path": "a", "resolution": 512}]}, "datasets.0.resolution is set"),
    ],
)  # fmt: skip
def test_a_setting_that_others_stand_in_for_is_refused(vary, settings, sentence):
    wrong = sweep(vary, {**TREE, **settings})
    trials = [trial_of(wrong, number, values) for number, values in enumerate(planned_values(wrong), 1)]
    with pytest.raises(SettingsError, match=sentence):
        check_trials(trials)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("optimizer.learning_rate", {"optimizer": {"unet_lr": 1e-4}}),  # the text encoder's
        ("captions.keep_tokens", {"datasets": [{"path": "a", "keep_tokens": 1}, {"path": "b"}]}),
        ("training.seed", {}),
    ],
)
def test_a_setting_that_is_used_somewhere_has_no_stand_in(name, settings):
    assert stand_ins(settings_from({**TREE, **settings}), name) == []


def test_the_file_names_its_settings_and_itself(settings_for, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.toml").write_text(settings_toml(settings_for()), encoding="utf-8")
    (tmp_path / "ranks.toml").write_text('settings = "toy.toml"\n[vary]\nnetwork.rank = [1, 2]\n', encoding="utf-8")
    found = load_sweep("ranks.toml")
    assert (found.name, found.settings.name, found.trials) == ("ranks", "toy", 2)
    with pytest.raises(SettingsError, match="cannot be opened"):
        load_sweep("rnaks.toml")
    (tmp_path / "ranks.toml").write_text("settings = \n", encoding="utf-8")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load_sweep("ranks.toml")
