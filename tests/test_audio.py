"""Clips are decoded as they are or refused with a reason; nothing in between."""

import io
import pickle
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from speechzoo.audio import AudioClip, silence, to_flac
from speechzoo.errors import ItemError

RATE = 16_000


def tone(seconds: float = 2.0, rate: int = RATE) -> NDArray[np.float32]:
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def encoded(
    samples: NDArray[np.float32] | None = None,
    kind: str = "WAV",
    subtype: str | None = None,
    rate: int = RATE,
    endian: str | None = None,
) -> bytes:
    buffer = io.BytesIO()
    samples = tone() if samples is None else samples
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype, endian=endian)
    return buffer.getvalue()


def patched(data: bytes, offset: int, value: int, size: int = 4) -> bytes:
    return data[:offset] + value.to_bytes(size, "little") + data[offset + size :]


def flac_claiming(frames: int, data: bytes | None = None) -> bytes:
    """The 36 bits of STREAMINFO that tell the number of frames, changed."""
    data = data or encoded(kind="FLAC")
    field = int.from_bytes(data[18:26], "big") >> 36 << 36 | frames
    return data[:18] + field.to_bytes(8, "big") + data[26:]


def wav_of_chunks(*chunks: tuple[bytes, bytes], form: bytes = b"RIFF") -> bytes:
    """A WAV put together by hand: 16-bit mono, chunks padded to even lengths."""
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in chunks
    )
    return form + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


FMT = (b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
PCM = (tone() * 32767).astype("<i2").tobytes()


def refused(clip: AudioClip) -> ItemError:
    with pytest.raises(ItemError) as caught:
        clip.samples()
    return caught.value


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        pytest.param("truncated_audio", patched(encoded(), 40, 2**32 - 1), id="claims 4 GiB"),
        pytest.param("truncated_audio", patched(patched(encoded(), 4, 2**32 - 1), 40, 2**32 - 1), id="piped"),
        pytest.param("truncated_audio", encoded()[:30], id="cut in its header"),
        pytest.param("truncated_audio", flac_claiming(0), id="FLAC without a length"),
        pytest.param("truncated_audio", flac_claiming(1_600_000), id="FLAC claims 100 s"),
        pytest.param("too_long", flac_claiming(2**36 - 1), id="FLAC claims 2^36-1 samples"),
        pytest.param("too_short", encoded(tone()[:0]), id="0 samples"),
        pytest.param("too_short", patched(patched(encoded(), 4, 0), 40, 0), id="0 samples claimed"),
        pytest.param("too_short", encoded(tone(0.01)), id="10 ms"),
        pytest.param("bad_rate", patched(encoded(), 24, 2**31 - 1), id="2^31-1 Hz"),
        pytest.param("bad_rate", encoded(rate=3_999), id="3999 Hz"),
        pytest.param("not_audio", patched(encoded(), 24, 0), id="0 Hz"),
        pytest.param("not_audio", patched(encoded(), 22, 0, size=2), id="0 channels"),
        pytest.param("not_audio", patched(encoded(), 22, 65_535, size=2), id="65535 channels"),
        pytest.param("not_audio", encoded(np.zeros((RATE, 17), np.float32)), id="17 channels"),
        pytest.param("not_audio", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(500), id="an image in RIFF"),
        pytest.param("not_audio", encoded(kind="AIFF"), id="a format whose cuts nobody sees"),
        pytest.param("out_of_range", encoded(tone() * 32_767, subtype="FLOAT"), id="integers as floats"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(reason: str, data: bytes) -> None:
    """Otherwise a broken file would be scored as if it were speech."""
    assert refused(AudioClip.from_bytes(data)).reason == reason


KINDS = {
    "WAV": ("WAV", "PCM_16"),
    "RIFX": ("WAV", "PCM_16"),
    "RF64": ("RF64", "PCM_16"),
    "FLAC": ("FLAC", None),
    "Opus": ("OGG", "OPUS"),
    "Vorbis": ("OGG", "VORBIS"),
    "MP3": ("MP3", None),
}


def encoded_as(kind: str) -> bytes:
    container, subtype = KINDS[kind]
    return encoded(kind=container, subtype=subtype, endian="BIG" if kind == "RIFX" else None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0.25, 0.5, 0.9])
def test_a_cut_file_is_never_scored(kind: str, left: float) -> None:
    """Otherwise an interrupted download would cost a model points."""
    data = encoded_as(kind)
    error = refused(AudioClip.from_bytes(data[: int(left * len(data))]))
    # The first frames of an MP3 alone are too little for the decoder to know it by.
    assert error.reason == "truncated_audio" or (kind, left, error.reason) == ("MP3", 0.25, "not_audio")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "MP3"])
@pytest.mark.parametrize("missing", [1, 10])
def test_a_few_lost_bytes_are_noticed(kind: str, missing: int) -> None:
    """Otherwise the last words of an utterance could be missing: Opus loses a second with ten bytes."""
    assert refused(AudioClip.from_bytes(encoded_as(kind)[:-missing])).reason == "truncated_audio"


