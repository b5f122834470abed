"""Asks and answers as JSON: between a run and its workers, and on disk.

A worker may run anybody's code, so what it sends is read as data and never unpickled. Clips are put where the
caller wants them: in a run's folder, or in the line itself.
"""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speechzoo.asks import (
    Answer,
    Ask,
    ContinuationScore,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    MultiScoreAsk,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
)
from speechzoo.audio import AudioClip
from speechzoo.dialogue import Dialogue, Message, Part

Json = dict[str, Any]


def ask_to_json(ask: Ask) -> Json:
    """The ask, its clips by their paths or with their content."""
    if isinstance(ask, ScoreAsk):
        continuations = [_part_to_json(part) for part in ask.continuations]
        context = _messages_to_json(ask.context)
        return {"kind": "score", "context": context, "continuations": continuations, "chat": ask.chat}
    if isinstance(ask, MultiScoreAsk):
        return {"kind": "scores", "asks": [ask_to_json(one) for one in ask.asks]}
    common = {"speech": ask.speech, "max_tokens": ask.max_tokens}
    if isinstance(ask, ReplyAsk):
        return {"kind": "reply", "dialogue": _messages_to_json(ask.dialogue), **common}
    return {
        "kind": "dialogue",
        "turns": _messages_to_json(ask.turns),
        "opening": _messages_to_json(ask.opening),
        "history": ask.history,
        **common,
    }


def ask_from_json(told: Mapping[str, Any]) -> Ask:
    """What `ask_to_json` wrote."""
    if told["kind"] == "score":
        return _score_ask(told)
    if told["kind"] == "scores":
        return MultiScoreAsk(tuple(map(_score_ask, told["asks"])))
    if told["kind"] == "reply":
        return ReplyAsk(_messages(told["dialogue"]), told["speech"], told["max_tokens"])
    return DialogueAsk(
        turns=_messages(told["turns"]),
        opening=_messages(told["opening"]),
        speech=told["speech"],
        max_tokens=told["max_tokens"],
        history=told["history"],
    )


def clip_to_json(clip: AudioClip) -> Json:
    """The clip by its path, or with its content if it has none."""
    if not isinstance(clip.data, Path):
        return content_to_json(clip)
    path = str(clip.data.absolute())
    return {"path": path, "transcript": clip.transcript, "language": clip.language}


def content_to_json(clip: AudioClip) -> Json:
    """The clip with its content: one that a worker made may lie in a file that goes with the worker.

    Raises:
        ItemError: its file cannot be read.
    """
    encoded = base64.b64encode(clip.encoded()).decode("ascii")
    return {"content": encoded, "transcript": clip.transcript, "language": clip.language}


def clip_from_json(told: Mapping[str, Any]) -> AudioClip:
    """What `clip_to_json` wrote."""
    if "path" in told:
        return AudioClip.from_file(told["path"], told["transcript"], told["language"])
    return content_from_json(told)


def content_from_json(told: Mapping[str, Any]) -> AudioClip:
    """What `content_to_json` wrote; a path is none: a worker must not name files of ours."""
    encoded = base64.b64decode(told["content"], validate=True)
    return AudioClip.from_bytes(encoded, told["transcript"], told["language"])


def answer_to_json(answer: Answer | Failure, keep: Callable[[AudioClip], Any]) -> Json:
    """The answer; ``keep`` puts a spoken reply somewhere and says in JSON where.

    Numbers of other libraries become Python's, and texts are made `writable`: both would stop the line
    from being written.
    """
    if isinstance(answer, Failure):
        return {"kind": "failure", "reason": answer.reason, "detail": writable(answer.detail)}
    if isinstance(answer, DialogueAnswer):
        return {"kind": "dialogue", "replies": [answer_to_json(reply, keep) for reply in answer.replies]}
    common = {
        "heard": None if answer.heard is None else writable(answer.heard),
        "timings": {name: float(seconds) for name, seconds in answer.timings.items()},
    }
    if isinstance(answer, ScoreAnswer):
        means = {"means": True} if answer.means else {}
        return {
            "kind": "score",
            "scores": [_score_to_json(score) for score in answer.scores],
            **means,
            **common,
        }
    return {
        "kind": "reply",
        "text": None if answer.text is None else writable(answer.text),
        "clip": keep(answer.clip) if answer.clip else None,
        "truncated": bool(answer.truncated),
        **common,
        **({"served": _served_to_json(answer.served)} if answer.served else {}),
    }


def answer_from_json(told: Mapping[str, Any], find: Callable[[Any], AudioClip]) -> Answer | Failure:
    """What `answer_to_json` wrote; ``find`` takes what ``keep`` said."""
    if told["kind"] == "failure":
        return Failure(told["reason"], told["detail"])
    if told["kind"] == "score":
        scores = tuple(ContinuationScore(*score) for score in told["scores"])
        return ScoreAnswer(scores, told["heard"], told["timings"], means=told.get("means", False))
    if told["kind"] == "dialogue":
        return DialogueAnswer(tuple(_turn(reply, find) for reply in told["replies"]))
    return _reply(told, find)


def writable(value: str) -> str:
    """The text with ``?`` for halves of surrogate pairs, which UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode() if not value.isascii() else value


def _score_ask(told: Mapping[str, Any]) -> ScoreAsk:
    continuations = tuple(_part(part) for part in told["continuations"])
    return ScoreAsk(_messages(told["context"]), continuations, told["chat"])


def _messages_to_json(messages: Dialogue) -> list[Json]:
    return [{"role": one.role, "parts": [_part_to_json(part) for part in one.parts]} for one in messages]


def _messages(told: list[Json]) -> Dialogue:
    return tuple(Message(one["role"], tuple(_part(part) for part in one["parts"])) for one in told)


def _part_to_json(part: Part) -> str | Json:
    return part if isinstance(part, str) else clip_to_json(part)


def _part(told: str | Json) -> Part:
    return told if isinstance(told, str) else clip_from_json(told)


def _served_to_json(served: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: writable(told) if isinstance(told, str) else told for name, told in served.items()}


def _score_to_json(score: ContinuationScore) -> list[float | int]:
    """Log-likelihood, tokens and, where they are known, audio tokens of the context."""
    known = [] if score.audio_tokens is None else [int(score.audio_tokens)]
    return [float(score.log_likelihood), int(score.tokens), *known]


def _turn(told: Mapping[str, Any], find: Callable[[Any], AudioClip]) -> ReplyAnswer | Failure:
    if told["kind"] == "failure":
        return Failure(told["reason"], told["detail"])
    return _reply(told, find)


def _reply(told: Mapping[str, Any], find: Callable[[Any], AudioClip]) -> ReplyAnswer:
    return ReplyAnswer(
        text=told["text"],
        clip=find(told["clip"]) if told["clip"] else None,
        truncated=told["truncated"],
        heard=told["heard"],
        timings=told["timings"],
        served=told.get("served", {}),
    )
