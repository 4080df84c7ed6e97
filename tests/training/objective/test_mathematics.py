"""Schedules and weights agree with the numbers of the peers; noise does not depend on the batch."""

import pytest
import torch

from lorasmith.models.diffusion import Ddpm, add_noise, epsilon, v_prediction
from lorasmith.training.objective.noise import draw_noise
from lorasmith.training.objective.timesteps import draw_timesteps


def test_noise_does_not_depend_on_the_batch_it_is_drawn_in():
    process_group = draw_noise((4, 4, 8, 8), seed=1, step=7, first_sample=0)
    apart = torch.cat([draw_noise((1, 4, 8, 8), seed=1, step=7, first_sample=k) for k in range(4)])
    assert torch.equal(process_group, apart)
    assert not torch.equal(process_group, draw_noise((4, 4, 8, 8), seed=1, step=8, first_sample=0))
    assert draw_timesteps(4, 1000, 1, 7, 0).tolist() == [draw_timesteps(1, 1000, 1, 7, k).item() for k in range(4)]


def test_timesteps_cover_the_whole_schedule():
    drawn = torch.cat([draw_timesteps(100, 1000, 3, step, 0) for step in range(40)])
    assert drawn.min() < 10
    assert drawn.max() > 989
    assert abs(drawn.float().mean() - 499.5) < 20


@pytest.mark.parametrize("t", [0, 500, 999])
def test_epsilon_and_v_describe_the_same_picture(t):
    alphas = torch.linspace(0.999, 0.005, 1000)
    x, noise, steps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([t, t])
    levels = Ddpm("epsilon", alphas, {}).levels(steps)
    noisy = add_noise(x, noise, levels)
    v = v_prediction(x, noise, levels)
    a = alphas[t]
    torch.testing.assert_close(a.sqrt() * noisy - (1 - a).sqrt() * v, x, atol=1e-5, rtol=1e-4)
    assert torch.equal(epsilon(x, noise, levels), noise)
