"""Prior preservation without pictures: what the trigger does not call stays as the base draws it."""

import pytest
import torch

from lorasmith.adapters.attach import attach_network
from lorasmith.adapters.selection import select_network
from lorasmith.models.open import open_base
from lorasmith.training.learner.learner import objective_of
from lorasmith.training.objective.batch_loss import PreparedBatch, batch_loss, noising_for
from lorasmith.training.objective.class_caption import class_caption
from lorasmith.training.objective.preservation import class_captions, preservation_loss, without
from lorasmith.training.settings.tree import settings_from

# -- captions of the kind -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caption", "class_word", "expected"),
    [
        ("zorvex, cat, happy", None, "cat, happy"),
        ("zorvex, happy", "cat", "cat, happy"),
        ("zorvex, cat, happy", "cat", "cat, happy"),
        ("happy, Zorvex", "a cat", "happy, a cat"),
        ("zorvex sits on a wall", "a cat", "a cat sits on a wall"),
        ("zorvex beside another cat", "cat", "cat beside another cat"),
        ("a photo of zorvex on a wall", None, "a photo of on a wall"),
        ("(zorvex:1.2), happy", "cat", "(cat:1.2), happy"),
        ("(zorvex:1.2), happy", None, "happy"),
        ("zorvex", None, ""),
        ("zorvexian, happy", "cat", "zorvexian, happy"),
        ("cat, happy", "dog", "cat, happy"),
        ("", "cat", ""),
    ],
)
def test_a_caption_of_the_kind_has_the_class_in_the_triggers_place(caption, class_word, expected):
    assert class_caption(caption, "zorvex", class_word) == expected


def test_a_trigger_with_signs_in_it_is_found_as_it_is_written():
    assert class_caption("mr. x (old), happy", "mr. x (old)", r"man\1") == r"man\1, happy"
    assert class_caption("mrs x (old), happy", "mr. x (old)", "man") == "mrs x (old), happy"


# -- training -------------------------------------------------------------------------------------------------------------

CAPTIONS = ("zorvex, cat, red", "zorvex, cat, happy")


@pytest.fixture(scope="module")
def base(toy_base):
    return open_base(toy_base, torch.float32)


@pytest.fixture(scope="module")
def batch():
    """Two pictures that are the same and far from what the base expects, so that there is something to learn at once."""
    picture = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return PreparedBatch((1 + picture / 2).repeat(2, 1, 1, 1), CAPTIONS, ("a.png", "b.png"))


def settings(**loss):
    return settings_from({
        "base": {"path": "toy"}, "datasets": [{"path": "pictures"}], "training": {"epochs": 1}, "captions": {"trigger": "zorvex"},
        "network": {"rank": 4}, "loss": {"min_snr_gamma": 0, **loss},
    })  # fmt: skip


class Trainee:
    """A network on the U-Net (and the text encoder) of the toy."""

    def __init__(self, base, batch, settings, parts=("unet",)):
        self.base, self.batch, self.settings = base, batch, settings
        chosen = select_network(base.family, {part: base.parts[part] for part in parts}, settings.network)
        self.adapters = {part: attach_network(base.parts[part], of.targets, of.settings, seed=1) for part, of in chosen.items()}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for adapter in self.adapters.values():
            adapter.detach()

    @property
    def parameters(self):
        return [p for adapter in self.adapters.values() for p in adapter.parameters()]

    def read(self, captions):
        return self.base.encode_texts(captions, self.settings.base.text_options)

    def picture_loss(self, step):
        objective = objective_of(self.settings)
        noising = noising_for(self.base, self.batch.latents, objective, step)
        return batch_loss(self.base, self.batch, self.read(self.batch.captions), noising, objective)

    def preservation(self, step, batch=None, settings=None):
        batch, objective = batch or self.batch, objective_of(settings or self.settings)
        captions = class_captions(batch.captions, objective)
        with without(self.adapters), torch.no_grad():
            own = self.read(captions)
        noising = noising_for(self.base, batch.latents, objective, step)
        return preservation_loss(self.base, self.adapters, batch, self.read(captions), noising, objective, own)

    def train(self, steps, rate):
        optimizer = torch.optim.Adam(self.parameters, lr=rate)
        for step in range(steps):
            optimizer.zero_grad()
            loss = self.picture_loss(step).mean
            if self.settings.loss.prior_preservation:
                loss = loss + self.preservation(step).mean
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def measured(self):
        """(how wrong it is on its pictures, how far it drifted on captions of the kind), at noise that it was not trained with."""
        whole = settings(prior_preservation=1.0)
        of_pictures = sum(self.picture_loss(step).mean.item() for step in range(1000, 1006)) / 6
        drift = sum(self.preservation(step, settings=whole).mean.item() for step in range(1000, 1006)) / 6
        return of_pictures, drift


