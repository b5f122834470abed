"""Segments, units and the vocoder by themselves."""

import copy

import pytest
import torch
from speechzoo_echox.segments import segments
from speechzoo_echox.units import units_in
from speechzoo_echox.vocoder import Vocoder
from torch.nn.functional import conv1d, conv_transpose1d, leaky_relu

from speechzoo.errors import SetupError
from speechzoo.lm.batches import Room


def bounds(scores):
    return [(segment.start, segment.stop) for segment in segments(scores)]


def test_a_soft_cut_needs_length_and_score():
    """A full stop after three words would else be spoken by itself, with the wrong melody."""
    scores = [0.0] * 40
    scores[10], scores[25] = 0.5, 0.5
    assert bounds(scores) == [(0, 26), (26, 40)]
    scores[25] = 0.1
    assert bounds(scores) == [(0, 40)]


def test_a_hard_cut_needs_a_maximum_alone():
    """A reply without full stops would else be spoken at its very end."""
    scores = [-0.5 - 0.001 * n for n in range(80)]
    scores[55] = -0.2
    assert bounds(scores) == [(0, 56), (56, 80)]


def test_equal_neighbours_are_maxima_and_nothing_is_lost():
    """Every token must be spoken once, whatever the scores."""
    assert bounds([0.2] * 50) == [(0, 21), (21, 42), (42, 50)]
    assert bounds([]) == []
    assert bounds([0.3]) == [(0, 1)]


def test_numbers_may_be_split_over_two_tokens():
    """Read token by token, unit 345 would become 3 and 45."""
    assert units_in("<|unit_▁12_3|><|unit_45|><|unit__7|>", 1000) == [12, 345, 7]
    assert units_in("<|unit_▁999|><|unit__1500|><|unit__8|>", 1000) == [999, 8]
    assert units_in("<|eot_id|>", 1000) == []


def test_stray_text_is_read_as_the_reference_does_or_left_out(echox):
    """A 5 between two units is a unit to the reference; who wants only units must get only units."""
    speaker = copy.copy(echox._speaker)
    ids = echox._lm.tokenizer.convert_tokens_to_ids
    written = [ids("<|unit__7|>"), ids("5"), ids("<|unit__7|>")]
    assert speaker.units(written) == [7, 5, 7]
    speaker._unit_tokens_only = True
    assert speaker.units(written) == [7, 7]


def test_sound_lasts_as_long_as_the_units(echox):
    """20 ms a frame: otherwise speech is too fast, or its end is missing."""
    vocoder = echox._speaker.vocoder
    units = [12, 345, 7, 7, 999]
    frames = vocoder.dur_predictor.frames(vocoder.dict(torch.tensor(units)))
    assert int(frames.min()) >= 1
    assert len(vocoder(units)) == 320 * int(frames.sum()) > len(vocoder(units, durations=False)) == 320 * 5
    assert torch.equal(vocoder([-1, 12, 7]), vocoder([12, 7]))


def spelled_out(stored, frames):
    """The generator on the file's own tensors, directions and lengths apart, step by step."""

    def weight(name):
        direction = stored[f"{name}.weight_v"]
        return stored[f"{name}.weight_g"] * direction / direction.flatten(1).norm(dim=1)[:, None, None]

    def conv(sound, name, dilation=1):
        kernel = weight(name)
        reach = (kernel.shape[-1] - 1) * dilation // 2
        return conv1d(sound, kernel, stored[f"{name}.bias"], padding=reach, dilation=dilation)

    def residual(sound, block):
        for place, dilation in enumerate((1, 3, 5)):
            inner = conv(leaky_relu(sound, 0.1), f"resblocks.{block}.convs1.{place}", dilation)
            sound = sound + conv(leaky_relu(inner, 0.1), f"resblocks.{block}.convs2.{place}")
        return sound

    sound = conv(frames, "conv_pre")
    for stage, (rate, kernel) in enumerate(((5, 11), (4, 8), (4, 8), (2, 4), (2, 4))):
        up, bias = weight(f"ups.{stage}"), stored[f"ups.{stage}.bias"]
        padding = (kernel - rate) // 2
        sound = conv_transpose1d(leaky_relu(sound, 0.1), up, bias, stride=rate, padding=padding)
        sound = sum(residual(sound, 3 * stage + block) for block in range(3)) / 3
    return torch.tanh(conv(leaky_relu(sound, 0.01), "conv_post"))


@torch.inference_mode()
def test_the_vocoder_is_that_of_the_file(folder, echox):
    """One slope or padding another, and every reply sounds hoarse, with the right words."""
    stored = torch.load(folder / "g_00500000", weights_only=True)["generator"]
    frames = torch.randn(1, 16, 9, generator=torch.Generator().manual_seed(0))
    expected = spelled_out(stored, frames)
    assert expected.shape == (1, 1, 9 * 320)
    assert float(expected.std()) > 0.01
    assert torch.allclose(echox._speaker.vocoder.samples(frames), expected, atol=1e-5)


def test_segments_side_by_side_sound_as_alone(echox):
    """What a reply sounds like must not depend on the others of its batch."""
    states = [torch.randn(n, 64) for n in (1, 9, 30)]
    together = echox._speaker.speak(states, 10_000, Room("tokens"))
    for own, speech in zip(states, together, strict=True):
        [alone] = echox._speaker.speak([own], 1, Room("tokens"))
        assert len(alone.samples) == len(speech.samples) > 0
        assert abs(alone.samples - speech.samples).max() < 1e-4
        assert alone.truncated == speech.truncated


def test_a_vocoder_of_code_is_refused(folder, tmp_path):
    """A pickle may run anything: files of strangers must not."""

    class Code:
        def __reduce__(self):
            return (print, ("run",))

    for name in ("vocoder_config.json", "g_00500000"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    torch.save({"generator": Code()}, tmp_path / "g_00500000")
    with pytest.raises(SetupError, match="no checkpoint of tensors alone"):
        Vocoder.load(tmp_path, torch.device("cpu"))
