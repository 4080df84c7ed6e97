"""Which settings would do nothing, and why: said by the rules themselves."""

import pytest

from lorasmith.training.settings.idle import idle_settings
from lorasmith.training.settings.tree import settings_from


def settings(**sections):
    return settings_from({"base": {"path": "base"}, "datasets": [{"path": "set"}], "training": {"epochs": 1}, **sections})


@pytest.mark.parametrize(
    ("sections", "idle", "busy"),
    [
        ({}, "network.factor", "network.rank"),
        ({"network": {"kind": "lokr"}}, "network.block_size", "network.factor"),
        ({}, "loss.huber_c", "loss.min_snr_gamma"),
        ({"loss": {"loss_type": "huber"}}, "loss.scale_v_pred_loss_like_noise_pred", "loss.huber_c"),
        ({}, "noise.adaptive_noise_scale", "noise.noise_offset"),
        ({"noise": {"noise_offset": 0.05}}, "noise.multires_noise_discount", "noise.adaptive_noise_scale"),
    ],
)
def test_a_setting_that_nothing_asks_for_is_idle_and_says_what_it_waits_for(sections, idle, busy):
    found = idle_settings(settings(**sections), "epsilon")
    assert idle in found
    assert busy not in found
    assert idle in found[idle]


def test_what_is_for_other_bases_is_idle_where_the_base_is_known():
    assert "flow.logit_mean" in idle_settings(settings(), "epsilon")
    assert "flow.logit_mean" not in idle_settings(settings(), "flow")
    assert "flow.logit_mean" not in idle_settings(settings())


def test_the_settings_themselves_stay_as_they_are():
    given = settings()
    before = given.model_dump()
    idle_settings(given, "epsilon")
    assert given.model_dump() == before