def test_an_ogg_file_cut_at_any_byte_of_its_last_page_is_refused() -> None:
    """Otherwise one unlucky cut would stop the run with an IndexError."""
    data = encoded(kind="OGG", subtype="OPUS")
    last = data.rfind(b"OggS")
    for length in range(last - 3, len(data), 7):
        assert refused(AudioClip.from_bytes(data[:length])).reason == "truncated_audio"


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_accepted(kind: str) -> None:
    """Otherwise a user's good data would be invalid."""
    clip = AudioClip.from_bytes(encoded_as(kind))
    assert clip.header.rate == RATE
    assert clip.seconds == pytest.approx(2.0)
    assert np.corrcoef(clip.samples(), tone())[0, 1] > 0.98


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            wav_of_chunks(FMT, (b"LIST", b"INFOISFT\x06\0\0\0Lavf60"), (b"data", PCM)), id="LIST before data"
        ),
        pytest.param(wav_of_chunks(FMT, (b"note", b"odd"), (b"data", PCM)), id="odd chunk, padded"),
        pytest.param(wav_of_chunks(FMT, (b"data", PCM), (b"LIST", b"INFO")), id="chunk after data"),
        pytest.param(patched(wav_of_chunks(FMT, (b"data", PCM)), 4, 0), id="no length of the whole"),
        pytest.param(encoded(kind="WAVEX", subtype="PCM_24"), id="WAVE_FORMAT_EXTENSIBLE, 24 bits"),
        pytest.param(encoded(subtype="PCM_24"), id="24 bits"),
        pytest.param(encoded(subtype="PCM_32"), id="32 bits"),
        pytest.param(encoded(subtype="DOUBLE"), id="64-bit float"),
        pytest.param(encoded(subtype="ULAW"), id="telephone"),
        pytest.param(encoded(subtype="PCM_U8"), id="8 bits"),
    ],
)
def test_an_odd_but_valid_wav_is_accepted(data: bytes) -> None:
    """Otherwise recordings of ordinary programs would be refused as cut."""
    samples = AudioClip.from_bytes(data).samples()
    assert len(samples) == 2 * RATE
    assert np.abs(samples - tone()).max() < 0.02


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_float_wav_with_a_number_that_is_none_is_refused(bad: float) -> None:
    """Otherwise NaN would pass through feature extraction into a score."""
    samples = tone()
    samples[1234] = bad
    assert refused(AudioClip.from_bytes(encoded(samples, subtype="FLOAT"))).reason == "non_finite"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n <!DOCTYPE html><title>404</title>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"some words " * 100, "no audio file"),
        (bytes(5_000), "no audio file"),
    ],
)
def test_a_file_that_is_something_else_is_told_as_such(tmp_path: Path, content: bytes, told: str) -> None:
    """Otherwise a user would debug a decoder when a download was missing."""
    file = tmp_path / "speech.wav"
    file.write_bytes(content)
    error = refused(AudioClip.from_file(file))
    assert error.reason == "not_audio"
    assert str(file) in error.detail and told in error.detail


@pytest.mark.parametrize("name", ["nowhere.wav", ".", "null\0byte.wav", "x" * 300])
@pytest.mark.parametrize("use", [AudioClip.samples, AudioClip.encoded, lambda clip: clip.digest])
def test_a_path_without_a_file_is_named(
    tmp_path: Path, name: str, use: Callable[[AudioClip], object]
) -> None:
    """Otherwise one wrong path would stop a run of thousands of items."""
    with pytest.raises(ItemError) as caught:
        use(AudioClip.from_file(tmp_path / name))
    assert caught.value.reason == "missing_file"
    assert tmp_path.name in caught.value.detail


@pytest.mark.parametrize("name", ["speech.raw", "speech.mp3", "speech", "speech.wav.part"])
def test_the_content_decides_and_not_the_name(tmp_path: Path, name: str) -> None:
    """Otherwise a good file would crash the decoder because of how it is called."""
    (tmp_path / name).write_bytes(encoded())
    assert len(AudioClip.from_file(tmp_path / name).samples()) == 2 * RATE


