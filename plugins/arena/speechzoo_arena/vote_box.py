"""One voter's votes in a folder: what comes next, what was said, and taking it back.

A vote is on disk before the voter is told that it is kept. Taking it back appends a line, too: the file is
never rewritten, and after a kill at any instant it says what the voter had been told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from speechzoo import ItemError, SpeechzooError
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.run.wire import writable

from speechzoo_arena.entries import Entry
from speechzoo_arena.orders import both_orders
from speechzoo_arena.pairing import Meeting, next_meeting
from speechzoo_arena.records import FILE, WITHDRAWN, Failed, Heard, Vote, distinct
from speechzoo_arena.vote_ballot import Ballot, Choice, Clips, make_vote, shown
from speechzoo_arena.vote_plan import Plan, next_meeting_of, votes_of

UNHEARABLE = "invalid_material"
"""Why a vote has no verdict that no person gave: its clips cannot be played."""


@dataclass(frozen=True)
class Offer:
    """A ballot and how the page shows it."""

    ballot: Ballot
    page: dict[str, object]


class BallotBox:
    """Puts ballots to one voter and keeps the votes.

    Args:
        folder: where votes.jsonl lies or will lie; the caller has it locked.
        voter: a pseudonym.
        entries: what can be heard.
        plan: what this voter is asked.
        active: the next pair is where all people's votes so far leave most in doubt, not the plan's next.
        seed: of active pairing.

    Raises:
        SpeechzooError: the folder holds votes on other material, or a model of the voter's name.
        StoreError: its file is damaged.
    """

    def __init__(
        self, folder: Path, voter: str, entries: Sequence[Entry], plan: Plan, *, active: bool, seed: int
    ) -> None:
        self.voter = voter
        self._path = folder / FILE
        self._entries = {entry.item.id: entry for entry in entries}
        self._plan = plan
        self._active, self._seed = active, seed
        self._votes = list(read_lines(self._path, Vote))
        self._refuse_others()
        self._file = AppendFile(self._path)
        self._offer: Offer | None = None

    @property
    def total(self) -> int:
        return len(self._plan)

    @property
    def done(self) -> int:
        return votes_of(self._plan, self._heard())

    @property
    def last(self) -> Vote | None:
        """What would be taken back."""
        return next((own for own in reversed(self._mine()) if _is_said(own)), None)

    def offer(self) -> Offer | None:
        """The ballot that the voter has before them; None at the end.

        What cannot be played is kept as a vote without a verdict, and the next one is offered.

        Raises:
            StoreError: there is no room for that.
        """
        while self._offer is None:
            meeting = next_meeting_of(self._plan, self._heard(), self._choose)
            if meeting is None:
                break
            ballot = Ballot(meeting, self._entries[meeting.dialogue])
            clips = Clips("flac")
            try:
                self._offer = Offer(ballot, {**shown(ballot, clips), "clips": clips.carried})
            except ItemError as error:
                self._keep(ballot, Failed(reason=UNHEARABLE, detail=writable(str(error))), "")
        return self._offer

    def cast(self, choice: Choice, reason: str, heard: Heard | None = None) -> None:
        """Keeps the vote on the ballot offered, and how far that was heard.

        Raises:
            StoreError: there is no room for it.
        """
        assert self._offer is not None
        self._keep(self._offer.ballot, choice, reason, heard)
        self._offer = None

    def withdraw(self) -> None:
        """Takes back the voter's last vote, whenever that was; its ballot is offered again."""
        if (last := self.last) is None:
            return
        outcome = Failed(reason=WITHDRAWN)
        self._append(last.model_copy(update={"outcome": outcome, "reason": "", "created": self._now()}))
        self._offer = None

    def close(self) -> None:
        self._file.close()

    def _mine(self) -> list[Vote]:
        own = [vote for vote in self._votes if vote.judge == self.voter]
        return distinct(own, str(self._path))

    def _heard(self) -> list[Meeting]:
        return [Meeting(vote.dialogue, vote.first, vote.second) for vote in self._mine()]

    def _choose(self, left: Sequence[Meeting]) -> Meeting:
        if not self._active:
            return left[0]
        people = distinct((vote for vote in self._votes if vote.kind == "human"), str(self._path))
        names = {name for meeting in left for name in (meeting.first, meeting.second)}
        known = [vote for vote in people if {vote.first, vote.second} <= names]
        return partial(next_meeting, both_orders(known).battles, seed=self._seed)(left)

    def _keep(self, ballot: Ballot, choice: Choice | Failed, reason: str, heard: Heard | None = None) -> None:
        self._append(make_vote(ballot.contest(), self.voter, choice, reason, self._now(), heard))

    def _now(self) -> datetime:
        """Never before the last vote: a clock that is put back must not swap a vote and its withdrawal."""
        return max([datetime.now(UTC), *(vote.created for vote in self._votes[-1:])])

    def _append(self, vote: Vote) -> None:
        self._file.append([vote])
        self._votes.append(vote)

    def _refuse_others(self) -> None:
        if any(vote.kind == "model" and vote.judge == self.voter for vote in self._votes):
            raise SpeechzooError(
                f"{self._path}: {self.voter} is a model that judges there; choose another --name"
            )
        for vote in self._mine():
            entry = self._entries.get(vote.dialogue)
            if entry is None or not {vote.first, vote.second} <= set(entry.sides):
                continue
            ballot = Ballot(Meeting(vote.dialogue, vote.first, vote.second), entry)
            if ballot.basis != vote.basis:
                raise SpeechzooError(
                    f"{self._path} holds a vote of {self.voter} on {vote.dialogue} ({vote.first} against "
                    f"{vote.second}) whose clips or question were others; choose another --out"
                )


def _is_said(vote: Vote) -> bool:
    return not (isinstance(vote.outcome, Failed) and vote.outcome.reason == UNHEARABLE)
