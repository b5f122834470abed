"""What befalls speech between the mouth and the ear: a room, noise, a line.

The same clip through channels that differ in one respect differs in that respect only: noise and room are
drawn from the seed and the clip's content, so a sweep over signal-to-noise ratios adds the same noise,
louder and louder.
"""

import hashlib
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import butter, lfilter, oaconvolve, sosfiltfilt

from speechzoo.audio import AudioClip
from speechzoo.errors import ItemError, SpeechzooError

Signal = NDArray[np.float64]

NONE = "none"
CLEAN = "clean"
LARGEST_SNR = 100.0
LONGEST_REVERB = 10.0
# The band of wideband speech, so that a ratio means the same in clips of 16 kHz and more. Below, the band
# ends at half the rate with all the power in it: at 8 kHz that is 3 dB more in every hertz of white noise.
NOISE_BAND = (50.0, 8_000.0)
FULL_SCALE = 0.999
# In dB, between the level of active speech and the threshold above which speech is active (ITU-T P.56).
MARGIN = 15.9


@dataclass(frozen=True)
class Channel:
    """A way for speech to get worse. ``Channel()`` changes nothing.

    Attributes:
        snr: level of active speech over that of the noise, in dB; None adds no noise.
        noise: ``white`` (the same power in every hertz) or ``pink`` (in every octave), of 50 Hz to 8 kHz.
        reverb: reverberation time RT60 in seconds: what a room takes to fall silent by 60 dB; 0 is no room.
        codec: ``telephone`` (G.711 at 8 kHz), ``gsm`` (GSM 06.10 full rate), ``opus`` (at its least bit
            rate), or "" for none.

    Raises:
        SpeechzooError: a value is out of bounds or unknown.
    """

    snr: float | None = None
    noise: str = "white"
    reverb: float = 0.0
    codec: str = ""

    def __post_init__(self) -> None:
        if self.snr is not None and not abs(self.snr) <= LARGEST_SNR:
            raise SpeechzooError(f"snr={self.snr:g}: it is within -{LARGEST_SNR:g} and {LARGEST_SNR:g} dB")
        if not 0 <= self.reverb <= LONGEST_REVERB:
            raise SpeechzooError(f"reverb={self.reverb:g}: it is within 0 and {LONGEST_REVERB:g} seconds")
        for name, value, known in (("noise", self.noise, NOISES), ("codec", self.codec, ("", *CODECS))):
            if value not in known:
                raise SpeechzooError(f"{name}={value}: there is {', '.join(filter(None, known))}")
        if self.snr is None and self.noise != Channel.noise:
            raise SpeechzooError(f"noise={self.noise} needs to know how loud: name an snr as well")

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """A channel from texts such as ``{"snr": "10", "codec": "gsm"}``; ``none`` is what is left out.

        No noise is ``snr=none``; ``noise=none`` is refused, as it would leave noise of the usual kind.

        Raises:
            SpeechzooError: a name or a value is none of a channel.
        """
        known = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in known]:
            raise SpeechzooError(f"a channel has no {unknown[0]!r}; it has {', '.join(known)}")
        stripped = {name: text.strip() for name, text in values.items()}
        if stripped.get("noise") == NONE:
            raise SpeechzooError(f"noise={NONE}: there is {', '.join(NOISES)}; no noise is snr={NONE}")
        given = {name: text for name, text in stripped.items() if text != NONE}
        numbers = {name: _number(name, given.pop(name)) for name in ("snr", "reverb") if name in given}
        return cls(**numbers, **given)  # type: ignore[arg-type]

    @property
    def values(self) -> dict[str, str]:
        """What it does, as `read` takes it: ``{"snr": "10", "noise": "white"}``."""
        told = {"snr": f"{self.snr:g}", "noise": self.noise} if self.snr is not None else {}
        told |= {"reverb": f"{self.reverb:g}"} if self.reverb else {}
        return told | ({"codec": self.codec} if self.codec else {})

    def __str__(self) -> str:
        """``snr=10,noise=white``; "" for one that changes nothing."""
        return name_of(self.values) if self.values else ""


