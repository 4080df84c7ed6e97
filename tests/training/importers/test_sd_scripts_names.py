"""What sd-scripts calls our settings, as its importer has it."""

from __future__ import annotations

from lorasmith.training.importers.sd_scripts_names import names_in_sd_scripts
from lorasmith.training.settings.tree import setting_names


def test_settings_have_the_names_under_which_sd_scripts_knows_them():
    names = names_in_sd_scripts()
    known = {
        "network.rank": "network_dim", "network.alpha": "network_alpha", "network.conv_rank": "conv_dim", "network.kind": "network_module",
        "base.path": "pretrained_model_name_or_path", "training.batch_size": "train_batch_size", "training.epochs": "max_train_epochs",
        "optimizer.type": "optimizer_type", "datasets.repeats": "num_repeats", "name": "output_name", "base.text_encoder_2": "t5xxl",
    }  # fmt: skip
    assert {ours: theirs for ours, theirs in known.items() if theirs not in names.get(ours, ())} == {}


def test_only_settings_that_are_called_otherwise_are_among_them():
    names = names_in_sd_scripts()
    assert {*names} <= {*setting_names()}
    assert [ours for ours, theirs in names.items() if ours.rpartition(".")[2] in theirs] == []
