"""A trigger that the text encoder cannot read whole is named before training."""

from lorasmith.training.planning.check import check


def test_a_trigger_longer_than_the_encoder_reads_is_named(settings_for):
    long = " ".join(f"word{n}" for n in range(60))
    (finding,) = (one for one in check(settings_for(captions={"trigger": long})).of_settings if one.code == "captions.trigger_too_long")
    assert "word59" in finding.message
    assert finding.evidence.number > 75
    assert finding.subjects == ("captions.trigger",)


def test_a_trigger_that_is_read_whole_is_not(settings_for):
    for trigger in ("zorvex", "z" * 40):
        assert not any(one.code == "captions.trigger_too_long" for one in check(settings_for(captions={"trigger": trigger})).of_settings)
