"""The checks of models: an adapter that keeps every promise, and broken ones, each caught by name."""

from collections.abc import Sequence

import pytest
import torch

from speechzoo.testing import MODEL_CHECKS, Check, Finding, ModelUnderTest, examine
from tests.testing import broken
from tests.testing.adapters import CAPABILITIES, TinyAdapter

CAUGHT = {
    broken.AudioDropped: "audio is heard",
    broken.AudioDetected: "audio is heard",
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


def found(adapter: type[TinyAdapter], checks: Sequence[Check] = MODEL_CHECKS) -> list[Finding]:
    torch.set_num_threads(1)
    return list(examine(ModelUnderTest(adapter, CAPABILITIES), checks))


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
