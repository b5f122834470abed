"""What befalls speech between the mouth and the ear is as much as its name says."""

import math

import numpy as np
import pytest

from speechzoo.audio import AudioClip, silence
from speechzoo.channel import CODECS, NOISES, Channel, room, speech_level, through
from speechzoo.errors import ItemError, SpeechzooError

RATE = 16_000


def speech(seconds: float = 3.0, rate: int = RATE, level: float = 0.05) -> AudioClip:
    """Noise that comes in syllables, with a pause of a second in the middle."""
    times = np.arange(round(seconds * rate)) / rate
    syllables = np.clip(np.sin(2 * np.pi * 3 * times), 0, None) * (np.abs(times - seconds / 2) > 0.5)
    carrier = np.random.default_rng(7).standard_normal(len(times))
    signal = level * carrier * (syllables if seconds > 1 else 1.0)
    return AudioClip.from_samples(signal.astype(np.float32), rate, "what is said", "en")


def decibels(ratio: float) -> float:
    return 20 * math.log10(ratio)


def level_in_a_loop(signal: np.ndarray, rate: int) -> float:
    """P.56 method B, sample by sample, as the recommendation tells it."""
    decay, hangover = math.exp(-1 / (0.03 * rate)), math.ceil(0.2 * rate)
    thresholds = [2.0**power for power in range(-15, 1)]
    counts, since = [0] * len(thresholds), [hangover + 1] * len(thresholds)
    first = second = 0.0
    for sample in np.abs(signal):
        first = decay * first + (1 - decay) * sample
        second = decay * second + (1 - decay) * first
        for place, threshold in enumerate(thresholds):
            since[place] = 0 if second >= threshold else since[place] + 1
            counts[place] += since[place] <= hangover
    before = None
    for threshold, count in zip(thresholds, counts, strict=True):
        level = 10 * math.log10(np.square(signal).sum() / count)
        margin = level - decibels(threshold)
        if margin <= 15.9:
            assert before is not None
            share = (before[1] - 15.9) / (before[1] - margin)
            return 10 ** ((before[0] + share * (level - before[0])) / 20)
        before = level, margin
    raise AssertionError("no threshold is 15.9 dB below the level")


def test_speech_level_is_that_of_p56() -> None:
    """Otherwise pauses count as speech, and a ratio of 10 dB is another one in every data set."""
    signal = speech(2.5, 8_000).samples().astype(float)
    signal -= signal.mean()
    signal /= np.abs(signal).max()
    assert decibels(speech_level(signal, 8_000) / level_in_a_loop(signal, 8_000)) == pytest.approx(
        0, abs=1e-9
    )


@pytest.mark.parametrize("pause", [0, 1, 5])
def test_silence_around_speech_changes_no_level(pause: int) -> None:
    """Otherwise a clip with a long pause gets less noise than the same words without."""
    signal = speech().samples().astype(float)
    around = np.concatenate([np.zeros(pause * RATE), signal, np.zeros(pause * RATE)])
    assert decibels(speech_level(around, RATE) / speech_level(signal, RATE)) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("snr", [-5, 0, 20])
@pytest.mark.parametrize("clip", [speech(), speech(0.1), speech(rate=22_050), speech(rate=8_000)])
def test_noise_is_as_loud_as_asked_for(clip: AudioClip, snr: float, noise: str) -> None:
    """Otherwise the axis of a noise sweep is wrong."""
    clean = clip.samples().astype(float)
    added = through(clip, Channel(snr, noise), seed=0).samples() - clean
    measured = decibels(speech_level(clean, clip.header.rate) / math.sqrt(np.square(added).mean()))
    assert measured == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize("offset", [0.0, 0.05, -0.2])