def test_a_large_weight_keeps_the_kind_as_it_was_while_the_pictures_are_learned(base, batch):
    found = {}
    for weight in (0.0, 5.0):
        with Trainee(base, batch, settings(prior_preservation=weight)) as trainee:
            before = trainee.measured()
            trainee.train(steps=16, rate=2e-2)
            found[weight] = trainee.measured()
    assert before[1] == 0, "nothing has drifted before the training"
    assert found[5.0][1] < 0.2 * found[0.0][1], "the kind stays"
    for weight in (0.0, 5.0):
        assert found[weight][0] < 0.95 * before[0], "the pictures are learned with it and without"


@pytest.mark.parametrize("parts", [("unet",), ("unet", "text_encoder")], ids=["U-Net", "U-Net and text encoder"])
@pytest.mark.parametrize("loss_type", ["l2", "l1", "huber"])
def test_before_the_first_step_there_is_nothing_to_hold_back(base, batch, parts, loss_type):
    with Trainee(base, batch, settings(prior_preservation=10.0, loss_type=loss_type), parts) as trainee:
        loss = trainee.preservation(0)
        loss.mean.backward()
        assert loss.mean.item() == 0
        assert all(p.grad is None or not p.grad.any() for p in trainee.parameters)
        trainee.picture_loss(0).mean.backward()
        assert any(p.grad is not None and p.grad.any() for p in trainee.parameters), "but there is something to learn"


def moved(trainee):
    """The trainee with weights that are not at their start."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in trainee.parameters:
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return trainee


def test_a_text_encoder_that_trains_is_held_too(base, batch):
    with Trainee(base, batch, settings(prior_preservation=1.0), ("text_encoder",)) as trainee:
        moved(trainee)
        loss = trainee.preservation(0)
        loss.mean.backward()
        assert loss.mean > 0
        assert all(p.grad.any() for p in trainee.parameters)
        objective = objective_of(trainee.settings)
        captions, noising = class_captions(batch.captions, objective), noising_for(base, batch.latents, objective, 0)
        same = preservation_loss(base, trainee.adapters, batch, trainee.read(captions), noising, objective)
        assert same.mean == 0, "without the base's own text states there would be no difference"


def test_captions_without_the_trigger_are_left_out(base, batch):
    dropped = PreparedBatch(batch.latents, ("", CAPTIONS[1]), batch.names)
    reg = PreparedBatch(batch.latents, ("", "cat, happy"), batch.names)
    with Trainee(base, batch, settings(prior_preservation=1.0)) as trainee:
        moved(trainee)
        whole, one, none = (trainee.preservation(0, asked) for asked in (batch, dropped, reg))
    assert (whole.per_sample > 0).all()
    assert one.per_sample[0] == 0
    assert one.per_sample[1].item() == pytest.approx(whole.per_sample[1].item(), rel=1e-5)
    assert one.mean.item() == pytest.approx(whole.per_sample[1].item() / 2, rel=1e-5)
    assert none.mean == 0
    assert none.per_sample.tolist() == [0, 0]


def test_what_counts_half_is_held_half_as_much_and_a_weight_twice_as_large_twice(base, batch):
    half = PreparedBatch(batch.latents, batch.captions, batch.names, weights=torch.tensor([0.5, 1.0]))
    with Trainee(base, batch, settings(prior_preservation=1.0)) as trainee:
        moved(trainee)
        whole, halved = trainee.preservation(0), trainee.preservation(0, half)
        twice = trainee.preservation(0, settings=settings(prior_preservation=2.0))
    assert (whole.per_sample > 0).all()
    torch.testing.assert_close(halved.per_sample, whole.per_sample * torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(twice.per_sample, 2 * whole.per_sample)
    assert whole.timesteps.tolist() == trainee.picture_loss(0).timesteps.tolist(), "at the timesteps of the pictures"
