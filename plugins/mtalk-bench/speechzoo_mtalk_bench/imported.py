"""Replies out of files, in place of a model."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from speechzoo import AudioClip, Capability, DialogueAnswer, Failure, ItemError, ModelSpec, ReplyAnswer
from speechzoo.asks import DialogueAsk, dialogue_answer
from speechzoo.audio import to_flac
from speechzoo.loading import Component
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work

from speechzoo_mtalk_bench.dialogues import Replies, Reply


@dataclass(frozen=True)
class ImportedReplies:
    """An executor that looks replies up by item and turn.

    Attributes:
        replies: of one system.
    """

    replies: Replies

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        for batch in batches:
            yield [(work, self._answer(work)) for work in batch]

    def close(self) -> None:
        """There is nothing to end."""

    def _answer(self, work: Work) -> DialogueAnswer | Failure:
        if not isinstance(work.ask, DialogueAsk):
            return Failure("not_imported", "only replies to dialogues are imported")
        own: Mapping[int, Reply] = self.replies.get(work.key.item, {})
        return dialogue_answer([_reply(own.get(turn)) for turn in range(1, len(work.ask.turns) + 1)])


def imported_model(name: str, package: str, replies: Replies) -> Component:
    """The system that the replies are filed under; its identity holds a digest of all of them."""
    spec = ModelSpec(
        name="mtalk-import",
        target="speechzoo_mtalk_bench.imported:ImportedReplies",
        summary=f"replies of {name} that were imported, not given here",
        capabilities=frozenset({Capability.AUDIO_IN, Capability.SPEECH_OUT, Capability.MULTI_TURN}),
    )
    known = {"replies": digest_of(replies)}
    return Component(kind="model", name=name, spec=spec, package=package, parameters=known)


def digest_of(replies: Replies) -> str:
    """Of items, turns, audio and texts."""
    whole = hashlib.sha256()
    for item, turns in sorted(replies.items()):
        for turn, reply in sorted(turns.items()):
            whole.update(f"{item}\0{turn}\0{_digest(reply.clip)}\0{reply.text}\0".encode("utf-8", "replace"))
    return whole.hexdigest()


def _digest(clip: AudioClip) -> str:
    try:
        return clip.digest
    except ItemError as error:
        return error.reason


def _reply(reply: Reply | None) -> ReplyAnswer | Failure:
    if reply is None:
        return Failure("no_reply", "there is none for this turn")
    try:
        flac = to_flac(reply.clip, reply.clip.header.rate)
    except ItemError as error:
        return Failure(error.reason, error.detail)
    return ReplyAnswer(reply.text, AudioClip.from_bytes(flac))