def test_claims_and_silence_cost_no_memory(tmp_path: Path) -> None:
    """Otherwise one file of a megabyte could take a machine's memory: 6 h of silence is 1.4 GB decoded."""
    with soundfile.SoundFile(tmp_path / "hours.flac", "w", 8_000, 1) as file:
        for _ in range(120):
            file.write(np.zeros(480_000, np.int16))
    wide = encoded(np.zeros((20_000, 8), np.float32), "FLAC", rate=192_000)
    (tmp_path / "wide.flac").write_bytes(flac_claiming(599 * 192_000, wide))
    (tmp_path / "claim.flac").write_bytes(flac_claiming(2**36 - 1))
    program = (
        "import sys, resource\n"
        "from speechzoo.audio import AudioClip\n"
        "from speechzoo.errors import ItemError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name in sys.argv[1:]:\n"
        "    try: AudioClip.from_file(name).samples()\n"
        "    except ItemError as error: print(error.reason)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    files = [str(tmp_path / f"{name}.flac") for name in ("hours", "wide", "claim")]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, check=True)
    *reasons, grown = done.stdout.decode().split()
    assert reasons == ["too_long"] * 3
    assert int(grown) < 50_000 * (1024 if sys.platform == "darwin" else 1)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_rate_and_channels_do_not_change_what_is_heard(rate: int, channels: int) -> None:
    """Otherwise a stereo or 44.1 kHz data set would be heard at a wrong pitch."""
    samples = np.repeat(tone(rate=rate)[:, None], channels, axis=1)
    heard = AudioClip.from_bytes(encoded(samples, rate=rate)).samples(RATE)
    reference = AudioClip.from_bytes(encoded()).samples(RATE)
    assert heard.dtype == np.float32 and heard.ndim == 1
    assert abs(len(heard) - len(reference)) <= 1
    inner = slice(1_000, 30_000)
    assert np.abs(heard[inner] - reference[inner]).max() < 0.005


def test_stereo_is_mixed_from_both_sides() -> None:
    """Otherwise a speaker on the right channel would not be heard."""
    samples = np.stack([np.zeros_like(tone()), tone()], axis=1)
    heard = AudioClip.from_bytes(encoded(samples)).samples()
    assert np.abs(heard - tone() / 2).max() < 1e-3


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    """Otherwise moving a data set would throw a run's answers away, or a changed file keep them."""
    file = tmp_path / "a.wav"
    file.write_bytes(encoded())
    moved = file.rename(tmp_path / "b.wav")
    clip = AudioClip.from_file(moved, transcript="a tone")
    assert clip.digest == AudioClip.from_bytes(encoded()).digest
    assert clip.digest != AudioClip.from_bytes(encoded(tone() / 2)).digest
    assert silence(1).digest == silence(1).digest


def test_synthesized_samples_are_clipped_and_kept() -> None:
    """Otherwise a synthesizer's overshoot would wrap around into a crack."""
    samples = 1.5 * tone() / 0.3
    clip = AudioClip.from_samples(samples, RATE, "a tone")
    assert clip.transcript == "a tone"
    assert np.abs(clip.samples() - np.clip(samples, -1, 1)).max() < 1e-4


@pytest.mark.parametrize(
    ("samples", "rate", "reason"),
    [
        (np.array([0.0, np.nan], np.float32), RATE, "non_finite"),
        (np.array([0.0, np.inf], np.float32), RATE, "non_finite"),
        (np.zeros(RATE, np.int16), RATE, "not_audio"),
        (np.zeros((1, RATE), np.float32), RATE, "not_audio"),
        (np.zeros(RATE, np.float32), 0, "bad_rate"),
        (np.zeros(RATE, np.float32), 2**31 - 1, "bad_rate"),
    ],
)
def test_an_adapter_that_speaks_nonsense_is_told(
    samples: NDArray[np.float32], rate: int, reason: str
) -> None:
    """Otherwise 16-bit integers would be clipped to silence, and the model be judged mute."""
    with pytest.raises(ItemError) as caught:
        AudioClip.from_samples(samples, rate)
    assert caught.value.reason == reason


def test_a_reply_without_samples_is_refused_when_it_is_heard() -> None:
    """Otherwise a mute model would get a transcript of nothing."""
    assert refused(AudioClip.from_samples(np.zeros(0, np.float32), RATE)).reason == "not_audio"


def test_samples_stay_within_full_scale() -> None:
    """Otherwise a model would be fed values that no recording holds."""
    loud = encoded(tone() * 5, subtype="FLOAT")
    assert np.abs(AudioClip.from_bytes(loud).samples()).max() == 1.0
    assert np.abs(AudioClip.from_bytes(loud).samples(22_050)).max() == 1.0


def test_flac_for_the_report_sounds_the_same() -> None:
    """Otherwise a user would listen to something else than the model did."""
    clip = AudioClip.from_samples(tone(1.0, 24_000), 24_000)
    heard = AudioClip.from_bytes(to_flac(clip, 16_000))
    assert heard.header.rate == 16_000
    assert np.abs(heard.samples() - clip.samples(16_000)).max() < 2**-15


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_clip_travels_to_another_process(tmp_path: Path, in_memory: bool) -> None:
    """Otherwise no worker could be given an item."""
    (tmp_path / "a.wav").write_bytes(encoded())
    clip = AudioClip(encoded() if in_memory else tmp_path / "a.wav", "a tone")
    assert clip.seconds == 2.0
    there: AudioClip = pickle.loads(pickle.dumps(clip))  # noqa: S301 - made a line above
    assert (there.digest, there.transcript, there.header) == (clip.digest, "a tone", clip.header)
    assert (there.samples() == clip.samples()).all()


def test_no_file_stays_open(tmp_path: Path) -> None:
    """Otherwise a data set of some thousand clips would run into the system's limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (tmp_path / "a.wav").write_bytes(encoded())
    (tmp_path / "b.wav").write_bytes(b"<html>")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        clips = [AudioClip.from_file(tmp_path / "a.wav") for _ in range(300)]
        assert all(len(clip.samples()) for clip in clips)
        assert all(refused(AudioClip.from_file(tmp_path / "b.wav")) for _ in range(300))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