def test_a_constant_offset_is_no_speech(offset: float) -> None:
    """Otherwise clips of a sound card with an offset get several dB more noise than all the others."""
    clean = speech().samples().astype(float)
    shifted = AudioClip.from_samples((clean + offset).astype(np.float32), RATE)
    added = through(shifted, Channel(10), 0).samples().astype(float) - shifted.samples()
    ratio = speech_level(clean, RATE) / math.sqrt(np.square(added).mean())
    assert decibels(ratio) == pytest.approx(10, abs=0.1)
    assert speech_level(np.full(RATE, offset), RATE) == 0.0


@pytest.mark.parametrize("snr", [20, 40, 60])
def test_a_quiet_clip_gets_its_noise(snr: float) -> None:
    """Otherwise the mild end of a sweep over quiet recordings is clean speech under another name."""
    clean = speech(level=0.0005).samples().astype(float)
    added = through(speech(level=0.0005), Channel(snr), 0).samples().astype(float) - clean
    measured = decibels(speech_level(clean, RATE) / math.sqrt(np.square(added).mean()))
    assert measured == pytest.approx(snr, abs=0.1)


def test_noise_at_every_ratio_is_the_same() -> None:
    """Otherwise a sweep compares other noise at every level, and the pairs are none."""
    clip = speech(level=0.01)
    quiet, loud = (through(clip, Channel(snr), 3).samples() - clip.samples() for snr in (10, 0))
    assert np.corrcoef(quiet, loud)[0, 1] > 0.999
    other = through(clip, Channel(0), 4).samples() - clip.samples()
    assert abs(np.corrcoef(loud, other)[0, 1]) < 0.05


def test_a_loud_clip_is_turned_down_and_not_cut_off() -> None:
    """Otherwise noise at 0 dB over a loud recording is distortion too, and nobody says so."""
    clip = speech(level=0.2)
    loud = AudioClip.from_samples(clip.samples() / np.abs(clip.samples()).max(), RATE)
    noisy = through(loud, Channel(0), 0).samples()
    assert np.count_nonzero(np.abs(noisy) >= 0.998) == 1
    fitted = np.linalg.lstsq(np.stack([loud.samples()], 1), noisy, rcond=None)[0][0]
    left = noisy - fitted * loud.samples()
    ratio = fitted * speech_level(loud.samples().astype(float), RATE) / math.sqrt(np.square(left).mean())
    assert decibels(ratio) == pytest.approx(0, abs=0.2)


def test_pink_noise_has_the_same_power_in_every_octave() -> None:
    """Otherwise pink is a name and nothing else."""
    noise = NOISES["pink"](30 * RATE, RATE, np.random.default_rng(0))
    power = np.square(np.abs(np.fft.rfft(noise)))
    octaves = [power[30 * low : 60 * low].sum() for low in (100, 400, 1_600)]
    assert max(octaves) / min(octaves) < 1.1
    assert power[: 30 * 49].sum() < 1e-6 * power.sum()


@pytest.mark.parametrize("rt60", [0.2, 0.6, 1.5])
def test_room_takes_its_time_to_fall_silent(rt60: float) -> None:
    """Otherwise a room of 0.6 s is another room. T30 of the backward integral (Schroeder 1965)."""
    response = room(rt60, RATE, np.random.default_rng(1))
    energy = np.cumsum(np.square(response[1:])[::-1])[::-1]
    decay = 10 * np.log10(energy / energy[0])
    from_5, to_35 = (int(np.argmax(decay <= level)) for level in (-5, -35))
    assert 2 * (to_35 - from_5) / RATE == pytest.approx(rt60, rel=0.1)
    assert np.square(response).sum() == pytest.approx(1)
    assert np.argmax(np.abs(response)) == 0


def test_room_keeps_words_where_they_are() -> None:
    """Otherwise what is aligned with the recording no longer is, and its level is another."""
    clip = speech()
    heard = through(clip, Channel(reverb=0.4), 0).samples()
    assert len(heard) == len(clip.samples())
    lags = np.correlate(heard[:RATE], clip.samples()[:RATE], "full")
    assert np.argmax(lags) == RATE - 1
    assert decibels(np.linalg.norm(heard) / np.linalg.norm(clip.samples())) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("codec", CODECS)
