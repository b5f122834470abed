"""Where audio is, decoded late: always mono float32 in [-1, 1] with its sampling rate."""

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Literal, Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from speechzoo.errors import ItemError

Samples = NDArray[np.float32]

MIN_SECONDS = 0.1
MAX_SECONDS = 600.0
MIN_RATE = 4_000
MAX_RATE = 192_000
MAX_CHANNELS = 16
MAX_DECODED_BYTES = 1_000_000_000
# Synthesizers and lossy codecs overshoot full scale a little; integers kept as floats exceed it greatly.
MAX_PEAK = 4.0
# The decoder answers 2**63 - 1 for a header without a length.
UNKNOWN_FRAMES = 2**62
FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")


@dataclass(frozen=True)
class Header:
    """What an audio header claims: sampling rate in Hz, channels, frames a channel."""

    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


@dataclass(frozen=True, eq=False)
class AudioClip:
    """A piece of audio that is read when somebody listens.

    Make one with `from_file`, `from_bytes` or `from_samples`. Every reader raises `ItemError` with
    the reasons ``missing_file``, ``not_audio``, ``truncated_audio``, ``bad_rate``, ``too_short``
    (under 0.1 s), ``too_long`` (over 600 s, judged by the header before anything is decoded),
    ``non_finite`` or ``out_of_range`` (far beyond [-1, 1]).

    Attributes:
        data: the file's path, or the encoded bytes.
        transcript: what is said, if the data set tells.
        language: in which language (ISO 639-1, such as ``zh``), if the data set tells.
    """

    data: Path | bytes
    transcript: str | None = None
    language: str | None = None

    @classmethod
    def from_file(cls, path: str | Path, transcript: str | None = None, language: str | None = None) -> Self:
        return cls(Path(path), transcript, language)

    @classmethod
    def from_bytes(cls, data: bytes, transcript: str | None = None, language: str | None = None) -> Self:
        """A clip from an encoded file in memory (WAV, FLAC, OGG, MP3)."""
        return cls(data, transcript, language)

    @classmethod
    def from_samples(
        cls, samples: Samples, rate: int, transcript: str | None = None, language: str | None = None
    ) -> Self:
        """A clip from mono samples, shape [n], at ``rate`` Hz; kept as 16-bit FLAC.

        Samples beyond [-1, 1] are clipped, as synthesizers overshoot now and then.

        Raises:
            ItemError: the samples are no finite floats of shape [n], or the rate is out of bounds.
        """
        if samples.ndim != 1 or samples.dtype.kind != "f":
            raise ItemError(
                "not_audio", f"samples are mono floats of shape [n], not {samples.dtype} {samples.shape}"
            )
        _check_rate(rate, "the samples")
        if not np.isfinite(samples).all():
            raise ItemError("non_finite", "the samples hold NaN or infinite values")
        buffer = io.BytesIO()
        soundfile.write(buffer, np.clip(samples, -1.0, 1.0), rate, format="FLAC", subtype="PCM_16")
        return cls(buffer.getvalue(), transcript, language)

    @property
    def name(self) -> str:
        """How messages call the clip."""
        return str(self.data) if isinstance(self.data, Path) else f"clip of {len(self.data)} bytes"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the encoded content, in hex."""
        return hashlib.sha256(self.encoded()).hexdigest()

    def encoded(self) -> bytes:
        """The file as it is."""
        if isinstance(self.data, bytes):
            return self.data
        with self._open() as file:
            return file.read()

    @cached_property
    def header(self) -> Header:
        """What the header claims, checked against the limits above and the file's length."""
        with self._open() as file:
            return _checked_header(file, self.name)

    @property
    def seconds(self) -> float:
        return self.header.seconds

    def samples(self, rate: int | None = None) -> Samples:
        """Mono float32 samples, shape [n], resampled once to ``rate`` Hz if it is given."""
        header = self.header
        with self._open() as file:
            try:
                decoded, _ = soundfile.read(file, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise ItemError(
                    "truncated_audio",
                    f"{self.name} cannot be decoded to its end, it is cut or damaged: {error.error_string}",
                ) from error
        if len(decoded) < header.frames:
            raise ItemError(
                "truncated_audio", f"{self.name}: {len(decoded)} of {header.frames} frames could be decoded"
            )
        if not np.isfinite(decoded).all():
            raise ItemError("non_finite", f"{self.name} holds NaN or infinite samples")
        if (peak := np.abs(decoded).max()) > MAX_PEAK:
            raise ItemError("out_of_range", f"{self.name}: samples reach {peak:.0f}, full scale is 1")
        mono: Samples = decoded.mean(axis=1, dtype=np.float32)
        if rate is not None and rate != header.rate:
            mono = soxr.resample(mono, header.rate, rate)
        return np.clip(mono, -1.0, 1.0)

    def _open(self) -> BinaryIO:
        if isinstance(self.data, bytes):
            return io.BytesIO(self.data)
        try:
            return _Nameless(io.FileIO(self.data))
        except OSError as error:
            raise ItemError("missing_file", f"{self.data}: {error.strerror}") from error
        except ValueError as error:  # a null byte in the name
            raise ItemError("missing_file", f"{str(self.data)!r}: {error}") from error


class _Nameless(io.BufferedReader):
    """soundfile believes the ending of a file's name (.raw) more than the content."""

    name = ""


def _checked_header(file: BinaryIO, name: str) -> Header:
    start = file.read(256)
    size = file.seek(0, io.SEEK_END)
    # Before the decoder: of some files that were cut it says that they are no audio.
    if reason := _cut(file, start, size):
        raise ItemError("truncated_audio", f"{name}: {reason}")
    file.seek(0)
    try:
        info = soundfile.info(file)
    except soundfile.LibsndfileError as error:
        raise ItemError("not_audio", f"{name} {_looks_like(start, error.error_string)}") from error
    # Of other formats nobody here can tell whether the file was cut.
    if info.format not in FORMATS:
        raise ItemError("not_audio", f"{name} is {info.format}; WAV, FLAC, OGG and MP3 can be read")
    header = Header(info.samplerate, info.channels, info.frames)
    _check_rate(header.rate, name)
    if header.channels > MAX_CHANNELS:
        raise ItemError("not_audio", f"{name}: {header.channels} channels")
    _check_length(header, name)
    return header


def _check_rate(rate: int, name: str) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ItemError("bad_rate", f"{name}: {rate} Hz is not within {MIN_RATE} to {MAX_RATE} Hz")


def _check_length(header: Header, name: str) -> None:
    if header.frames > UNKNOWN_FRAMES:
        raise ItemError("truncated_audio", f"{name}: the header gives no length, as of a recording cut off")
    if header.seconds > MAX_SECONDS:
        raise ItemError("too_long", f"{name}: {header.seconds:.0f} s, the limit is {MAX_SECONDS:.0f} s")
    if header.seconds < MIN_SECONDS:
        raise ItemError("too_short", f"{name}: {header.seconds:.3f} s, at least {MIN_SECONDS} s are needed")
    if (decoded := 4 * header.frames * header.channels) > MAX_DECODED_BYTES:
        raise ItemError("too_long", f"{name}: {header.channels} channels would take {decoded / 1e9:.1f} GB")


def _looks_like(start: bytes, error: str) -> str:
    if not start:
        return "is empty"
    if start.lstrip()[:1] == b"<":
        return "looks like an HTML or XML page, not audio"
    if start.startswith(b"version https://git-lfs"):
        return "is a git-lfs pointer: the audio itself was not downloaded (git lfs pull)"
    return f"is no audio file that can be read: {error}"


def _cut(file: BinaryIO, start: bytes, size: int) -> str | None:
    """Why the file is shorter than its header says; decoders return what is there without a word."""
    if start[:4] in (b"RIFF", b"RIFX", b"RF64") and start[8:12] == b"WAVE":
        return _wav_cut(file, "big" if start[:4] == b"RIFX" else "little", size)
    if start[:4] == b"OggS":
        # A page has 65,307 bytes at most (RFC 3533, section 6).
        file.seek(max(0, size - 65_536))
        return _ogg_cut(file.read())
    return None


def _wav_cut(file: BinaryIO, order: Literal["big", "little"], size: int) -> str | None:
    position = 12
    length_of_rf64 = 0
    while position + 8 <= size:
        file.seek(position)
        chunk, length = file.read(4), int.from_bytes(file.read(4), order)
        if chunk == b"ds64":
            file.seek(8, io.SEEK_CUR)
            length_of_rf64 = int.from_bytes(file.read(8), order)
        if chunk == b"data":
            length = length_of_rf64 or length
            there = size - position - 8
            return f"the header says {length} bytes of samples, {there} are there" if length > there else None
        position += 8 + length + length % 2
    return "it has no samples"


def _ogg_cut(tail: bytes) -> str | None:
    """The last page must be whole and marked as the last; RFC 3533, section 6, has the offsets."""
    page = tail[tail.rfind(b"OggS") :]
    segments = page[26] if len(page) > 26 else 0
    if segments == 0 or len(page) < 27 + segments + sum(page[27 : 27 + segments]):
        return "the last page is cut"
    return None if page[5] & 0x04 else "the last page does not end the stream"


def silence(seconds: float, rate: int = 16_000) -> AudioClip:
    """A clip of digital silence."""
    return AudioClip.from_samples(np.zeros(round(seconds * rate), np.float32), rate)


def to_flac(clip: AudioClip, rate: int) -> bytes:
    """The clip as 16-bit FLAC at ``rate`` Hz: what a model heard, and every browser plays."""
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples(rate), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
