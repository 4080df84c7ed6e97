"""Every kind of job: its arguments are said, and a second process goes on where the first one was killed."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from safetensors import safe_open

from lorasmith import cluster
from lorasmith.adapters.tools.merge import METHODS as SPARSE
from lorasmith.adapters.tools.ranks import METHODS
from lorasmith.captions.collection import open_captions
from lorasmith.dataset_folder import pictures_below
from lorasmith.errors import InputError
from lorasmith.evaluation.proof.plan import EFFORTS
from lorasmith.evaluation.sampling.sample import PRECISIONS
from lorasmith.images import picture_files
from lorasmith.images.picture_files import PictureFiles
from lorasmith.images.thumbnails import Thumbnails
from lorasmith.jobs.enqueue import checked
from lorasmith.jobs.journal import Said, read_journal
from lorasmith.jobs.kinds.registry import KINDS
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.jobs.workspace import JobFolder
from lorasmith.models.device import DEVICES
from lorasmith.models.families import FAMILIES
from lorasmith.models.samplers import SAMPLERS
from lorasmith.stores import Place, send_tree
from tests.chat_server import ChatServer
from tests.library.lora_files import write_lora


class Killed(BaseException):
    """The process of a job ended here."""


@pytest.fixture
def workspace(tmp_path, monkeypatch, creatures):
    """A workspace with a dataset `anna`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(creatures, tmp_path / "anna")
    (tmp_path / "job").mkdir()
    return tmp_path


def run(kind, killed_after=None, **arguments):
    """Do the work of a job of a kind in one process, which is killed after so many pieces."""
    work = Work(JobFolder(Path("job")))
    report = work.report

    def and_die(done, of, *more):
        report(done, of, *more)
        if done == killed_after:
            raise Killed

    work.report = and_die
    return KINDS[kind].run(checked(kind, arguments), work)


@pytest.mark.parametrize("kind", KINDS)
def test_each_argument_of_a_kind_is_described(kind):
    schema = KINDS[kind].arguments.model_json_schema()
    assert [name for name, field in schema["properties"].items() if not field.get("description")] == []
    assert KINDS[kind].words[0].isupper()