def name_of(levels: Mapping[str, str]) -> str:
    """What a way to be heard is called: ``snr=10,noise=white``; ``clean`` for clips as the data set has them.

    Args:
        levels: of every factor that is not as the data set has it.
    """
    return ",".join(f"{factor}={level}" for factor, level in levels.items()) or CLEAN


def through(clip: AudioClip, channel: Channel, seed: int) -> AudioClip:
    """The clip as it is heard at the other end: room, then noise, then codec.

    It keeps its rate, its length and what is known of its words, and has 24 bits a sample: noise 40 dB under
    a quiet voice is less than a step of 16. A line at 8 kHz takes the upper band
    away, but what comes out of it is sampled as before: the receiver is the same in every cell. What would
    exceed full scale is turned down as a whole, speech and noise alike.

    Args:
        clip: as it was recorded.
        channel: what befalls it.
        seed: of room and noise, together with the clip's content.

    Raises:
        ItemError: the clip cannot be read, or is silent where noise has to be held against its level
            (``silent``).
    """
    if not channel.values:
        return clip
    rate, signal = clip.header.rate, clip.samples().astype(np.float64)
    if channel.reverb:
        response = room(channel.reverb, rate, _drawn(seed, "room", clip))
        signal = oaconvolve(signal, response)[: len(signal)]
    if channel.snr is not None:
        level = speech_level(signal, rate)
        if not level:
            raise ItemError("silent", f"{clip.name} is silent: noise has no level to be held against")
        noise = NOISES[channel.noise](len(signal), rate, _drawn(seed, channel.noise, clip))
        signal = signal + noise * level / 10 ** (channel.snr / 20)
    signal = _within_full_scale(signal)
    if channel.codec:
        signal = _within_full_scale(CODECS[channel.codec](signal, rate))
    heard = _coded_bytes(signal, rate, format="FLAC", subtype="PCM_24")
    return AudioClip.from_bytes(heard, clip.transcript, clip.language)


