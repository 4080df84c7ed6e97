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
# # Train a LoRA
#
# Fill in the form, run the cells from the top. Pictures with their captions are in `Loras/PROJECT/dataset`, or in `lora_training/datasets/PROJECT`; the other notebook, `dataset.ipynb`, makes them. The LoRAs go to `Loras/PROJECT/output/checkpoints`.

# %%
# Once in each session. `lorasmith` may also be the path of a wheel.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("lorasmith") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "lorasmith[studio]"], check=True)

# %load_ext lorasmith.notebook

# %%
# @title The form
project = "zorvex"  # @param {type:"string"}
base = ""  # @param {type:"string"}
google_drive = False  # @param {type:"boolean"}
folder_structure = "by project"  # @param ["by project", "by category"]

# @markdown **Pictures and captions.** 0 and "auto" are what suits the base, the captions and the number of pictures.
resolution = 0  # @param {type:"integer"}
flip_aug = False  # @param {type:"boolean"}
shuffle_tags = "auto"  # @param ["auto", "yes", "no"]
activation_tags = 1  # @param {type:"integer"}
trigger = "zorvex"  # @param {type:"string"}

# @markdown **Steps.** Give steps or epochs; the cell below calculates the other.
num_repeats = 0  # @param {type:"integer"}
preferred_unit = "epochs"  # @param ["epochs", "steps"]
how_many = 10  # @param {type:"integer"}
train_batch_size = 2  # @param {type:"integer"}

# @markdown **Learning.** 0 is what is usual for the base.
unet_lr = 0.0  # @param {type:"number"}
text_encoder_lr = 0.0  # @param {type:"number"}
lr_scheduler = "auto"  # @param ["auto", "constant", "cosine", "cosine_with_restarts", "linear", "polynomial"]
min_snr_gamma = 0.0  # @param {type:"number"}

# @markdown **Structure.**
lora_type = "lora"  # @param ["lora", "locon", "loha", "lokr"]
network_dim = 16  # @param {type:"integer"}
network_alpha = 8.0  # @param {type:"number"}

# %%
from pathlib import Path

import lorasmith as ls
from lorasmith.notebook.form import Form, settings_of

root = "."
if google_drive:
    from google.colab import drive

    drive.mount("/content/drive")
    root = "/content/drive/MyDrive"

form = Form(
    project=project,
    base=base,
    root=root,
    structure=folder_structure,
    trigger=trigger,
    repeats=num_repeats or None,
    flip_aug=flip_aug,
    unit=preferred_unit,
    how_many=how_many,
    batch_size=train_batch_size,
    resolution=resolution or None,
    shuffle_caption={"auto": None, "yes": True, "no": False}[shuffle_tags],
    keep_tokens=activation_tags,
    unet_lr=unet_lr or None,
    text_encoder_lr=text_encoder_lr or None,
    lr_scheduler=None if lr_scheduler == "auto" else lr_scheduler,
    min_snr_gamma=min_snr_gamma or None,
    network=lora_type,
    rank=network_dim,
    alpha=network_alpha,
)
settings, calculated = settings_of(form)
print(calculated)

# %% [markdown]
# What will happen, and what to look at before. Red must be mended; yellow is advice.

# %%
ls.plan(settings)

# %% [markdown]
# The training. The stop button saves and stops; running the cell again goes on, also after the session was cut off.

# %%
from lorasmith.notebook.watch import train_here

result = train_here(settings, form.output)

# %% [markdown]
# Which checkpoint is good, and at which weight: measured on prompts that the LoRA was not trained with.

# %%
proven = ls.prove(form.output, effort="quick")
proven

# %% [markdown]
# The whole report of the run, and the files.

# %%
result

# %%
sorted(str(file) for file in Path(form.output, "checkpoints").glob("*.safetensors"))

# %% [markdown]
# The studio over the same folder: the same runs, pictures and verdicts as pages of their own.

# %%
from lorasmith.notebook.studio import open_studio

studio = open_studio(root)
studio
