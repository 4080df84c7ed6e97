# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Make a dataset
#
# From a folder or a ZIP of pictures to a dataset that can be trained: checked, mended, tagged. Your originals are not changed; the dataset is written to `Loras/PROJECT/dataset`, where `train.ipynb` looks for it.

# %%
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("lorasmith") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "lorasmith"], check=True)

# %load_ext lorasmith.notebook

# %%
# @title The form
project = "zorvex"  # @param {type:"string"}
pictures = ""  # @param {type:"string"}
google_drive = False  # @param {type:"boolean"}
folder_structure = "by project"  # @param ["by project", "by category"]
kind = "character"  # @param ["character", "style", "concept"]
resolution = 1024  # @param {type:"integer"}
tagger = ""  # @param {type:"string"}
threshold = 0.35  # @param {type:"number"}
trigger = "zorvex"  # @param {type:"string"}
hold_out = 0.1  # @param {type:"number"}

# %%
import lorasmith as ls
from lorasmith.notebook.form import Form

root = "."
if google_drive:
    from google.colab import drive

    drive.mount("/content/drive")
    root = "/content/drive/MyDrive"
if not pictures:
    from google.colab import files

    pictures = next(iter(files.upload()))

dataset = Form(project, base="", root=root, structure=folder_structure).dataset
imported = ls.import_pictures([pictures], dataset)
print(f"{len(imported.added)} pictures are in {dataset}")
for finding in imported.left_out:
    print(finding)

# %% [markdown]
# What is wrong with the pictures, and with the set.

# %%
ls.audit(dataset, kind=kind, resolution=resolution)

# %% [markdown]
# Mends that lose nothing that is seen: bars, wide margins, transparency, copies of one picture. The originals are kept; `!lorasmith mend {dataset} --undo` brings them back.

# %%
# !{sys.executable} -m lorasmith mend {dataset} --bars --trim --flatten
# !{sys.executable} -m lorasmith mend {dataset} --duplicates

# %% [markdown]
# Tags, by a tagger of your choice (a folder or a hub id, such as those of WD14). Without one, captions stay as they are. Then the trigger goes in front of each. `!lorasmith captions undo {dataset}` takes a step back.

# %%
if tagger:
    get_ipython().system(f"{sys.executable} -m lorasmith captions tag {dataset} --tagger {tagger} --threshold {threshold}")  # noqa: F821
# !{sys.executable} -m lorasmith captions triggers {dataset} --set {trigger}
# !{sys.executable} -m lorasmith captions check {dataset}

# %% [markdown]
# Some pictures are held out: with them it can be measured whether the LoRA has learned or memorised.

# %%
if hold_out:
    split = ls.plan_holdout(dataset, share=hold_out)
    ls.hold_out(dataset, split)
    print(f"{len(split.training)} to train with, {len(split.held_out)} held out")