def test_codec_keeps_rate_length_and_words(codec: str, rate: int) -> None:
    """Otherwise a codec shifts or cuts what it should only make worse."""
    clip = speech(rate=rate)
    heard = through(clip, Channel(codec=codec), 0)
    assert (heard.header.rate, len(heard.samples())) == (rate, len(clip.samples()))
    assert (heard.transcript, heard.language) == (clip.transcript, clip.language)
    narrow, wide = heard.samples(8_000), clip.samples(8_000)
    assert abs(int(np.argmax(np.correlate(narrow, wide, "same"))) - len(wide) // 2) <= 1


@pytest.mark.parametrize(("codec", "upper"), [("telephone", 3_600), ("gsm", 4_000), ("opus", 8_000)])
def test_codec_limits_the_band(codec: str, upper: int) -> None:
    """Otherwise a telephone lets the whole band through."""
    heard = through(speech(rate=48_000), Channel(codec=codec), 0).samples()
    power = np.square(np.abs(np.fft.rfft(heard)))
    frequencies = np.fft.rfftfreq(len(heard), 1 / 48_000)
    assert power[frequencies > 1.05 * upper].sum() < 1e-3 * power.sum()
    if codec == "telephone":
        assert power[frequencies < 200].sum() < 1e-3 * power.sum()


def test_everything_together_is_the_same_every_time() -> None:
    """Otherwise a run that is taken up again asks everything again."""
    channel = Channel(5, "pink", 0.3, "gsm")
    one, two = (through(speech(), channel, 1) for _ in range(2))
    assert one.digest == two.digest
    assert one.digest != through(speech(), channel, 2).digest


def test_no_channel_is_no_change() -> None:
    """Otherwise the clean baseline is asked of re-encoded clips, and no answer of before counts."""
    clip = speech()
    assert through(clip, Channel(), 0) is clip
    assert Channel.read({"snr": "none", "codec": "none", "reverb": "0"}) == Channel()


def test_silence_has_no_level() -> None:
    """Otherwise a silent clip gets NaN for noise, or none."""
    with pytest.raises(ItemError, match="silent"):
        through(silence(1.0), Channel(10), 0)
    assert not through(silence(1.0), Channel(reverb=0.5, codec="telephone"), 0).samples().any()


def test_a_click_has_a_level() -> None:
    """Otherwise a clip of hardly anything stops with an arithmetic error."""
    click = np.zeros(RATE // 10, np.float32)
    click[50] = 1.0
    for channel in (Channel(0), Channel(reverb=2.0), *(Channel(codec=codec) for codec in CODECS)):
        heard = through(AudioClip.from_samples(click, RATE), channel, 0).samples()
        assert np.isfinite(heard).all() and heard.any()


def test_name_is_read_back() -> None:
    """Otherwise a signature names a channel that nobody can set up again."""
    channel = Channel(-2.5, "pink", 0.4, "gsm")
    assert str(channel) == "snr=-2.5,noise=pink,reverb=0.4,codec=gsm"
    assert Channel.read(channel.values) == channel
    assert str(Channel()) == ""


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"snr": "loud"}, "snr=loud is no number; say snr=10"),
        ({"snr": "nan"}, "is no number"),
        ({"snr": "200"}, "within -100 and 100 dB"),
        ({"reverb": "-1"}, "within 0 and 10 seconds"),
        ({"codec": "fax"}, "codec=fax: there is telephone, gsm, opus"),
        ({"snr": "3", "noise": "brown"}, "noise=brown: there is white, pink"),
        ({"noise": "pink"}, "name an snr as well"),
        ({"snr": "3", "noise": "none"}, "noise=none: there is white, pink; no noise is snr=none"),
        ({"echo": "1"}, "no 'echo'; it has snr, noise, reverb, codec"),
    ],
)
def test_what_is_no_channel_is_told(values: dict[str, str], told: str) -> None:
    """Otherwise a typing error is an hour of clean speech."""
    with pytest.raises(SpeechzooError, match=told):
        Channel.read(values)
