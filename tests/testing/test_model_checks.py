"""The checks of models: an adapter that keeps every promise, and broken ones, each caught by name."""

from collections.abc import Sequence

import pytest
import torch

from speechzoo import Capability
from speechzoo.testing import MODEL_CHECKS, Check, Finding, ModelUnderTest, examine
from tests.testing import broken
from tests.testing.adapters import CAPABILITIES, TinyAdapter

TALKS = frozenset({Capability.AUDIO_IN, Capability.TEXT_OUT, Capability.SPEECH_OUT})
"""Of a model that has no scores: only its replies tell what it heard."""
CAUGHT = {
    broken.AudioDropped: "audio is heard",
    broken.AudioDetected: "audio is heard",
    broken.LengthHeard: "audio is heard",
    broken.LogitsTooLate: "logits are not shifted",
    broken.LogitsTooEarly: "logits are not shifted",
    broken.FirstTokenDropped: "every token is scored once",
    broken.NotNormalised: "probabilities sum to at most one",
    broken.Means: "log likelihoods are sums",
    broken.Bits: "a plain loop agrees",
    broken.StateKept: "no state between calls",
    broken.MaskKept: "no state between calls",
    broken.PaddingSideWrong: "a batch equals its singles",
    broken.BatchReversed: "order is kept",
    broken.ContinuationsSorted: "order is kept",
    broken.SeedIgnored: "same seed same answers",
    broken.NanForTheBatch: "a bad ask fails alone",
    broken.BadClipSkipped: "short and broken clips are refused",
    broken.CutAtTheWindow: "clips are heard to their end",
    broken.RateIgnored: "the encoding of a clip does not matter",
    broken.ShortClipLost: "short and broken clips are refused",
    broken.ContextCut: "a context counts from its beginning",
    broken.HistoryDropped: "the history counts",
    broken.CannotSpeak: "declared capabilities are true",
    broken.SpokenEndingsAlike: "spoken continuations are told apart",
    broken.RateOfSpeechVaries: "spoken replies are sound",
    broken.ChunkLost: "streamed chunks make the whole",
    broken.NotFreed: "close frees memory",
}


CAUGHT_TALKING = {
    broken.AudioDropped: "audio is heard",
    broken.AudioDetected: "audio is heard",
    broken.LengthHeard: "audio is heard",
    broken.RepliesReversed: "order is kept",
    broken.SeedIgnored: "same seed same answers",
}


def found(
    adapter: type[TinyAdapter],
    checks: Sequence[Check] = MODEL_CHECKS,
    capabilities: frozenset[Capability] = CAPABILITIES,
) -> list[Finding]:
    torch.set_num_threads(1)
    return list(examine(ModelUnderTest(adapter, capabilities), checks))


def test_a_good_adapter_passes() -> None:
    """Otherwise authors learn to ignore the kit."""
    assert [one for one in found(TinyAdapter) if one.outcome != "passed"] == []


@pytest.mark.parametrize(
    ("adapter", "check"), CAUGHT.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_adapter_is_caught_by_name(adapter: type[TinyAdapter], check: str) -> None:
    """Otherwise wrong numbers are published, or the author looks for the fault in the wrong place."""
    # Looking through all objects of the process for tensors takes a second each time.
    quick = {one.name for one in MODEL_CHECKS} - {"close frees memory"}
    checks = [one for one in MODEL_CHECKS if one.name in (check, *quick)]
    failed = {one.check: one.why for one in found(adapter, checks) if one.outcome == "failed"}
    assert list(failed) == [check], failed
    assert failed[check].count(" ") > 8, "one sentence about the cause"


def test_a_good_one_without_scores_passes() -> None:
    """Otherwise models that only talk cannot be checked, or their weights are searched until they pass."""
    outcomes = {one.check: one for one in found(TinyAdapter, capabilities=TALKS)}
    assert [one for one in outcomes.values() if one.outcome == "failed"] == []
    assert outcomes["audio is heard"].outcome == "passed"


@pytest.mark.parametrize(
    ("adapter", "check"), CAUGHT_TALKING.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_one_without_scores_is_caught_by_name(adapter: type[TinyAdapter], check: str) -> None:
    """Otherwise a deaf model passes, as there are no scores in which it would show."""
    checks = [one for one in MODEL_CHECKS if one.name != "close frees memory"]
    failed = {one.check: one.why for one in found(adapter, checks, TALKS) if one.outcome == "failed"}
    assert list(failed) == [check], failed


READS_TOO = TALKS | {Capability.TEXT_IN}


@pytest.mark.parametrize(
    ("adapter", "outcome", "why"),
    [
        (TinyAdapter, "passed", ""),
        (broken.AudioDropped, "failed", "audio dropped"),
        (broken.LengthHeard, "failed", "audio dropped"),
        (broken.OneReply, "not applicable", "the same to all clips, and to all texts as well"),
    ],
)
def test_who_says_one_thing_to_all_may_have_heard(adapter: type[TinyAdapter], outcome: str, why: str) -> None:
    """Otherwise weights that answer nothing are taken for a deaf adapter, or a deaf adapter for them."""
    [hearing] = [one for one in MODEL_CHECKS if one.name == "audio is heard"]
    [finding] = found(adapter, [hearing], READS_TOO)
    assert finding.outcome == outcome
    assert why in finding.why


def test_draws_by_the_clips_hash_do_not_count_as_hearing() -> None:
    """Otherwise a deaf model that draws passes: its replies to other clips differ by chance alone."""
    [hearing] = [one for one in MODEL_CHECKS if one.name == "audio is heard"]
    [finding] = found(broken.LengthHeardAndDrawn, [hearing], TALKS)
    assert finding.outcome == "not applicable"
    assert "drawn by the clip's hash" in finding.why
