"""From log-likelihoods to losses: units, denominators, precision."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from speechzoo import Condition, ContinuationScore, Failure, ScoreAnswer

from speechzoo_s2sbench.losses import LossRule, Normalisation, to_bfloat16

S2T, T2T = Condition.S2T, Condition.T2T


def answer(*scores: ContinuationScore, **more: object) -> ScoreAnswer:
    return ScoreAnswer(scores, **more)


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [("token", 4.0), ("sum", 12.0), ("character", 6.0), ("byte", 3.0), ("unconditional", 2.0)],
)
def test_losses_are_by_the_unit_chosen(normalisation: Normalisation, expected: float) -> None:
    """Otherwise long endings would be at a disadvantage that the option promises to take away."""
    two_characters_of_four_bytes = "a天"
    given = answer(ContinuationScore(-12.0, 3), prior=(ContinuationScore(-10.0, 3),))
    assert LossRule().losses(given, [two_characters_of_four_bytes], normalisation, T2T) == [expected]


def test_without_a_prior_nothing_is_unconditional() -> None:
    """Otherwise a plain sum would pass for one that the answer's own likelihood is taken off."""
    found = LossRule().losses(answer(ContinuationScore(-1.0, 1)), ["a"], "unconditional", T2T)
    assert isinstance(found, Failure) and found.reason == "no_prior"


def test_the_reference_mask_counts_the_contexts_audio() -> None:
    """Otherwise figures that were divided by audio tokens too could not be made again."""
    rule = LossRule(denominator="reference_mask")
    given = answer(ContinuationScore(-12.0, 3, audio_tokens=9), ContinuationScore(-12.0, 1, audio_tokens=2))
    assert rule.losses(given, ["a", "b"], "token", S2T) == [1.0, 4.0]
    assert rule.losses(given, ["a", "b"], "token", T2T) == [4.0, 12.0]
    assert LossRule().losses(given, ["a", "b"], "token", S2T) == [4.0, 12.0]


def test_audio_tokens_that_nobody_tells_are_not_guessed() -> None:
    """Otherwise the mask would silently be the default."""
    rule = LossRule(denominator="reference_mask")
    untold = answer(ContinuationScore(-12.0, 3))
    found = rule.losses(untold, ["a"], "token", S2T)
    assert isinstance(found, Failure) and found.reason == "no_audio_tokens"
    assert rule.losses(untold, ["a"], "token", T2T) == [4.0]
    assert rule.losses(untold, ["a"], "sum", S2T) == [12.0]


def test_bfloat16_rounds_the_sum_before_it_is_divided() -> None:
    """Otherwise ties of the reference's precision would not come about, or others would."""
    rule = LossRule(dtype="bfloat16")
    close = answer(ContinuationScore(-33.05, 10), ContinuationScore(-32.95, 10))
    assert rule.losses(close, ["a", "b"], "token", T2T) == [3.3, 3.3]
    # Rounded after the division, 3.305 and 3.295 would be 3.3125 and 3.296875.
    assert LossRule().losses(close, ["a", "b"], "token", T2T) == [pytest.approx(3.305), pytest.approx(3.295)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (32.125, 32.0),
        (32.375, 32.5),
        (32.13, 32.25),
        (64.25, 64.0),
        (64.75, 65.0),
        (255.5, 256.0),
        (0.0, 0.0),
    ],
)
def test_bfloat16_has_eight_significant_bits(value: float, expected: float) -> None:
    """Otherwise the steps, 0.25 between 32 and 64 and 0.5 up to 128, would be others."""
    assert (to_bfloat16(value), to_bfloat16(-value)) == (expected, -expected)


@given(st.floats(min_value=-1e6, max_value=1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-30))
def test_bfloat16_is_float32_cut_to_its_upper_half(value: float) -> None:
    """Otherwise rounding would differ from what hardware does: to nearest, ties to even, on the bits."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    assert to_bfloat16(value) == struct.unpack("<f", struct.pack("<I", rounded))[0]


@pytest.mark.parametrize("normalisation", ["sum", "character", "byte", "unconditional"])
def test_imported_means_are_losses_a_token_only(normalisation: Normalisation) -> None:
    """Otherwise a mean would be reported as a sum."""
    imported = answer(ContinuationScore(-2.5, 1), means=True)
    assert LossRule().losses(imported, ["abc"], "token", S2T) == [2.5]
    found = LossRule().losses(imported, ["abc"], normalisation, S2T)
    assert isinstance(found, Failure) and found.reason == "no_sums"


def test_imported_means_cannot_be_rounded_or_masked() -> None:
    """Otherwise an option would be named in the report that changed nothing."""
    imported = answer(ContinuationScore(-2.5, 1, audio_tokens=4), means=True)
    rounded = LossRule(dtype="bfloat16").losses(imported, ["abc"], "token", S2T)
    masked = LossRule(denominator="reference_mask").losses(imported, ["abc"], "token", S2T)
    assert isinstance(rounded, Failure) and rounded.reason == "no_sums"
    assert isinstance(masked, Failure) and masked.reason == "no_audio_tokens"
