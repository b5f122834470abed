"""What a judge is given of spoken dialogues: clips joined to one for a judge that hears, else transcripts.

The order of what is heard is MTalk-Bench's (github.com/FreedomIntelligence/MTalk-Bench at eff34a2): for
each turn "turn n", the user's clip, "model's response", the reply; before each of two dialogues its letter; a
second of silence after every piece. The announcements are our own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from speechzoo import AudioClip, DialogueAnswer, Failure, Item, ItemError, ReplyAnswer, Transcriber
from speechzoo.asks import replies_of
from speechzoo.audio import silence
from speechzoo.dialogue import Part
from speechzoo.judging import quoted

GAP_SECONDS = 1.0
MAX_TURNS = 9
NO_REPLY = "The model gave no reply in this turn.\n"

Letter = Literal["A", "B"]
Cues = Literal["text", "all", "none"]
"""Which judges are told the transcription's bracketed cues: those that read, all, or none."""


@dataclass(frozen=True)
class Exchange:
    """A user's turn and what came back.

    Attributes:
        user: what the user says.
        user_text: the same for a judge that reads.
        cues: sounds and manners of speaking that a judge is told beside the clip.
        reply: as speech.
        reply_text: what the reply says, "" for speech in which nothing is said; None if nobody knows, or
            there was no reply.
    """

    user: AudioClip
    user_text: str
    cues: tuple[str, ...] = ()
    reply: AudioClip | None = None
    reply_text: str | None = None

    @property
    def answered(self) -> bool:
        """Something is said; a clip that nobody listened to is taken to say something."""
        return self.reply is not None if self.reply_text is None else bool(self.reply_text.strip())


@dataclass(frozen=True)
class Material:
    """Pieces in the order they are read and heard.

    Attributes:
        pieces: texts and clips.
        like: the clip whose rate they are all played at: the first user's.
    """

    pieces: tuple[Part, ...]
    like: AudioClip

    @property
    def seconds(self) -> float:
        """Of all that is heard, silences included. Raises `ItemError` for a clip that cannot be read."""
        return sum(piece.seconds + GAP_SECONDS for piece in self.pieces if isinstance(piece, AudioClip))

    def parts(self) -> tuple[Part, ...]:
        """Neighbouring texts become one text, neighbouring clips one clip, a second of silence after each.

        Raises:
            ItemError: a clip is missing or cannot be read; the message names its file.
        """
        parts: list[Part] = []
        for kind, pieces in _neighbours(self.pieces):
            parts.append("".join(map(str, pieces)) if kind is str else self._joined(pieces))
        return tuple(parts)

    def _joined(self, pieces: Sequence[Part]) -> AudioClip:
        rate = self.like.header.rate
        gap = np.zeros(round(GAP_SECONDS * rate), np.float32)
        clips = [piece for piece in pieces if isinstance(piece, AudioClip)]
        samples = [run for clip in clips for run in (clip.samples(rate), gap)]
        return AudioClip.from_samples(np.concatenate(samples), rate)


class Listener:
    """Hears what spoken replies say, each clip once.

    Args:
        transcriber: makes the recogniser when the first clip is to be heard.
    """

    def __init__(self, transcriber: Callable[[], Transcriber]) -> None:
        self._transcriber = transcriber
        self._heard: dict[str, str | Failure] = {}

    def texts(self, clips: Sequence[AudioClip]) -> list[str]:
        """What each clip says; "" if it says nothing.

        Raises:
            ItemError: a clip cannot be read, or the recogniser fails on it.
        """
        new = {clip.digest: clip for clip in clips if clip.digest not in self._heard}
        if new:
            heard = self._transcriber().transcribe(list(new.values()))
            self._heard |= dict(zip(new, heard, strict=True))
        return [self._text(clip) for clip in clips]

    def _text(self, clip: AudioClip) -> str:
        heard = self._heard[clip.digest]
        if isinstance(heard, Failure):
            raise ItemError(heard.reason, f"{clip.name}: {heard.detail}")
        return heard


def exchanges_of(
    item: Item, answer: DialogueAnswer, listener: Listener | None, cues: Cues = "text"
) -> tuple[Exchange, ...]:
    """A dialogue's turns with a system's replies.

    Args:
        item: its data hold, by turn, ``turns`` (the user's clips, each with the words as its transcript),
            ``transcriptions`` (the words with bracketed cues) and ``cues`` (the cues alone).
        answer: the system's.
        listener: says what is said in spoken replies: that is judged, whatever text the system gives beside
            it. None where nobody needs to know; then a spoken reply's text is the system's own.
        cues: which judges are told them.

    Returns:
        The turns. A blank text without speech is no reply, as a failure is none. Speech in which the listener
        hears no word is no answer either, though a judge that hears is given it: else silence would be
        invalid where a system writes, and worth something where it speaks.

    Raises:
        ItemError: a reply cannot be transcribed.
    """
    spoken = [reply.clip for reply in replies_of(answer) if reply.clip is not None]
    heard = iter(listener.texts(spoken)) if listener else None

    def exchange(turn: int, reply: ReplyAnswer | Failure) -> Exchange:
        user: AudioClip = item.data["turns"][turn]
        read = (user.transcript or "") if cues == "none" else item.data["transcriptions"][turn]
        told = tuple(item.data["cues"][turn]) if cues == "all" else ()
        if isinstance(reply, Failure) or (reply.clip is None and _says_nothing(reply)):
            return Exchange(user, read, told)
        own = None if _says_nothing(reply) else reply.text
        says = next(heard) if heard and reply.clip is not None else own
        return Exchange(user, read, told, reply.clip, says)

    if len(answer.replies) != len(item.data["turns"]):
        raise ItemError(
            "wrong_answer_shape", f"{len(answer.replies)} replies to {len(item.data['turns'])} turns"
        )
    return tuple(exchange(turn, reply) for turn, reply in enumerate(answer.replies))


