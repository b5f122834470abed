"""Promises about speech: that clips are heard, whole and as they are, and that spoken replies can be."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from speechzoo.agreement import Given
from speechzoo.asks import Ask, Failure, ReplyAnswer, ScoreAnswer
from speechzoo.audio import AudioClip
from speechzoo.dialogue import Part
from speechzoo.errors import ItemError
from speechzoo.specs import Capability
from speechzoo.testing import probes
from speechzoo.testing.answer_checks import a_batch_equals_its_singles, no_state_between_calls
from speechzoo.testing.findings import CheckError, NotApplicableError, check
from speechzoo.testing.model_under_test import ModelUnderTest, told

# Feature extractors have windows of 2 s (tiny ones) to 60 s; most have 30 s.
SECONDS = (4.0, 12.0, 32.0, 65.0)
# Of the distance between two clips, what resampling one of them may move a score.
RESAMPLED = 0.5


@check(no_state_between_calls)
def audio_is_heard(subject: ModelUnderTest) -> None:
    """Otherwise a model is said to lose nothing by listening, as it was guessing both times."""
    subject.needs(Capability.AUDIO_IN)
    if _scores_clips(subject):
        _check_scores_follow_audio(subject)
    else:
        _check_replies_follow_audio(subject)


@check(audio_is_heard)
def clips_are_heard_to_their_end(subject: ModelUnderTest) -> None:
    """Otherwise the end of a long story is cut, without a word, where a feature extractor's window ends."""
    if not _scores_clips(subject):
        raise NotApplicableError("a score depends on the last words of a clip, a reply need not")
    speech = probes.joined(*[probes.HARBOUR, probes.VIOLIN, probes.GARDEN] * 9)
    waves, tails = probes.samples(speech), (probes.HARBOUR, probes.GARDEN)
    for seconds in SECONDS:
        kept = round((seconds - max(tail.seconds for tail in tails)) * probes.RATE)
        start = AudioClip.from_samples(waves[:kept], probes.RATE)
        one, other = (subject.answer(_about(subject, probes.joined(start, tail))) for tail in tails)
        if isinstance(one, ScoreAnswer) and not subject.differ(one, other):
            raise CheckError(
                f"of clips of {seconds:g} s the last two and a half change nothing: they are cut at the "
                "model's window; give a Failure too_long, or hear them in pieces"
            )


@check(audio_is_heard)
def the_encoding_of_a_clip_does_not_matter(subject: ModelUnderTest) -> None:
    """Otherwise a data set in another format or at another rate is another data set."""
    waves = probes.samples(probes.HARBOUR)
    clip, other = probes.wav(waves, probes.RATE), probes.VIOLIN
    usual, another = subject.answer(_about(subject, clip)), subject.answer(_about(subject, other))
    stereo = probes.wav(np.stack([waves, waves], axis=1), probes.RATE)
    for name, form in {"FLAC": AudioClip.from_samples(waves, probes.RATE), "stereo": stereo}.items():
        if not subject.same(usual, given := subject.answer(_about(subject, form))):
            raise CheckError(
                f"the same samples as {name} are heard differently{_why(given)}: use clip.samples(rate)"
            )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        path.write_bytes(clip.encoded())
        if not subject.same(usual, given := subject.answer(_about(subject, AudioClip.from_file(path)))):
            raise CheckError(f"a clip in a file is heard otherwise than in memory{_why(given)}")
    for rate in (8_000, 24_000, 48_000):
        given = subject.answer(_about(subject, probes.wav(clip.samples(rate), rate)))
        if _distance(usual, given) > RESAMPLED * _distance(usual, another):
            raise CheckError(
                f"the same speech at {rate} Hz is heard as something else{_why(given)}: the samples must be "
                "resampled to the model's rate, clip.samples(rate) does it"
            )


