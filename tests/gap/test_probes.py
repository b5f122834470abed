"""Does it hear, and what does it reach without hearing?"""

import pytest

from speechzoo.asks import Failure, ReplyAnswer
from speechzoo.gap import degradation
from speechzoo.gap.findings import Added
from speechzoo.run.records import Key
from speechzoo.specs import Condition
from speechzoo.task import Grade
from tests.report.factory import (
    SS,
    C,
    S,
    T,
    item,
    names,
    put,
    results,
    run_file,
    scored,
    some,
    valued,
)


def test_a_model_that_does_not_hear_is_named() -> None:
    deaf = scored(S, some(8, 4))
    report = degradation(
        results(
            map(item, names(8)),
            scored(T, some(8, 8)),
            deaf,
            scored(S, some(8, 4), "swapped"),
            scored(S, some(8, 4), "silence"),
        )
    )
    assert report.hearing is not None
    assert report.hearing.heard is False
    assert report.hearing.verdict.startswith(
        "the audio does not change the answers: 0 of 8 changed when it was"
    )
    assert report.warnings[0].startswith("The audio hardly changes the answers")
    assert report.hearing.probes[0].mean_change == 0


def test_a_model_that_hears_is_not_accused() -> None:
    moved = dict.fromkeys(names(4), 0.5)
    report = degradation(
        results(
            map(item, names(8)), scored(T, some(8, 8)), scored(S, some(8, 8)), scored(S, moved, "swapped")
        )
    )
    assert report.hearing is not None
    assert report.hearing.heard is True
    assert (
        report.hearing.verdict == "the audio changes the answers: 4 of 4 changed when it was another item's"
    )
    probe = report.hearing.probes[0]
    assert (probe.items, probe.changed) == (4, 4)
    assert probe.mean_change == pytest.approx(0.25)
    assert probe.mean_margin_change == pytest.approx(0.5)
    assert probe.altered is not None
    assert probe.altered.low is not None, "even few items have an interval"


def test_replies_are_probed_by_their_text() -> None:
    probed = {}
    for place, name in enumerate(names(4)):
        key = Key(role="model", item=name, condition=Condition.S2T, variant="swapped")
        text = f"reply to {name}" if place else "something else"
        probed.update([put(key, ReplyAnswer(text), Grade({"accuracy": 0.0}))])
    report = degradation(results(map(item, names(4)), valued(S, dict.fromkeys(names(4), 1.0)), probed))
    assert report.hearing is not None
    assert report.hearing.heard is False
    assert report.hearing.probes[0].changed == 1
    assert report.hearing.probes[0].mean_change is None


@pytest.mark.parametrize("part", [False, True])
def test_sampled_replies_do_not_tell_whether_the_audio_changes_them(part: bool) -> None:
    """Otherwise: a deaf model that draws its replies at random is said to hear."""
    probed = {}
    for name in names(4):
        key = Key(role="model", item=name, condition=Condition.S2T, variant="swapped")
        probed.update([put(key, ReplyAnswer("something else"), Grade({"accuracy": 0.0}))])
    drawn = {"parameters": {"temperature": 0.7}}
    run = run_file()
    identity = {**run.systems["model"].identity, **({"parts": {"llm": drawn}} if part else drawn)}
    system = run.systems["model"].model_copy(update={"identity": identity})
    run = run.model_copy(update={"systems": {**run.systems, "model": system}})
    items = [item(name) for name in names(4)]
    replied = degradation(results(items, valued(S, dict.fromkeys(names(4), 1.0)), probed, run=run))
    assert replied.hearing is not None
    assert replied.hearing.heard is None
    assert "replies are drawn at random (temperature 0.7)" in replied.hearing.verdict
    assert replied.warnings == ()
    likelihoods = scored(S, some(4, 4)) | scored(S, some(4, 0), "swapped")
    weighed = degradation(results(items, likelihoods, run=run))
    assert weighed.hearing is not None
    assert weighed.hearing.heard is True, "likelihoods are not drawn"


def test_the_prior_is_held_against_chance() -> None:
    above = degradation(
        results(
            map(item, names(60)),
            scored(T, some(60, 60)),
            scored(T, some(60, 50) | {"i059": "too_long"}, "prior"),
        )
    )
    assert above.prior is not None
    assert (above.prior.items, above.prior.invalid, above.prior.ties) == (59, {"too_long": 1}, 0)
    assert "give something away" in above.prior.verdict
    level = degradation(
        results(map(item, names(60)), scored(T, some(60, 60)), scored(T, some(60, 31), "prior"))
    )
    assert level.prior is not None
    assert "no sign" in level.prior.verdict


def test_what_is_heard_is_held_against_hearing_nothing() -> None:
    """Otherwise: a model whose answers change with the audio, and are no better for it, seems to hear."""

    def added(heard: int) -> Added:
        run = results(
            map(item, names(60)),
            scored(T, some(60, 55)),
            scored(S, some(60, heard) | {"i059": "crashed"}),
            scored(T, some(60, 30), "prior"),
        )
        told = degradation(run).prior
        assert told is not None and told.added is not None and told.added.items == 59
        return told.added

    of_use, of_none, harmful = added(45), added(33), added(15)
    assert (of_use.better, of_use.worse, of_use.clear) == (15, 0, True)
    assert of_use.gain.value == pytest.approx(15 / 59)
    assert of_use.verdict.startswith("what is heard adds 25.4 points, 95 % interval 15.")
    assert of_use.verdict.endswith(", exact p < 0.001")
    assert of_none.verdict.startswith(
        "no use of what is heard is shown: above the value without it by 5.1 points"
    )
    assert (of_none.clear, of_none.p) == (False, 0.25)
    assert harmful.verdict.startswith("what is heard takes away 25.4 points")


def test_a_prior_without_speech_says_nothing_of_hearing() -> None:
    run = results(map(item, names(9)), scored(T, some(9, 9)), scored(T, some(9, 5), "prior"))
    told = degradation(run).prior
    assert told is not None and told.added is None


def test_a_failed_answer_is_no_probe() -> None:
    key = Key(role="model", item="i000", condition=Condition.S2T, variant="swapped")
    failed = Failure("crashed")
    report = degradation(
        results(
            [item("i000")],
            scored(S, {"i000": 1.0}),
            dict([put(key, failed, failed)]),
            scored(SS, {"i000": 1.0}),
            scored(C, {"i000": 1.0}),
        )
    )
    assert report.hearing is not None
    assert report.hearing.heard is None
