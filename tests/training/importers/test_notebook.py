"""Notebooks with the command of a training in a cell are read as Jupyter and Colab would run them."""

import json

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.importers.import_settings import import_settings

TRAIN = "accelerate launch --num_cpu_threads_per_process 2 train_network.py --pretrained_model_name_or_path b --train_data_dir pics --learning_rate 1e-4 --max_train_epochs 3"


def imported(tmp_path, *sources, **more):
    cells = [{"cell_type": "markdown", "source": ["# A training\n"]}, *({"cell_type": "code", "source": source} for source in sources)]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}, **more}), encoding="utf-8")
    return import_settings(tmp_path / "a.ipynb")


def test_a_cell_with_its_variables(tmp_path):
    forms = ['dim = 8 #@param {type:"slider", min:1}\n', 'name = "two words" # @param\n', "shuffle = True\n", "other = len(name)\n"]
    lines = [
        "%cd /content/sd-scripts\n",
        "if True:\n",
        f"  !{TRAIN} \\\n",
        '    --network_dim {dim} --output_name "$name" \\\n',
        "    --seed {other}\n",
        "print('done')\n",
    ]
    found = imported(tmp_path, forms, lines)
    assert (found.settings.network.rank, found.settings.name, found.settings.training.epochs) == (8, "two words", 3)
    assert found.form == "a command for train_network.py"


@pytest.mark.parametrize(
    "cell", [f"%%bash\nset -e\n{TRAIN} --network_dim 8\n", f"!{TRAIN} --network_dim 8", f"%env DIM=8\n!{TRAIN} --network_dim $DIM"]
)
def test_cells_of_any_kind(tmp_path, cell):
    assert imported(tmp_path, cell).settings.network.rank == 8


def test_a_configuration_that_a_cell_writes(tmp_path):
    config = '%%writefile /content/config.toml\npretrained_model_name_or_path = "b"\ntrain_data_dir = "pics"\nnetwork_dim = 12\nmax_train_epochs = 3\nlearning_rate = 1e-4\n'
    found = imported(tmp_path, config, "!accelerate launch train_network.py --config_file=/content/config.toml")
    assert (found.fault, found.settings.network.rank) == ("", 12)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["print('x')"], "no training of a LoRA"), (["!accelerate launch train_network.py --config_file={config}"], "{config}, which is not here"),
        (["!accelerate launch sd3_train_network.py --x 1"], "runs sd3_train_network.py"), (['!accelerate launch train_network.py --x "1'], "quotes do not close"),
    ],
)  # fmt: skip
def test_a_notebook_that_cannot_be_read_is_one_sentence(tmp_path, sources, words):
    with pytest.raises(SettingsError, match=words) as raised:
        imported(tmp_path, *sources)
    assert "a.ipynb" in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cells": 5}', '{"cells": [5, {"cell_type": "code"}, {"cell_type": "code", "source": 5}]}']
)
def test_a_file_of_another_shape_is_one_sentence(tmp_path, text):
    (tmp_path / "a.ipynb").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"a\.ipynb"):
        import_settings(tmp_path / "a.ipynb")
