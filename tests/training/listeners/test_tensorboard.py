"""TensorBoard's own reader finds in a run's folder what the run reported."""

import pytest
from PIL import Image

from lorasmith.training import run
from lorasmith.training.commands import Commands
from lorasmith.training.events import Finished, Resumed, SampleReady, StateSaved, StepDone, Stopped, ValidationDone, Warned
from lorasmith.training.listeners.curves import EveryNth, numbers_of
from lorasmith.training.listeners.registry import plotting_listeners
from lorasmith.training.listeners.tensorboard import TensorBoard
from lorasmith.training.settings.sections import LoggingSettings

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard, the reader, is not installed"
)


def read(folder):
    found = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def curve(folder, name):
    return [(point.step, round(point.value, 6)) for point in read(folder).Scalars(name)]


def a_step(number, loss=0.5):
    return StepDone(number, 1, loss, {"unet": 1e-3}, 0.1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "settings.toml").write_text('name = "toy"\n', encoding="utf-8")
    return tmp_path


def test_a_whole_run_is_found_by_tensorboard_as_in_its_events(settings_for, tmp_path):
    reported = []
    settings = settings_for(samples={"prompts": ["{trigger}, happy"], "steps": 1}, logging={"tensorboard": False})
    run.train(settings, tmp_path / "run", [reported.append, TensorBoard(tmp_path / "run")])
    found = read(tmp_path / "run" / "tensorboard")
    steps = [event for event in reported if isinstance(event, StepDone)]
    for name in numbers_of(steps[0]):
        points = [(event.step, pytest.approx(number, rel=1e-6)) for event in steps if (number := numbers_of(event).get(name)) is not None]
        assert [(point.step, point.value) for point in found.Scalars(name)] == points
    assert {"loss/step", "loss/smoothed", "lr/unet", "norm/gradient", "norm/weights", "speed/images_per_second"} <= set(
        found.Tags()["scalars"]
    )
    assert len(found.Scalars("loss/epoch")) == 2
    (tag,) = found.Tags()["images"]
    assert tag == "samples/1_zorvex__happy"
    assert [picture.step for picture in found.Images(tag)] == [0, 3, 6]
    (text,) = found.Tensors("settings/text_summary")
    assert b"learning_rate = 0.001" in text.tensor_proto.string_val[0]


def test_steps_that_a_kill_discarded_are_not_plotted_twice(folder):
    first = TensorBoard(folder)
    for n in range(1, 6):
        first(a_step(n, loss=n / 10))
    first(StateSaved(3))  # no Stopped: the process was killed here
    second = TensorBoard(folder)
    second(Resumed(3))
    for n in range(4, 8):
        second(a_step(n, loss=n / 100))
    second(Finished(7, 1.0, "a.safetensors"))
    assert curve(folder / "tensorboard", "loss/step") == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.04), (5, 0.05), (6, 0.06), (7, 0.07)]


def test_a_record_that_a_kill_tore_spoils_nothing_that_follows(folder):
    first = TensorBoard(folder)
    for n in (1, 2, 3):
        first(a_step(n))
    first(Stopped(3, "killed"))
    (file,) = (folder / "tensorboard").iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    second = TensorBoard(folder)
    second(Resumed(2))
    second(a_step(3))
    second(Finished(3, 1.0, "a.safetensors"))
    assert curve(folder / "tensorboard", "loss/step") == [(1, 0.5), (2, 0.5), (3, 0.5)]


def test_a_run_that_begins_again_after_a_kill_shows_its_first_samples_once(folder):
    Image.new("RGB", (8, 8), "red").save(folder / "a.png")
    for listener in (TensorBoard(folder), TensorBoard(folder)):
        if (folder / "tensorboard").exists():
            listener(Resumed(0))
        listener(SampleReady("a.png", "zorvex", 1, 0, 0))
        listener(Stopped(0, "killed"))
    assert len(read(folder / "tensorboard").Images("samples/1_zorvex")) == 1


def test_a_stopped_run_goes_on_in_the_same_curve(settings_for, tmp_path):
    commands = Commands()

    def stop(event):
        if isinstance(event, StepDone) and event.step == 4:
            commands.stop()

    settings = settings_for(logging={"tensorboard": False})
    run.train(settings, tmp_path / "run", [stop, TensorBoard(tmp_path / "run")], commands)
    run.resume(tmp_path / "run", [TensorBoard(tmp_path / "run")])
    assert [step for step, _ in curve(tmp_path / "run" / "tensorboard", "loss/step")] == [1, 2, 3, 4, 5, 6]


def test_a_validation_is_plotted_with_its_interval(folder):
    listener = TensorBoard(folder)
    listener(ValidationDone(2, 10, 0.4, 0.3, -0.01, 0.004, -0.05, 0.01, 0.04, 0.02, {"a": 0.4}, {"b": 0.3}))
    listener(Finished(10, 1.0, "a.safetensors"))
    assert curve(folder / "tensorboard", "validation/val_loss") == [(10, 0.4)]
    assert curve(folder / "tensorboard", "validation/gap_low") == [(10, 0.02)]
    assert curve(folder / "tensorboard", "validation/gap_high") == [(10, 0.06)]


def test_a_run_that_is_refused_before_its_first_number_leaves_no_file(folder):
    listener = TensorBoard(folder)
    listener(Warned("nothing yet"))
    listener(Stopped(0, "refused"))
    assert not (folder / "tensorboard").exists()


def test_the_learning_rate_that_is_plotted_is_the_one_that_prodigy_uses():
    numbers = numbers_of(StepDone(1, 1, 0.5, {"unet": 0.5}, 0.1, d={"unet": 2e-4}))
    assert (numbers["lr/unet"], numbers["d/unet"]) == (1e-4, 2e-4)


def test_of_many_steps_the_first_and_every_nth_are_plotted():
    passed = []
    listener = EveryNth(passed.append, 10)
    for n in range(3, 25):
        listener(a_step(n))
    listener(Finished(24, 1.0, "a.safetensors"))
    assert [event.step for event in passed] == [3, 10, 20, 24]


def test_nothing_is_written_where_tensorboard_is_off(tmp_path):
    assert plotting_listeners(LoggingSettings(tensorboard=False), tmp_path, "toy", {}) == []
    assert len(plotting_listeners(LoggingSettings(tensorboard=True), tmp_path, "toy", {})) == 1