CLOSED = {
    "by": METHODS, "device": DEVICES, "effort": EFFORTS, "family": FAMILIES, "method": SPARSE, "precision": PRECISIONS, "sampler": SAMPLERS,
}  # fmt: skip
"""Arguments of which the values are a closed list, by the registry that is the list."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_argument_of_a_closed_list_names_all_of_it(kind):
    fields = KINDS[kind].arguments.model_json_schema()["properties"]
    named = {name: choices(field) for name, field in fields.items() if name in CLOSED}
    assert named == {name: {*CLOSED[name]} | ({"auto"} if name == "device" else set()) for name in named}


def choices(field):
    """What the schema of an argument says can be chosen."""
    return {value for form in (field, *field.get("anyOf", ())) for value in form.get("enum", ())}


def test_the_guide_says_which_kinds_need_an_accelerator():
    guide = (Path(__file__).parents[2] / "docs/guide/jobs.md").read_text(encoding="utf-8")
    for needs, words in (("accelerator", "job that needs it"), ("cpu", "jobs that need none")):
        named = guide.split(f"{words} (")[1].split(")")[0].split(", ")
        assert named == sorted(name for name, kind in KINDS.items() if kind.needs == needs)


def test_a_kind_that_works_over_a_cluster_says_before_it_begins_that_ray_is_missing(workspace, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda package: None)
    given = {"audit": {}, "tag": {"tagger": "anna"}, "describe": {"model": "anna"}}
    for kind, more in given.items():
        with pytest.raises(InputError, match=r"lorasmith\[scale\]") as refused:
            checked(kind, {"dataset": "anna", "ray": "auto", **more}).check_can_begin(workspace)
        assert refused.value.values["setting"] == "ray"
    over_a_cluster = {name for name, kind in KINDS.items() if "ray" in kind.arguments.model_fields}
    assert over_a_cluster == {*given, "import", "cache", "train", "sweep"}


def test_a_server_is_asked_by_one_machine():
    with pytest.raises(InputError, match="ray is for a model that the nodes run"):
        checked("describe", {"dataset": "anna", "endpoint": {"base_url": "http://127.0.0.1:1", "model": "m"}, "ray": "auto"})


def test_import_goes_on_and_adds_nothing_twice(workspace):
    with pytest.raises(Killed):
        run("import", 2, sources=["anna"], into="bert")
    run("import", sources=["anna"], into="bert")
    assert len(list((workspace / "bert").rglob("*.png"))) == 5
    assert run("import", sources=["anna"], into="bert")["added"] == 0


STORED = {"import": lambda url: {"sources": [url, "anna"], "into": "bert"}, "audit": lambda url: {"dataset": url, "resolution": 64}}


@pytest.mark.parametrize(("kind", "said"), [("import", ("added", 5)), ("audit", ("pictures", 5))])
def test_an_import_or_audit_takes_what_is_in_a_store(workspace, creatures, monkeypatch, kind, said):
    monkeypatch.setenv("LORASMITH_CACHE", str(workspace / "copies"))
    place = Place.at(f"memory://bucket/{workspace.name}/pile")
    send_tree(creatures, place)
    arguments = STORED[kind](place.url)
    checked(kind, arguments).check_can_begin(workspace)
    outcome = run(kind, **arguments)
    assert outcome[said[0]] == said[1]


def test_an_import_over_ray_where_ray_is_missing_is_refused(workspace, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda package: None)
    arguments = {"sources": ["anna"], "into": "bert", "ray": "auto"}
    with pytest.raises(InputError, match=r"Ray is missing. .*lorasmith\[scale\]") as refused:
        checked("import", arguments).check_can_begin(workspace)
    assert refused.value.values["setting"] == "ray"
    with pytest.raises(InputError, match="Ray is missing"):
        run("import", **arguments)
    assert not (workspace / "bert").exists()


def test_an_import_says_what_it_left_out_and_why(workspace):
    (workspace / "anna" / "note.png").write_text("This is no picture.")
    outcome = run("import", sources=["anna"], into="bert")
    assert (outcome["added"], outcome["left_out"]) == (5, 1)
    assert "note.png" in outcome["reasons"][0]


@pytest.mark.parametrize(("kind", "arguments"), [("import", {"sources": ["anna"], "into": "bert"}), ("audit", {"dataset": "bert"})])
def test_a_page_opens_none_of_the_pictures_that_were_imported_or_audited(workspace, monkeypatch, kind, arguments):
    shutil.copytree("anna", "bert")
    run(kind, **arguments)
    monkeypatch.setattr(picture_files, "look_at", None)
    shown = PictureFiles("cache/pictures").look([str(picture) for picture in pictures_below("bert")])
    assert len(shown) == 5
    assert all(file.size for file in shown)
    thumbnails = Thumbnails(Path(".lorasmith") / "thumbs")
    assert all(thumbnails.kept(file.content, 256) for file in shown)


def test_an_import_that_was_killed_makes_the_rest_of_the_thumbnails_when_it_goes_on(workspace):
    (workspace / "anna" / "damaged.png").write_bytes(pictures_below("anna")[0].read_bytes()[:300])
    with pytest.raises(Killed):
        run("import", 2, sources=["anna"], into="bert")
    run("import", sources=["anna"], into="bert")
    assert len(list((workspace / ".lorasmith" / "thumbs").rglob("*.webp"))) == 5


def test_audit_says_how_it_went(workspace):
    outcome = run("audit", dataset="anna", resolution=64)
    assert outcome["pictures"] == 5
    assert outcome["score"] <= 100
    found = next(iter(outcome["findings"]))
    assert found not in run("audit", dataset="anna", resolution=64, without=[found])["findings"]


def test_a_picture_is_not_mended_twice(workspace):
    before = {path.name: Image.open(path).convert("RGB") for path in (workspace / "anna").glob("*.png")}
    turn = {"dataset": "anna", "changes": [{"way": "rotate", "parameters": {"degrees": 90}}]}
    with pytest.raises(Killed):
        run("mend", 2, only=["[0-9].png"], **turn)
    run("mend", only=["[0-9].png"], **turn)
    turned = {path.name: Image.open(path).convert("RGB") for path in (workspace / "anna").glob("*.png")}
    assert {name: picture.tobytes() for name, picture in turned.items()} == {
        name: picture.transpose(Image.Transpose.ROTATE_270).tobytes() for name, picture in before.items()
    }


def test_a_mend_of_named_pictures_leaves_those_of_the_same_name_elsewhere(workspace):
    first = pictures_below("anna")[0]
    (workspace / "anna" / "more").mkdir()
    named, other = workspace / "anna" / "a[1].png", workspace / "anna" / "more" / "a[1].png"
    for copy in (named, other):
        shutil.copy(first, copy)
    assert run("mend", dataset="anna", changes=[{"way": "flip"}], pictures=["a[1].png"]) == {"mended": 1, "problems": 0}
    assert other.read_bytes() == first.read_bytes() != named.read_bytes()


def test_tags_are_written_once_the_tagger_has_seen_all(workspace):
    from lorasmith.demo.weights import TAGGER

    given = {
        "dataset": "anna",
        "tagger": str(TAGGER),
        "mode": "overwrite",
        "choice": {"prepend": ["zorvex"], "max_tags": 3},
        "batch_size": 2,
    }
    with pytest.raises(Killed):
        run("tag", 2, **given)
    outcome = run("tag", **given)
    assert (outcome["tagged"], outcome["tagged_before"]) == (3, 2)
    for entry in open_captions("anna"):
        assert entry.caption.tags[0] == "zorvex"
        assert len(entry.caption.tags) <= 4


def test_descriptions_come_from_a_server_and_one_that_is_known_is_not_asked_for_again(workspace):
    server = ChatServer()
    given = {"dataset": "anna", "endpoint": {"base_url": server.url, "model": "m"}, "place": "instead"}
    with pytest.raises(Killed):
        run("describe", 2, **given)
    outcome = run("describe", **given)
    assert len(server.requests) == 5
    assert outcome == {"described": 3, "described_before": 2, "changed": 5, "failures": 0}
    assert {entry.caption.text for entry in open_captions("anna")} == {"a red field"}


def test_latents_are_encoded_ahead_and_the_training_finds_them(workspace, settings_for):
    settings = settings_for().model_dump(mode="json")
    with pytest.raises(Killed):
        run("cache", 2, settings=settings)
    assert run("cache", settings=settings) == {"pictures": 5}


def test_pictures_that_were_generated_are_kept(workspace, toy_base):
    given = {"base": str(toy_base), "prompts": ["a", "b", "c", "d", "e"], "out": "drawn", "steps": 1}
    with pytest.raises(Killed):
        run("sample", 2, **given)
    first = workspace / "drawn/0000-seed1.png"
    when = first.stat().st_mtime_ns
    outcome = run("sample", **given)
    assert len(outcome["pictures"]) == len(list((workspace / "drawn").glob("*.png"))) == 5
    assert first.stat().st_mtime_ns == when


def test_a_job_that_is_asked_to_stop_between_two_pictures_stops(workspace, toy_base):
    work = Work(JobFolder(workspace / "job"))
    work.stop()
    with pytest.raises(StoppedEarly):
        KINDS["sample"].run(checked("sample", {"base": str(toy_base), "prompts": ["a"], "out": "drawn", "steps": 1}), work)


def test_a_grid_of_the_base_alone(workspace, toy_base):
    outcome = run("grid", base=str(toy_base), x="seed=1,2", prompt="a hat", steps=1, out="grids")
    assert (workspace / outcome["sheet"]).exists()
    assert (workspace / outcome["page"]).exists()


def test_a_file_that_is_there_is_not_replaced_but_by_the_job_that_made_it(workspace):
    file = write_lora(workspace / "lora.safetensors")
    given = {"file": str(file), "out": "small.safetensors", "rank": 1}
    assert run("resize", **given) == run("resize", **given) == {"file": "small.safetensors"}
    (workspace / "job/owned.txt").unlink()
    with pytest.raises(InputError, match=r"small\.safetensors"):
        run("resize", **given)


def test_merge_takes_each_file_at_its_strength(workspace):
    file = str(write_lora(workspace / "lora.safetensors"))
    run("merge", files=[{"file": file, "strength": 0.8}, {"file": file, "strength": 0.2}], out="both.safetensors")
    assert (workspace / "both.safetensors").exists()


def test_convert_writes_a_file_in_other_names_and_as_a_folder_of_peft(workspace):
    given = {"file": str(write_lora(workspace / "lora.safetensors")), "to": "diffusers", "out": "diffusers.safetensors"}
    outcome = run("convert", **given)
    assert outcome == run("convert", **given)
    assert (outcome["file"], outcome["worst_error"]) == ("diffusers.safetensors", 0.0)
    assert outcome["layers"] > 0
    with safe_open(workspace / "diffusers.safetensors", "np") as file:
        assert all(key.startswith(("unet.", "text_encoder.")) for key in file.keys())  # noqa: SIM118 - a file is not a dict
    (workspace / "job/owned.txt").unlink()
    with pytest.raises(InputError, match=r"diffusers\.safetensors"):
        run("convert", **given)
    given |= {"to": "peft", "out": "peft"}
    assert run("convert", **given) == run("convert", **given)
    assert (workspace / "peft" / "adapter_config.json").is_file()


def test_check_says_what_programs_do_with_a_file_and_compare_how_alike_two_are(workspace):
    file = str(write_lora(workspace / "lora.safetensors"))
    checked_file = run("check", file=file)
    assert checked_file["consumers"]["ComfyUI"]["verdict"] == "all"
    compared = run("compare", files=[file, file])
    assert compared["files"] == [file, file]
    assert compared["cosines"][0][1] == pytest.approx(1.0, abs=1e-6)


def test_install_puts_a_file_where_a_ui_finds_it_and_says_what_is_left_to_do(workspace):
    ui = workspace / "ComfyUI"
    (ui / "comfy").mkdir(parents=True)
    for name in ("main.py", "nodes.py"):
        (ui / name).touch()
    given = {"file": str(write_lora(workspace / "lora.safetensors")), "into": "ComfyUI"}
    outcome = run("install", **given)
    assert (outcome["ui"], outcome["way"]) == ("ComfyUI", "copy")
    assert (workspace / outcome["installed"]).is_file()
    assert outcome["refresh"]
    assert run("install", **given)["way"] is None  # it is there already


def test_what_is_wrong_with_a_published_lora_is_said(workspace):
    file = write_lora(workspace / "lora.safetensors")
    outcome = run("publish", source=str(file), out="to-upload")
    assert (workspace / outcome["out"] / "README.md").exists()
    assert any(isinstance(event, Said) for _, event in read_journal(workspace / "job/events.jsonl").events)


@pytest.mark.parametrize("arguments", [{}, {"files": ["a.safetensors"]}])
def test_a_proof_has_one_subject(arguments):
    with pytest.raises(InputError, match="prove"):
        checked("prove", arguments)
