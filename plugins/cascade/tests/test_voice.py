"""One Piper voice as several speakers."""

from pathlib import Path

import numpy as np
import pytest

from speechzoo import SetupError, SpeechzooError, loading
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.loading import Component

TEXT = "The quick brown fox jumps over the lazy dog, and nobody in the village minds."
VARIANTS = ("piper-joe-high", "piper-joe-low", "piper-joe-slow", "piper-joe-fast")


def clip(component: Component):
    [made] = loading.load(component).speak([TEXT])
    return made


def fundamental(made) -> float:
    """Median of the voiced frames' pitch in Hz, by autocorrelation within 60 to 300 Hz."""
    rate = 16_000
    samples = made.samples(rate)
    found = []
    for start in range(0, len(samples) - 640, 320):
        frame = samples[start : start + 640] - samples[start : start + 640].mean()
        correlation = np.correlate(frame, frame, "full")[639:]
        if correlation[0] < 0.5:
            continue
        lag = 53 + int(np.argmax(correlation[53:267]))
        if correlation[lag] > 0.5 * correlation[0]:
            found.append(rate / lag)
    return float(np.median(found))


@pytest.mark.stack
def test_another_speaker_speaks_as_long_at_another_pitch(catalogue: Catalogue) -> None:
    """Otherwise: the effect of a voice on a score is that of its speed, or there is only one voice."""
    plain, high, low = (clip(catalogue.service(name)) for name in ("piper-joe", *VARIANTS[:2]))
    assert fundamental(high) / fundamental(plain) == pytest.approx(1.12, abs=0.06)
    assert fundamental(low) / fundamental(plain) == pytest.approx(0.9, abs=0.06)
    assert high.header.rate == low.header.rate == plain.header.rate
    for other in (high, low):
        assert other.seconds == pytest.approx(plain.seconds, rel=0.12)


@pytest.mark.stack
def test_speed_leaves_the_pitch(catalogue: Catalogue) -> None:
    """Otherwise: speaking slowly for a recogniser makes another speaker of the voice."""
    plain, slow, fast = (clip(catalogue.service(name)) for name in ("piper-joe", *VARIANTS[2:]))
    assert slow.seconds / plain.seconds == pytest.approx(1 / 0.8, rel=0.12)
    assert fast.seconds / plain.seconds == pytest.approx(1 / 1.3, rel=0.12)
    assert fundamental(slow) / fundamental(plain) == pytest.approx(1.0, abs=0.06)


@pytest.mark.stack
def test_equal_text_gives_equal_samples(catalogue: Catalogue) -> None:
    """Otherwise: a data set that is made again is another, and its results cannot be compared."""
    high = catalogue.service("piper-joe-high")
    assert clip(high).digest == clip(high).digest


@pytest.mark.stack
def test_a_voice_with_parameters_changes_by_them(catalogue: Catalogue) -> None:
    """Otherwise: what is asked for with --set is spoken as usual, without a word."""
    assert (
        clip(catalogue.service("piper-joe", {"pitch": 1.12})).digest
        == clip(catalogue.service("piper-joe-high")).digest
    )


@pytest.mark.stack
def test_a_part_that_is_no_piper_voice_is_refused(catalogue: Catalogue) -> None:
    """Otherwise: it is an AttributeError in the middle of the work."""
    with pytest.raises(SpeechzooError, match="voice=whisper-tiny is a transcriber, it has to be a voice"):
        catalogue.service("piper-joe-high", {"voice": "whisper-tiny"})


@pytest.mark.stack
@pytest.mark.parametrize("parameter", ["speed", "pitch"])
def test_a_factor_of_nothing_is_refused(catalogue: Catalogue, parameter: str) -> None:
    """Otherwise: every text fails with a division by zero."""
    with pytest.raises(SetupError, match="factors above 0"):
        loading.load(catalogue.service("piper-joe", {parameter: 0.0}))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_no_files_of_its_own(name: str, tmp_path: Path) -> None:
    """Otherwise: 59 MB are fetched again for each speaker, and take the disk again."""
    variant = open_catalogue().service(name)
    assert variant.entry is not None and not variant.entry.sources
    assert [part.name for part in variant.whole()] == [name, "piper-joe"]
    usual = open_catalogue().service("piper-joe")
    assert dict(variant.parameters) != dict(usual.parameters)
    assert variant.identity() != usual.identity()
