"""Sounds and manners of speaking, computed: mono float32 in [-1, 1] at 16 kHz, shape [n]."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]

RATE = 16_000


def whispered(speech: Samples, draws: np.random.Generator) -> Samples:
    """The speech without voice: noise under the smoothed spectrum of each 32 ms, which keeps the words."""
    noise = draws.standard_normal(len(speech))
    _, _, spectra = signal.stft(speech, RATE, nperseg=512)
    _, _, noises = signal.stft(noise, RATE, nperseg=512)
    # Over 9 bins of 31 Hz harmonics vanish and formants stay; whispering has little below 300 Hz.
    envelope = signal.convolve(np.abs(spectra), np.ones((9, 1)) / 9, mode="same")
    envelope[:10] *= 0.1
    _, whisper = signal.istft(noises * envelope, RATE, nperseg=512)
    return _levelled(whisper[: len(speech)], 0.3)


def rain(length: int, draws: np.random.Generator) -> Samples:
    """A hiss, and drops that hit something near."""
    hiss = _filtered(draws.standard_normal(length), (400, 6_000))
    drops = np.zeros(length)
    places = draws.integers(0, length, length // 400)
    drops[places] = draws.exponential(1.0, len(places))
    ringing = np.exp(-np.arange(200) / 30) * np.sin(2 * np.pi * 1_800 * np.arange(200) / RATE)
    return _levelled(hiss + 2 * signal.fftconvolve(drops, ringing)[:length])


def alarm(length: int, _: np.random.Generator) -> Samples:
    """Three beeps of 0.3 s a round, a pause of 0.8 s after them."""
    times = np.arange(length) / RATE
    place = times % 2.0
    on = (place < 1.2) & (place % 0.4 < 0.3)
    edges = signal.windows.hann(161)
    shape = signal.convolve(on.astype(float), edges / edges.sum(), mode="same")
    return _levelled(shape * (np.sin(2 * np.pi * 3_100 * times) + 0.3 * np.sin(2 * np.pi * 3_150 * times)))


def knocks(length: int, draws: np.random.Generator) -> Samples:
    """Three knocks on wood, 0.28 s apart, from the beginning."""
    one = np.arange(round(0.12 * RATE)) / RATE
    wood = np.exp(-one * 45) * (np.sin(2 * np.pi * 140 * one) + 0.6 * np.sin(2 * np.pi * 310 * one))
    click = np.exp(-one * 400) * draws.standard_normal(len(one)) * 0.5
    sound = np.zeros(max(length, RATE))
    for number in range(3):
        start = round(0.28 * RATE * number)
        sound[start : start + len(one)] += wood + click
    return _levelled(sound[:length])


def mixed(speech: Samples, other: Samples, start: int) -> Samples:
    """Both at once, the other from a sample on; as long as it takes."""
    both = np.zeros(max(len(speech), start + len(other)), np.float32)
    both[: len(speech)] += speech
    both[start : start + len(other)] += other
    return both


def _filtered(noise: NDArray[np.float64], band: tuple[int, int]) -> NDArray[np.float64]:
    filtered: NDArray[np.float64] = signal.sosfilt(
        signal.butter(2, band, "bandpass", fs=RATE, output="sos"), noise
    )
    return filtered


def _levelled(sound: NDArray[np.float64], peak: float = 1.0) -> Samples:
    return (sound * (peak / np.abs(sound).max())).astype(np.float32)