@check(audio_is_heard)
def short_and_broken_clips_are_refused(subject: ModelUnderTest) -> None:
    """Otherwise a clip that is not there, or makes no audio token, is answered as if it were."""
    waves = probes.samples(probes.HARBOUR)
    whole = probes.wav(waves, probes.RATE).encoded()
    refused = {
        "of one sample": probes.wav(waves[:1], probes.RATE),
        "of 50 ms": probes.wav(waves[:800], probes.RATE),
        "without bytes": AudioClip.from_bytes(b""),
        "that was cut in half": AudioClip.from_bytes(whole[: len(whole) // 2]),
        "that is an HTML page": AudioClip.from_bytes(b"<html>not found</html>"),
        "whose file is missing": AudioClip.from_file("no-such-file.wav"),
    }
    for what, clip in refused.items():
        if not isinstance(given := subject.answer(_about(subject, clip)), Failure):
            raise CheckError(
                f"a clip {what} is answered ({told(given)}): read clips with clip.samples(rate), which raises"
            )
    deaf = subject.answer(_about(subject, ""))
    brief = subject.answer(_about(subject, probes.wav(waves[8_000:10_000], probes.RATE)))
    silent = subject.answer(_about(subject, probes.quiet()))
    # A recogniser may hear no word in either; only what hears silence as something lost the short clip.
    lost = subject.same(brief, deaf) and not subject.same(silent, deaf)
    if not isinstance(brief, Failure) and lost:
        raise CheckError(
            "a clip of 125 ms is answered as none at all: it makes no audio token; give a Failure too_short"
        )


@check(a_batch_equals_its_singles)
def spoken_continuations_are_told_apart(subject: ModelUnderTest) -> None:
    """Otherwise the likelihood of speech is that of something else."""
    subject.needs(Capability.SCORE_SPEECH)
    context = probes.HARBOUR if subject.can(Capability.SCORE_UNDER_AUDIO) else probes.MIDDLE
    endings = (probes.VIOLIN, probes.GARDEN, probes.VIOLIN)
    given = subject.answer(probes.score(context, endings=endings))
    if not isinstance(given, ScoreAnswer):
        raise CheckError(f"three spoken continuations give no scores but {told(given)}")
    one, other, again = given.scores
    if not subject.same_score(one, again):
        raise CheckError("the same clip twice among the continuations gets two scores")
    if subject.same_score(one, other):
        raise CheckError(
            "different clips as continuations get one score: their tokens do not depend on what is in them"
        )


@check(no_state_between_calls)
def spoken_replies_are_sound(subject: ModelUnderTest) -> None:
    """Otherwise a reply cannot be listened to, or is graded at the wrong pitch."""
    subject.needs(Capability.SPEECH_OUT)
    questions: tuple[Part, ...] = (
        (probes.QUESTION, probes.LONG_QUESTION)
        if subject.can(Capability.TEXT_IN)
        else (probes.HARBOUR, probes.VIOLIN)
    )
    given = subject.answers([probes.reply(question, speech=True) for question in questions])
    clips = [_spoken(answer) for answer in given]
    if len(rates := {clip.header.rate for clip in clips}) > 1:
        raise CheckError(
            f"replies have several rates ({sorted(rates)} Hz): return the rate that the voice speaks at"
        )
    for clip in clips:
        try:
            waves = clip.samples()
        except ItemError as error:
            raise CheckError(f"a spoken reply cannot be read: {error}") from error
        if not waves.any():
            raise CheckError(f"a spoken reply of {clip.seconds:.2f} s is digital silence")


@check(spoken_replies_are_sound)
def streamed_chunks_make_the_whole(subject: ModelUnderTest) -> None:
    """Otherwise what is measured offline is not what a user of the stream hears."""
    subject.needs(Capability.STREAM)
    ask = probes.reply(probes.QUESTION if subject.can(Capability.TEXT_IN) else probes.HARBOUR, speech=True)
    chunks, whole = list(subject.model.stream(ask)), subject.answer(ask)  # type: ignore[attr-defined]
    if not isinstance(whole, ReplyAnswer):
        raise CheckError(f"the ask that was streamed gives {told(whole)}")
    if (text := "".join(chunk.text or "" for chunk in chunks)) != (whole.text or ""):
        raise CheckError(f"the streamed texts together are {text!r}, the whole reply is {whole.text!r}")
    clips = [chunk.clip for chunk in chunks if chunk.clip is not None]
    streamed = np.concatenate([clip.samples() for clip in clips]) if clips else np.zeros(0, np.float32)
    wanted = _spoken(whole).samples()
    if len(streamed) != len(wanted) or not np.allclose(streamed, wanted, atol=1e-3):
        raise CheckError(
            f"streamed chunks have {len(streamed)} samples together, the whole reply {len(wanted)}, or others"
        )


def _check_scores_follow_audio(subject: ModelUnderTest) -> None:
    given = _heard(subject, (probes.HARBOUR, probes.VIOLIN, probes.GARDEN))
    if not all(subject.differ(*two) for two in combinations(given, 2)):
        raise CheckError(_dropped("clips of other speech", "score"))
    if not subject.differ(given[0], subject.answer(_about(subject, probes.quiet()))):
        raise CheckError(_dropped("silence", "score"))
    can_be_deaf = subject.can(Capability.SCORE_UNDER_TEXT)
    if can_be_deaf and not subject.differ(given[0], subject.answer(_about(subject, ""))):
        raise CheckError(_dropped("nothing", "score"))


def _check_replies_follow_audio(subject: ModelUnderTest) -> None:
    """Now and then replies to different clips are equal, but not to all of them."""
    clips = probes.of_one_length()
    given = _heard(subject, clips)
    if not _any_differ(subject, given):
        _check_replies_follow_texts(subject)
        raise CheckError(_dropped("clips of other speech", "reply"))
    if subject.differ(given[0], subject.answer(_about(subject, probes.touched(clips[0])))):
        raise NotApplicableError(
            "a change of one sample by 1/32768 gives another reply: it is drawn by the clip's hash, "
            "which tells nothing of what was heard; check it with the likeliest tokens, or draws by the seed"
        )


def _check_replies_follow_texts(subject: ModelUnderTest) -> None:
    """Who replies the same to whatever it reads as well may have heard everything."""
    if not subject.can(Capability.TEXT_IN):
        return
    texts = (probes.QUESTION, probes.LONG_QUESTION, probes.MIDDLE)
    if not _any_differ(subject, subject.singly(_about(subject, text) for text in texts)):
        raise NotApplicableError(
            "it replies the same to all clips, and to all texts as well: its replies tell nothing of what it "
            "was given; check it with weights whose replies differ"
        )


def _any_differ(subject: ModelUnderTest, given: Sequence[Given]) -> bool:
    return any(subject.differ(*two) for two in combinations(given, 2))


def _heard(subject: ModelUnderTest, clips: Sequence[AudioClip]) -> list[Given]:
    given = [subject.answer(_about(subject, clip)) for clip in clips]
    for clip, answer in zip(clips, given, strict=True):
        if isinstance(answer, Failure):
            raise CheckError(
                f"a clip of {clip.seconds:.1f} s of speech gives {answer.reason}: {answer.detail}"
            )
    return given


def _about(subject: ModelUnderTest, part: Part) -> Ask:
    """The simplest ask about a clip; without scores the one with most in its answer that can differ."""
    if _scores_clips(subject):
        return probes.score(part)
    reply = probes.reply(part, speech=subject.can(Capability.SPEECH_OUT))
    return replace(reply, max_tokens=probes.LONG_REPLY_TOKENS)


def _scores_clips(subject: ModelUnderTest) -> bool:
    return subject.can(Capability.SCORE_UNDER_AUDIO)


def _distance(one: Given, other: Given) -> float:
    """Between scores, in nats; between replies 0 or 1."""
    if isinstance(one, ScoreAnswer) and isinstance(other, ScoreAnswer):
        pairs = zip(one.scores, other.scores, strict=True)
        return sum(abs(a.log_likelihood - b.log_likelihood) for a, b in pairs)
    return float("inf") if isinstance(other, Failure) else 0.0


def _dropped(what: str, answer: str) -> str:
    return (
        f"audio dropped: with {what} in its place a clip gets the same {answer}. In a tiny model with "
        "weights of the usual spread (0.02) audio hardly shows: draw them from N(0, 0.2), and a codec's "
        "codes from frames that it encodes"
    )


def _why(given: Given) -> str:
    return f" ({given.reason}: {given.detail})" if isinstance(given, Failure) else ""


def _spoken(given: Given) -> AudioClip:
    if not isinstance(given, ReplyAnswer) or given.clip is None:
        raise CheckError(f"a spoken reply was asked, it gave {told(given)}")
    return given.clip
