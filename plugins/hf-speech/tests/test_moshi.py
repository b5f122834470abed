"""Moshi, which has no scores: what it hears shows in what it says."""

import numpy as np
import pytest
import torch
from speechzoo_hf_speech.duplex import end_of_reply, only_turn
from speechzoo_hf_speech.moshi import Moshi
from speechzoo_hf_speech.plugin import MOSHI
from speechzoo_hf_speech.tiny.moshi import moshi
from transformers import MoshiForConditionalGeneration

from speechzoo import AudioClip, Failure, ReplyAsk, Setup, assistant, testing, user
from speechzoo.errors import ItemError, SetupError
from speechzoo.testing import MODEL_CHECKS, examine, probes

SECONDS = 2.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moshi")
    moshi(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return Moshi(Setup("tiny moshi", folder), SECONDS)


class Deaf(Moshi):
    """As long a silence goes in as somebody speaks."""

    def generate(self, user, frames, speech):
        return super().generate(torch.zeros_like(user), frames, speech)


class MaskedPadding(Moshi):
    """What the user says stands beside padding of the text, and is masked with it."""

    def __init__(self, setup, seconds):
        super().__init__(setup, seconds)
        own = self._lm.model.generate

        def generate(attention_mask, **given):
            return own(attention_mask=torch.zeros_like(attention_mask), **given)

        self._lm.model.generate = generate


class HistoryKept(Moshi):
    """What was said before is still in the stream."""

    before = None

    def generate(self, user, frames, speech):
        whole = user if self.before is None else torch.cat([self.before, user], dim=-1)
        self.before = user
        return super().generate(whole, frames, speech)


class Reversed(Moshi):
    """Sorted for speed, and not put back."""

    def reply(self, asks):
        return super().reply(asks)[::-1]


class SeedIgnored(Moshi):
    """Drawn from the random state of the process."""

    def __init__(self, setup, seconds):
        super().__init__(setup, seconds, sample=True)

    def generate(self, user, frames, speech):
        self._seed = np.random.default_rng().integers(2**31)
        return super().generate(user, frames, speech)


class Hesitating(Moshi):
    """A frame without text after each, and before a reply."""

    def generate(self, user, frames, speech):
        text, wave = super().generate(user, frames, speech)
        pad, unk = (torch.full_like(text, token) for token in self._padding)
        return torch.stack([pad, text, unk], dim=1).flatten(), wave


CAUGHT = {
    Deaf: "audio is heard",
    MaskedPadding: "audio is heard",
    HistoryKept: "no state between calls",
    Reversed: "order is kept",
    SeedIgnored: "same seed same answers",
}


def failed(folder, adapter, names):
    subject = testing.ModelUnderTest(
        lambda seed: adapter(Setup("tiny moshi", folder, seed=seed), SECONDS), MOSHI.capabilities
    )
    checks = [check for check in MODEL_CHECKS if check.name in names]
    return [one for one in examine(subject, checks) if one.outcome != "passed"]


@pytest.mark.parametrize(
    ("adapter", "check"), CAUGHT.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_moshi_is_caught_by_name(folder, adapter, check):
    """Otherwise a model without scores passes whatever it does with audio."""
    [finding] = failed(folder, adapter, {check})
    assert finding.outcome == "failed", finding.why


@pytest.mark.parametrize("seed", range(1, 7))
def test_weights_of_any_seed_hear(seed, tmp_path):
    """Otherwise the check passes on weights that were searched for, and says nothing of the adapter."""
    moshi(tmp_path, seed)
    assert failed(tmp_path, Moshi, {"audio is heard"}) == []


def test_it_says_what_transformers_says(folder, model):
    """Otherwise what is measured is the adapter: a frame, or a word of the prompt, too few or many."""
    own = MoshiForConditionalGeneration.from_pretrained(folder)
    own.generation_config.do_sample = own.depth_decoder.generation_config.do_sample = False
    wave = probes.HARBOUR.samples(24_000)
    wave = torch.from_numpy(np.pad(wave, (0, -len(wave) % 1920)))[None, None]
    frames = wave.shape[-1] // 1920
    padding = model._lm.tokenizer.convert_tokens_to_ids("<pad>")
    with torch.inference_mode():
        made = own.generate(
            input_ids=torch.full((1, frames), padding),
            user_input_values=wave,
            moshi_input_values=torch.zeros_like(wave),
            max_new_tokens=round(SECONDS * 12.5) + 1,
        )
    [reply] = model.reply([ReplyAsk((user(probes.HARBOUR),), speech=True)])
    speech = made.audio_sequences[0, 0, wave.shape[-1] :].clamp(-1, 1).numpy()
    silent = model._lm.tokenizer.convert_tokens_to_ids(["<pad>", "<unk>"])
    said = [token for token in made.sequences[0, frames + 1 : -1].tolist() if token not in silent]
    assert reply.clip.header.rate == 24_000
    assert reply.clip.samples() == pytest.approx(speech, abs=1e-3)
    assert reply.text == model._lm.tokenizer.decode(said).strip()
    assert reply.truncated


def test_tokens_that_say_nothing_are_no_text(folder, model):
    """Otherwise each pause of a reply is graded as a word."""
    ask = ReplyAsk((user(probes.HARBOUR),))
    [usual], [hesitating] = model.reply([ask]), Hesitating(Setup("tiny moshi", folder), SECONDS).reply([ask])
    assert usual.text
    assert hesitating == usual


def test_the_limit_of_text_tokens_cuts_speech_too(model):
    """Otherwise half of a spoken reply has no text, and its word error rate is the adapter's."""
    short, whole = model.reply(
        [ReplyAsk((user(probes.VIOLIN),), speech=True, max_tokens=tokens) for tokens in (10, 256)]
    )
    assert short.truncated
    assert whole.text.startswith(short.text.rstrip("\N{REPLACEMENT CHARACTER}"))
    assert 0.8 <= short.clip.seconds < whole.clip.seconds == pytest.approx(SECONDS, abs=0.1)


def test_draws_follow_the_seed_and_nothing_else(folder, model):
    """Otherwise a run with sampling cannot be repeated, or an answer depends on its neighbours."""
    asks = [ReplyAsk((user(clip),)) for clip in (probes.HARBOUR, probes.VIOLIN)]

    def texts(seed, given):
        drawing = Moshi(Setup("tiny moshi", folder, seed=seed), SECONDS, sample=True)
        return [reply.text for reply in drawing.reply(given)]

    assert texts(1, asks) == texts(1, asks[::-1])[::-1]
    assert texts(1, asks) != texts(2, asks)
    assert texts(1, asks) != [reply.text for reply in model.reply(asks)]


def test_what_it_cannot_hear_is_refused_alone(model):
    """Otherwise a question is answered without its instruction, or the end of a long clip is lost."""
    asks = [
        ReplyAsk((user("Listen: ", probes.HARBOUR),)),
        ReplyAsk((user(probes.HARBOUR), assistant(probes.VIOLIN), user(probes.GARDEN))),
        ReplyAsk((user(probes.joined(*[probes.HARBOUR] * 16)),)),
        ReplyAsk((user(probes.HARBOUR),)),
    ]
    *refused, answered = model.reply(asks)
    assert [one.reason for one in refused] == ["not_supported", "not_supported", "too_long"]
    assert not isinstance(answered, Failure)


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("..ab...cd", (7, False)),
        ("..ab..cd.", (9, True)),
        (".........", (9, False)),
        ("abcdefghi", (4, True)),
        ("abcd...", (7, False)),
        ("", (0, False)),
    ],
)
def test_where_a_reply_ends(words, end):
    """Otherwise a finished reply counts as truncated, or what follows on a pause counts as the reply."""
    assert end_of_reply([word != "." for word in words], max_words=4, pause=3) == end


def test_clips_of_a_turn_follow_each_other():
    """Otherwise a question in two recordings loses one."""
    clips = [AudioClip.from_samples(np.full(4000, level, "f4"), 16_000) for level in (0.1, 0.2)]
    wave = only_turn((user(*clips),), 16_000, 3000)
    assert wave.shape == (9000,)
    assert wave[[0, 3999, 4000, 7999, 8000]] == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.0], abs=1e-4)
    with pytest.raises(ItemError, match="a single turn"):
        only_turn((user(""),), 16_000, 3000)


def test_a_tokenizer_without_padding_is_named(folder, tmp_path):
    """Otherwise padding is read out as the text of the reply."""
    other = tmp_path / "other"
    other.mkdir()
    for file in folder.iterdir():
        text = file.suffix == ".json" and file.read_text(encoding="utf-8").replace("<pad>", "<silence>")
        (other / file.name).write_bytes(text.encode() if text else file.read_bytes())
    with pytest.raises(SetupError, match="<pad>"):
        Moshi(Setup("tiny moshi", other))
