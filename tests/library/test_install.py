"""A LoRA goes where a UI looks for it, and replaces nothing."""

import json
import os

import pytest

from lorasmith.errors import AdapterError, InputError
from lorasmith.library.install import UIS, install
from tests.as_windows import needs_posix
from tests.library.lora_files import write_lora


@pytest.fixture
def lora(tmp_path):
    file = write_lora(tmp_path / "out" / "zorvex.safetensors")
    file.with_suffix(".png").write_bytes(b"a picture")
    file.with_suffix(".json").write_text('{"activation text": "zorvex"}', encoding="utf-8")
    return file


def make_ui(folder, name):
    (ui,) = [ui for ui in UIS if ui.name == name]
    for mark in ui.marks:
        (folder / mark).mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("name", "place"),
    [("AUTOMATIC1111", "models/Lora"), ("Forge", "models/Lora"), ("SD.Next", "models/Lora"), ("ComfyUI", "models/loras"), ("Fooocus", "models/loras")],
)  # fmt: skip
def test_a_ui_is_known_by_its_folder(tmp_path, lora, name, place):
    root = make_ui(tmp_path / "ui", name)
    done = install(lora, root)
    assert (done.ui, done.file, done.way) == (name, root / place / "zorvex.safetensors", "copy")
    assert done.file.read_bytes() == lora.read_bytes()
    assert {path.name for path in done.file.parent.iterdir()} == {"zorvex.safetensors", "zorvex.png", "zorvex.json"}
    assert done.refresh.endswith(".")


def test_a_packed_ui_its_folder_of_loras_and_one_below_are_known_too(tmp_path, lora):
    root = make_ui(tmp_path / "portable" / "ComfyUI", "ComfyUI")
    assert install(lora, tmp_path / "portable").file == root / "models" / "loras" / "zorvex.safetensors"
    styles = root / "models" / "loras" / "styles"
    styles.mkdir()
    assert (install(lora, styles).ui, install(lora, styles, name="other").file) == ("ComfyUI", styles / "other.safetensors")
    assert install(lora, root, subfolder="own", name="third").file == root / "models" / "loras" / "own" / "third.safetensors"


def test_what_a_ui_is_configured_for_counts(tmp_path, lora):
    comfy = make_ui(tmp_path / "comfy", "ComfyUI")
    shared = "a111:\n  base_path: ../webui\n  is_default: true\n  loras: |\n    models/Lora\n    models/LyCORIS\n"
    (comfy / "extra_model_paths.yaml").write_text(shared, encoding="utf-8")
    assert install(lora, comfy).file.resolve() == tmp_path / "webui" / "models" / "Lora" / "zorvex.safetensors"
    (comfy / "extra_model_paths.yaml").write_text("[broken", encoding="utf-8")
    assert install(lora, comfy).file == comfy / "models" / "loras" / "zorvex.safetensors"
    fooocus = make_ui(tmp_path / "fooocus", "Fooocus")
    (fooocus / "config.txt").write_text(json.dumps({"path_loras": [str(tmp_path / "mine")]}), encoding="utf-8")
    assert install(lora, fooocus).file == tmp_path / "mine" / "zorvex.safetensors"


def test_a_folder_that_is_no_ui_gets_the_file_itself(tmp_path, lora):
    (tmp_path / "mine").mkdir()
    done = install(lora, tmp_path / "mine")
    assert (done.ui, done.file) == ("", tmp_path / "mine" / "zorvex.safetensors")


def test_nothing_is_ever_replaced_and_the_same_file_is_known(tmp_path, lora):
    root = make_ui(tmp_path / "ui", "ComfyUI")
    picture = root / "models" / "loras" / "zorvex.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"the user's own")
    assert install(lora, root).beside == (picture.with_suffix(".json"),)
    assert picture.read_bytes() == b"the user's own"
    again = install(lora, root)
    assert (again.way, again.beside, again.was_there) == (None, (), True)
    other = write_lora(tmp_path / "another" / "zorvex.safetensors", seed=1)
    with pytest.raises(InputError, match="exists already, and is another file"):
        install(other, root)
    (picture.parent / "lost.safetensors").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="exists already"):
        install(lora, root, name="lost")