def _says_nothing(reply: ReplyAnswer) -> bool:
    return not (reply.text or "").strip()


def dialogue_material(exchanges: Sequence[Exchange], *, hears: bool) -> Material:
    """One system's dialogue.

    Args:
        exchanges: its turns.
        hears: the judge may be given clips. A reply that is text only is read by such a judge as well.

    Raises:
        ItemError: there are more turns than announcements.
    """
    return Material(tuple(_dialogue(exchanges, hears)), exchanges[0].user)


def turn_material(exchanges: Sequence[Exchange], turn: int, *, hears: bool) -> Material:
    """One turn, counted from 0, to be judged by itself; what came before is there to read."""
    earlier = [_without_cues(one) if hears else one for one in exchanges[:turn]]
    before = [piece for number, one in enumerate(earlier, start=1) for piece in _read(one, number)]
    opening = ["Earlier turns, which are not to be judged:\n", *before] if before else []
    cues = _cues(exchanges[turn : turn + 1], turn + 1) if hears else ()
    judged = _turn(exchanges[turn], turn + 1, hears)
    return Material((*opening, *cues, "The turn to be judged:\n", *judged), exchanges[turn].user)


def _without_cues(exchange: Exchange) -> Exchange:
    """The user's words alone, unless a judge that hears is told the cues."""
    return exchange if exchange.cues else replace(exchange, user_text=exchange.user.transcript or "")


def pair_material(first: Sequence[Exchange], second: Sequence[Exchange], *, hears: bool) -> Material:
    """Two systems' dialogues with one user: the first is called model A, the second model B."""
    both: tuple[tuple[Letter, Sequence[Exchange]], ...] = (("A", first), ("B", second))
    pieces = [piece for letter, one in both for piece in (_letter(letter, hears), *_dialogue(one, hears))]
    return Material(tuple(pieces), first[0].user)


def announcement(name: str) -> AudioClip:
    """``turn-1`` to ``turn-9``, ``response``, ``model-A`` or ``model-B``."""
    return AudioClip.from_bytes(_announcement(name))


@cache
def _announcement(name: str) -> bytes:
    return files("speechzoo_arena").joinpath("announcements", f"{name}.flac").read_bytes()


def _dialogue(exchanges: Sequence[Exchange], hears: bool) -> Iterator[Part]:
    if hears:
        yield from _cues(exchanges, 1)
    for number, exchange in enumerate(exchanges, start=1):
        yield from _turn(exchange, number, hears)


def _letter(letter: Letter, hears: bool) -> Part:
    return announcement(f"model-{letter}") if hears else f"Dialogue with model {letter}\n"


def _cues(exchanges: Sequence[Exchange], first: int) -> Iterator[str]:
    """The cues of all turns at once, so that the clips stay together."""
    for number, exchange in enumerate(exchanges, start=first):
        if exchange.cues:
            yield f"To be heard in the user's turn {number}:\n{quoted('cues', '; '.join(exchange.cues))}\n"


def _turn(exchange: Exchange, number: int, hears: bool) -> Iterator[Part]:
    return _heard(exchange, number) if hears else _read(exchange, number)


def _heard(exchange: Exchange, number: int) -> Iterator[Part]:
    if number > MAX_TURNS:
        raise ItemError("too_many_turns", f"turn {number} of a dialogue; {MAX_TURNS} can be announced")
    yield announcement(f"turn-{number}")
    yield exchange.user
    yield announcement("response")
    if exchange.reply is not None:
        yield exchange.reply
    elif exchange.reply_text is not None:
        yield f"The model's response in turn {number} is written:\n{quoted('reply', exchange.reply_text)}\n"
    else:
        yield silence(GAP_SECONDS, exchange.user.header.rate)


def _read(exchange: Exchange, number: int) -> Iterator[str]:
    yield f"Turn {number}\nThe user says:\n{quoted('user', exchange.user_text)}\n"
    if not exchange.answered:
        yield NO_REPLY
    elif exchange.reply_text is not None:
        yield f"The model's response:\n{quoted('reply', exchange.reply_text)}\n"
    elif exchange.reply is not None:
        raise ItemError("no_transcript", f"nobody knows what is said in {exchange.reply.name}")


def _neighbours(pieces: Sequence[Part]) -> Iterator[tuple[type, list[Part]]]:
    run: list[Part] = []
    for piece in pieces:
        if run and isinstance(piece, str) != isinstance(run[0], str):
            yield type(run[0]), run
            run = []
        run.append(piece)
    if run:
        yield type(run[0]), run
