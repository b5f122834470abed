"""A ballot: two systems' dialogues with one user, as a voter hears them and as a vote records them."""

import io
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import soundfile
from speechzoo import AudioClip
from speechzoo.audio import to_flac
from speechzoo.dialogue import part_key
from speechzoo.run.describe import digest
from speechzoo.run.wire import writable

from speechzoo_arena.entries import Entry, Side
from speechzoo_arena.material import Exchange
from speechzoo_arena.pairing import Meeting
from speechzoo_arena.records import Failed, Heard, Vote
from speechzoo_arena.vote_guide import RULE, guide_of

Choice = Literal["first", "second", "tie", "cannot_judge"]
Encoding = Literal["flac", "ogg"]


@dataclass(frozen=True)
class Ballot:
    """What is put to a voter, with who is who; ``entry`` holds both sides of ``meeting``."""

    meeting: Meeting
    entry: Entry

    @property
    def turned(self) -> "Ballot":
        """The same with the other system first."""
        return Ballot(self.meeting.swapped, self.entry)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.entry.sides[self.meeting.first], self.entry.sides[self.meeting.second]

    @property
    def basis(self) -> str:
        """Digests question and material."""
        guide = guide_of(self.entry.group)
        question = [RULE, guide.dimension, guide.question, list(guide.points)]
        return digest([question, *([_keys(own) for own in side.exchanges] for side in self.sides)])[:32]

    def contest(self) -> dict[str, Any]:
        """The fields of a vote that do not depend on the voter."""
        first, second = self.sides
        return {
            "dialogue": self.meeting.dialogue,
            "group": self.entry.group,
            "cluster": self.entry.cluster,
            "first": self.meeting.first,
            "second": self.meeting.second,
            "seconds": _both(first.seconds, second.seconds),
            "words": _both(first.words, second.words),
            "basis": self.basis,
            "replies": {"first": first.digest, "second": second.digest},
        }


class Clips:
    """The clips that a page carries, each once, without anything that their files say beside sound.

    Attributes:
        carried: for each a data URI, ``src``, and its ``seconds``.
        size: of all of them, in bytes of the page.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.carried: list[dict[str, Any]] = []
        self.size = 0
        self._encoding = encoding
        self._places: dict[str, int] = {}

    def place(self, clip: AudioClip) -> int:
        """Where the clip is among them.

        Raises:
            ItemError: it cannot be read.
        """
        if clip.digest not in self._places:
            data = _ogg(clip) if self._encoding == "ogg" else to_flac(clip, clip.header.rate)
            source = f"data:audio/{self._encoding};base64,{b64encode(data).decode()}"
            self._places[clip.digest] = len(self.carried)
            self.carried.append({"src": source, "seconds": round(clip.seconds, 1)})
            self.size += len(source)
        return self._places[clip.digest]


def shown(ballot: Ballot, clips: Clips) -> dict[str, Any]:
    """The ballot as a page shows it: neither systems nor files nor the dialogue's name are in it.

    Raises:
        ItemError: a clip cannot be read.
    """
    guide = guide_of(ballot.entry.group)
    first, second = ballot.sides
    return {
        "dimension": guide.dimension,
        "question": guide.question,
        "points": list(guide.points),
        "turns": [
            {
                "words": writable(one.user_text),
                "user": {"clip": clips.place(one.user)},
                "first": _reply(one, clips),
                "second": _reply(two, clips),
            }
            for one, two in zip(first.exchanges, second.exchanges, strict=True)
        ],
    }


def make_vote(
    contest: dict[str, Any],
    voter: str,
    choice: Choice | Failed,
    reason: str,
    created: datetime,
    heard: Heard | None,
) -> Vote:
    """A voter's vote on a `Ballot.contest`."""
    outcome = Failed(reason="cannot_judge") if choice == "cannot_judge" else choice
    return Vote.model_validate(
        {
            **contest,
            "judge": voter,
            "kind": "human",
            "outcome": outcome,
            "reason": writable(reason),
            "created": created,
            "heard": heard,
        }
    )


def _reply(exchange: Exchange, clips: Clips) -> dict[str, Any]:
    """A clip; where there is none a text; where there is neither, nothing."""
    if exchange.reply is not None:
        return {"clip": clips.place(exchange.reply)}
    return {} if exchange.reply_text is None else {"text": writable(exchange.reply_text)}


def _keys(exchange: Exchange) -> list[Any]:
    reply = exchange.reply if exchange.reply is not None else exchange.reply_text
    return [part_key(exchange.user), None if reply is None else part_key(reply)]


def _both(first: float | None, second: float | None) -> dict[str, float] | None:
    return None if first is None or second is None else {"first": first, "second": second}


def _ogg(clip: AudioClip) -> bytes:
    """Ogg Vorbis, a third of the size of FLAC or less."""
    rate, samples = clip.header.rate, clip.samples()
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, 1, format="OGG", subtype="VORBIS") as file:
        # At once, a long clip overflows the encoder's stack.
        for start in range(0, len(samples), rate):
            file.write(samples[start : start + rate])
    return buffer.getvalue()
