"""Where audio is, decoded late: always mono float32 in [-1, 1] with its sampling rate."""

import hashlib
import io
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

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
    (under 0.1 s), ``too_long`` (over 600 s, judged by the header before anything is decoded) or
    ``non_finite``.

    Attributes:
        data: the file's path, or the encoded bytes.
        transcript: what is said, if the data set tells.
    """

    data: Path | bytes
    transcript: str | None = None

    @classmethod
    def from_file(cls, path: str | Path, transcript: str | None = None) -> Self:
        return cls(Path(path), transcript)

    @classmethod
    def from_bytes(cls, data: bytes, transcript: str | None = None) -> Self:
        """A clip from an encoded file in memory (WAV, FLAC, OGG, MP3)."""
        return cls(data, transcript)

    @classmethod
    def from_samples(cls, samples: Samples, rate: int, transcript: str | None = None) -> Self:
        """A clip from mono samples, shape [n], at ``rate`` Hz; kept as 16-bit FLAC.

        Samples beyond [-1, 1] are clipped, as synthesizers overshoot now and then.
        """
        if not np.isfinite(samples).all():
            raise ItemError("non_finite", "the samples hold NaN or infinite values")
        buffer = io.BytesIO()
        soundfile.write(buffer, np.clip(samples, -1.0, 1.0), rate, format="FLAC", subtype="PCM_16")
        return cls(buffer.getvalue(), transcript)

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
        try:
            return self.data.read_bytes()
        except OSError as error:
            raise ItemError("missing_file", f"{self.data}: {error.strerror}") from error

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
                raise ItemError("not_audio", f"{self.name}: {error.error_string}") from error
        if len(decoded) < header.frames:
            raise ItemError(
                "truncated_audio", f"{self.name}: {len(decoded)} of {header.frames} frames could be decoded"
            )
        if not np.isfinite(decoded).all():
            raise ItemError("non_finite", f"{self.name} holds NaN or infinite samples")
        mono: Samples = decoded.mean(axis=1, dtype=np.float32)
        if rate is None or rate == header.rate:
            return mono
        resampled: Samples = soxr.resample(mono, header.rate, rate)
        return resampled

    def _open(self) -> BinaryIO:
        if isinstance(self.data, bytes):
            return io.BytesIO(self.data)
        try:
            return self.data.open("rb")
        except OSError as error:
            raise ItemError("missing_file", f"{self.data}: {error.strerror}") from error


def _checked_header(file: BinaryIO, name: str) -> Header:
    start = file.read(256)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        info = soundfile.info(file)
    except soundfile.LibsndfileError as error:
        raise ItemError("not_audio", f"{name} {_looks_like(start, error.error_string)}") from error
    header = Header(info.samplerate, info.channels, info.frames)
    if not MIN_RATE <= header.rate <= MAX_RATE:
        raise ItemError("bad_rate", f"{name}: {header.rate} Hz is not within {MIN_RATE} to {MAX_RATE} Hz")
    if header.channels > MAX_CHANNELS:
        raise ItemError("not_audio", f"{name}: {header.channels} channels")
    file.seek(0)
    if reason := _cut(file, start, size):
        raise ItemError("truncated_audio", f"{name}: {reason}")
    if header.seconds > MAX_SECONDS:
        raise ItemError("too_long", f"{name}: {header.seconds:.0f} s, the limit is {MAX_SECONDS:.0f} s")
    if header.seconds < MIN_SECONDS:
        raise ItemError("too_short", f"{name}: {header.seconds:.3f} s, at least {MIN_SECONDS} s are needed")
    return header


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
    if start[:4] == b"RIFF":
        return _wav_cut(file, size)
    if start[:4] == b"OggS":
        file.seek(max(0, size - 65_536))
        tail = file.read()
        last_page = tail.rfind(b"OggS")
        # Bit 2 of a page's header type marks the end of the stream (RFC 3533, section 6).
        if last_page < 0 or not tail[last_page + 5] & 0x04:
            return "the last page does not end the stream"
    return None


def _wav_cut(file: BinaryIO, size: int) -> str | None:
    position = 12
    while position + 8 <= size:
        file.seek(position)
        chunk, length = struct.unpack("<4sI", file.read(8))
        if chunk == b"data":
            there = size - position - 8
            return f"the header says {length} bytes of samples, {there} are there" if length > there else None
        position += 8 + length + length % 2
    return "it has no samples"


def silence(seconds: float, rate: int = 16_000) -> AudioClip:
    """A clip of digital silence."""
    return AudioClip.from_samples(np.zeros(round(seconds * rate), np.float32), rate)


def to_opus(clip: AudioClip) -> bytes:
    """The clip as 16 kHz OGG/Opus: about 4 kB a second, plays in every browser."""
    if clip.encoded()[:4] == b"OggS":
        return clip.encoded()
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(clip.samples(16_000), -1, 1), 16_000, format="OGG", subtype="OPUS")
    return buffer.getvalue()
