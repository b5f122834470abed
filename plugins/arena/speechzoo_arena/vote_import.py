"""Votes that came back from a page elsewhere: what a stranger's file says is checked before it counts."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from speechzoo import SpeechzooError
from speechzoo.run.store import AppendFile, read_lines

from speechzoo_arena.records import FILE, Heard, Vote, distinct
from speechzoo_arena.vote_ballot import Choice, make_vote
from speechzoo_arena.vote_export import Key

MAX_BYTES = 100_000_000

Read = TypeVar("Read", bound=BaseModel)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Said(_Record):
    """``turned``: the other system was heard first; ``choice`` and ``heard`` are in the order heard."""

    ballot: str
    turned: bool
    choice: Choice
    reason: str = Field(default="", max_length=2_000)
    heard: Heard | None = None
    created: AwareDatetime


class VotesFile(_Record):
    """What a page's voter downloads."""

    format: Literal["speechzoo-votes"]
    version: Literal[2]
    export: str
    voter: Annotated[str, Field(min_length=1, max_length=60)]
    votes: tuple[_Said, ...]


def import_votes(votes: Path, key: Path, folder: Path, voter: str | None) -> int:
    """Appends those votes of a file that a folder does not hold yet; all of them, or none. Returns how many.

    So a voter's later download, which holds the earlier votes as well, can be imported too.

    Args:
        votes: as a page's voter downloaded them.
        key: of that page.
        folder: the caller has it locked.
        voter: instead of the pseudonym in the file.

    Raises:
        SpeechzooError: the files are none, or of different pages, or the folder has another vote of this
            voter on one of the ballots.
    """
    said, who = _read(votes, VotesFile), _read(key, Key)
    if said.export != who.export:
        raise SpeechzooError(f"{votes} is of the page {said.export}, {key} of the page {who.export}")
    name = checked_name(said.voter if voter is None else voter)
    new: dict[str, Vote] = {}
    for own in said.votes:
        if own.ballot not in who.ballots:
            raise SpeechzooError(f"{votes}: {key} has no ballot {own.ballot!r}")
        if own.ballot in new:
            raise SpeechzooError(f"{votes}: two votes on the ballot {own.ballot!r}")
        new[own.ballot] = _vote(who.ballots[own.ballot][own.turned], name, own, key)
    return _append(list(new.values()), name, folder / FILE)


def checked_name(name: str) -> str:
    """A voter's pseudonym without spaces around it.

    Raises:
        SpeechzooError: it is empty, longer than 60 signs, or has signs that cannot be printed.
    """
    name = name.strip()
    if not 1 <= len(name) <= 60 or not name.isprintable():
        raise SpeechzooError(f"{name!r} is no pseudonym: 1 to 60 printable signs; choose another --name")
    return name


def _append(votes: list[Vote], voter: str, path: Path) -> int:
    there = list(read_lines(path, Vote))
    if any(own.kind == "model" and own.judge == voter for own in there):
        raise SpeechzooError(f"{path}: {voter} is a model that judges there; choose another --name")
    known = {own.key: own for own in distinct((own for own in there if own.judge == voter), str(path))}
    for own in votes:
        if own.key in known and not _same(own, known[own.key]):
            raise SpeechzooError(
                f"{path} holds another vote of {voter} on {own.dialogue} ({own.first} against {own.second}): "
                "either it was taken back and cast anew after an earlier download (then import the last "
                "download alone, into another --out), or two people chose one pseudonym (then give one "
                "another --name)"
            )
    new = [own for own in votes if own.key not in known]
    file = AppendFile(path)
    try:
        file.append(new)
    finally:
        file.close()
    return len(new)


def _same(one: Vote, other: Vote) -> bool:
    return (one.outcome, one.created) == (other.outcome, other.created)


def _vote(contest: dict[str, object], voter: str, own: _Said, key: Path) -> Vote:
    try:
        return make_vote(contest, voter, own.choice, own.reason.strip(), own.created, own.heard)
    except ValidationError as error:
        raise SpeechzooError(f"{key} cannot be read: {error}") from error


def _read(path: Path, kind: type[Read]) -> Read:
    if path.stat().st_size > MAX_BYTES:
        raise SpeechzooError(f"{path} is larger than any such file")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        what = "a key" if kind is Key else "the votes of a page"
        raise SpeechzooError(f"{path} is not {what}: {error}") from error