def test_all_that_uis_and_their_managers_keep_beside_a_file_goes_with_it_under_its_new_name(tmp_path, lora):
    ends = {".preview.png", ".preview.mp4", ".civitai.info", ".metadata.json", ".cm-info.json", ".swarm.json", ".description.txt",
            ".safetensors.rgthree-info.json"}  # fmt: skip
    for end in ends | {".0123456789ab.header", ".toml", "-000004.png"}:
        lora.with_name(lora.stem + end).write_bytes(b"beside it")
    done = install(lora, make_ui(tmp_path / "ui", "ComfyUI"), name="mimi.v1")
    assert {path.name for path in done.beside} == {f"mimi.v1{end}" for end in ends | {".png", ".json"}}
    assert {path.name for path in done.file.parent.iterdir()} == {"mimi.v1.safetensors", *(path.name for path in done.beside)}


def test_what_came_beside_a_file_later_is_brought_to_where_it_is_installed(tmp_path, lora):
    root = make_ui(tmp_path / "ui", "ComfyUI")
    install(lora, root)
    lora.with_suffix(".txt").write_text("a sprite", encoding="utf-8")
    assert install(lora, root, dry_run=True).beside == (root / "models" / "loras" / "zorvex.txt",)
    done = install(lora, root)
    assert (done.way, done.was_there, done.beside) == (None, True, (done.file.with_suffix(".txt"),))
    assert done.file.with_suffix(".txt").read_text(encoding="utf-8") == "a sprite"


def test_a_name_may_be_given_with_its_ending(tmp_path, lora):
    assert install(lora, tmp_path, name="mimi.safetensors").file == tmp_path / "mimi.safetensors"


@needs_posix
def test_links_take_no_room(tmp_path, lora):
    root = make_ui(tmp_path / "ui", "Forge")
    assert os.path.samefile(install(lora, root, way="link").file, lora)
    assert install(lora, root, way="symlink", name="soft").file.is_symlink()
    assert install(lora, root, way="copy").way is None


def test_a_dry_run_writes_nothing(tmp_path, lora):
    root = make_ui(tmp_path / "ui", "Forge")
    done = install(lora, root, dry_run=True)
    assert (done.way, done.file.parent.exists()) == (None, False)


def test_what_the_ui_will_not_load_is_said(tmp_path):
    from safetensors.torch import save_file
    from torch import randn

    where = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora"
    file = tmp_path / "theirs.safetensors"
    save_file({f"{where}.down.weight": randn(2, 320), f"{where}.up.weight": randn(320, 2)}, file)
    done = install(file, make_ui(tmp_path / "ui", "AUTOMATIC1111"))
    assert any("AUTOMATIC1111" in finding.message for finding in done.findings)
    assert install(file, make_ui(tmp_path / "fooocus", "Fooocus")).findings == ()


def test_a_family_that_is_not_known_here_goes_to_a_ui_that_may_know_it(tmp_path):
    from safetensors.torch import save_file
    from torch import randn

    file = tmp_path / "video.safetensors"
    save_file(
        {
            "diffusion_model.blocks.0.self_attn.q.lora_A.weight": randn(2, 99),
            "diffusion_model.blocks.0.self_attn.q.lora_B.weight": randn(99, 2),
        },
        file,
    )
    (finding,) = install(file, make_ui(tmp_path / "ui", "ComfyUI")).findings
    assert finding.code == "install.not_checked"


def test_what_cannot_be_installed_has_a_sentence(tmp_path, lora):
    with pytest.raises(InputError, match="There is no folder"):
        install(lora, tmp_path / "nowhere")
    (tmp_path / "invokeai.yaml").touch()
    with pytest.raises(InputError, match="import the file there"):
        install(lora, tmp_path)
    (tmp_path / "old.pt").touch()
    with pytest.raises(AdapterError, match="pickle"):
        install(tmp_path / "old.pt", tmp_path)