def speech_level(signal: Signal, rate: int) -> float:
    """Root mean square of a signal while somebody speaks; 0 for silence.

    ITU-T P.56 (2011), method B: pauses do not count, so that a clip with long silence around its words
    gets as much noise as one without. The envelope is of two exponential averages over 30 ms, speech goes
    on for 200 ms after it, and counts as active where the envelope is above a threshold 15.9 dB below the
    level that results. A constant offset, as of a cheap sound card, is no sound and is taken out before.

    Args:
        signal: shape [n].
        rate: in Hz.
    """
    # Of a constant signal the mean leaves what rounding does.
    if not np.ptp(signal):
        return 0.0
    signal = signal - signal.mean()
    peak = float(np.abs(signal).max())
    decay = math.exp(-1 / (0.03 * rate))
    envelope = np.abs(signal) / peak
    for _ in range(2):
        envelope = lfilter([1 - decay], [1, -decay], envelope)
    hangover = math.ceil(0.2 * rate)
    # Of each sample and the hangover before it.
    reached = maximum_filter1d(envelope, hangover + 1, mode="constant", origin=hangover // 2)
    thresholds = 2.0 ** np.arange(-15, 1)
    active = np.array([np.count_nonzero(reached >= threshold) for threshold in thresholds])
    thresholds, active = thresholds[active > 0], active[active > 0]
    levels = 10 * np.log10(np.square(signal / peak).sum() / active)
    margins = levels - 20 * np.log10(thresholds)
    # The first threshold above the one that is looked for; a click may have none.
    place = int(np.argmax(margins <= MARGIN)) if margins.min() <= MARGIN else len(margins) - 1
    ends = [place, max(place - 1, 0)]
    return float(peak * 10 ** (np.interp(MARGIN, margins[ends], levels[ends]) / 20))


def room(rt60: float, rate: int, generator: np.random.Generator) -> Signal:
    """An impulse response, shape [n]: the direct sound, and as much energy again in a decaying tail.

    The tail is Gaussian noise under exp(-3 ln(10) t / RT60) (Polack 1988, La transmission de l'energie
    sonore dans les salles; see Badeau 2019, doi:10.1121/1.5096153). Equal energies put the speaker at the
    room's critical distance. The direct sound comes without delay; all energy together is 1.

    Args:
        rt60: in seconds.
        rate: in Hz.
        generator: of the tail.
    """
    times = np.arange(1, max(2, round(rt60 * rate))) / rate
    tail = generator.standard_normal(len(times)) * np.exp(-3 * math.log(10) * times / rt60)
    return np.concatenate([[1.0], tail / np.sqrt(np.square(tail).sum())]) / math.sqrt(2)


def _noise(length: int, rate: int, generator: np.random.Generator, exponent: float) -> Signal:
    """Gaussian noise of root mean square 1, shape [length]: its power falls as 1 / f^exponent in its band."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    frequencies = np.fft.rfftfreq(length, 1 / rate)
    low, high = NOISE_BAND
    inside = (frequencies >= low) & (frequencies <= high)
    spectrum[~inside] = 0
    spectrum[inside] *= frequencies[inside] ** (-exponent / 2)
    noise = np.fft.irfft(spectrum, length)
    scaled: Signal = noise / np.sqrt(np.square(noise).mean())
    return scaled


def _white(length: int, rate: int, generator: np.random.Generator) -> Signal:
    return _noise(length, rate, generator, 0.0)


def _pink(length: int, rate: int, generator: np.random.Generator) -> Signal:
    return _noise(length, rate, generator, 1.0)


def _telephone(signal: Signal, rate: int) -> Signal:
    """300 to 3400 Hz and mu-law at 8 kHz (ITU-T G.711): a call over a fixed line."""
    narrow = _resampled(signal, rate, 8_000)
    band = butter(8, (300, 3400), "bandpass", fs=8_000, output="sos")
    filtered = _within_full_scale(sosfiltfilt(band, narrow, padlen=min(len(narrow) - 1, 800)))
    return _back(_coded(filtered, 8_000, format="WAV", subtype="ULAW"), 8_000, signal, rate)


def _gsm(signal: Signal, rate: int) -> Signal:
    """GSM 06.10 full rate, 13 kbit/s at 8 kHz: a call over a mobile phone (2G)."""
    narrow = _within_full_scale(_resampled(signal, rate, 8_000))
    return _back(_coded(narrow, 8_000, format="WAV", subtype="GSM610"), 8_000, signal, rate)


def _opus(signal: Signal, rate: int) -> Signal:
    """Opus (RFC 6716) at the least bit rate it takes, 6 to 10 kbit/s at 16 kHz: a poor connection."""
    wide = _within_full_scale(_resampled(signal, rate, 16_000))
    coded = _coded(wide, 16_000, format="OGG", subtype="OPUS", compression_level=1.0)
    return _back(coded, 16_000, signal, rate)


NOISES: dict[str, Callable[[int, int, np.random.Generator], Signal]] = {"white": _white, "pink": _pink}
CODECS: dict[str, Callable[[Signal, int], Signal]] = {"telephone": _telephone, "gsm": _gsm, "opus": _opus}


def _coded(signal: Signal, rate: int, **options: str | float) -> Signal:
    coded = io.BytesIO(_coded_bytes(signal, rate, **options))
    decoded: Signal = soundfile.read(coded, dtype="float64")[0]
    return decoded


def _coded_bytes(signal: Signal, rate: int, **options: str | float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, signal, rate, **options)
    return buffer.getvalue()


def _back(decoded: Signal, own_rate: int, signal: Signal, rate: int) -> Signal:
    """At the clip's rate and length again: codecs fill their last frame up."""
    wanted = _resampled(decoded, own_rate, rate)[: len(signal)]
    return np.pad(wanted, (0, len(signal) - len(wanted)))


def _resampled(signal: Signal, rate: int, wanted: int) -> Signal:
    resampled: Signal = soxr.resample(signal, rate, wanted) if rate != wanted else signal
    return resampled


def _within_full_scale(signal: Signal) -> Signal:
    peak = float(np.abs(signal).max(initial=0.0))
    return signal * (FULL_SCALE / peak) if peak > FULL_SCALE else signal


def _drawn(seed: int, what: str, clip: AudioClip) -> np.random.Generator:
    drawn = hashlib.sha256(f"{seed}:{what}:{clip.digest}".encode()).digest()
    return np.random.default_rng(int.from_bytes(drawn))


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SpeechzooError(f"{name}={text} is no number; say {name}={'10' if name == 'snr' else '0.5'}")
    return number
