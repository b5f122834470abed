"""A page for people elsewhere, and the key that says who is who in it.

The page opens from disk and has all clips in it. Its ballots have drawn names; the key, which stays at home,
has what they stand for. Half the voters, by their pseudonyms, hear the other system of each ballot first.
Where a page would be too large there are several, each with a key of its own.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from speechzoo import ItemError
from speechzoo.run.files import write_whole

from speechzoo_arena.entries import Entry
from speechzoo_arena.pairing import Meeting
from speechzoo_arena.vote_ballot import Ballot, Clips, Encoding, shown
from speechzoo_arena.vote_page import render

KEY_ENDING = ".key.json"


class Key(BaseModel):
    """A key file.

    Attributes:
        export: the name of the page, in its votes, too.
        ballots: by their name in the page, a vote's fields that do not depend on the voter: as the page has
            them, and with the other system first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["speechzoo-votes-key"] = "speechzoo-votes-key"
    version: Literal[2] = 2
    export: str
    ballots: dict[str, tuple[dict[str, Any], dict[str, Any]]]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        page: its file; the key lies beside it.
        ballots: in it.
        size: in bytes.
    """

    page: Path
    ballots: int
    size: int


@dataclass
class _Part:
    clips: Clips
    ballots: list[dict[str, Any]] = field(default_factory=list)
    contests: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)


def export(
    path: Path,
    entries: Sequence[Entry],
    meetings: Sequence[Meeting],
    *,
    free: bool,
    encoding: Encoding,
    limit: int,
) -> tuple[list[Exported], list[str]]:
    """Writes pages and keys.

    Args:
        path: of the page; parts are ``NAME-1.html``, ``NAME-2.html``, ...
        entries: what can be heard.
        meetings: in the order to be heard.
        free: a choice is allowed before everything was played.
        encoding: of the clips: lossless FLAC, or Ogg Vorbis.
        limit: bytes after which another page is begun; a ballot is never split.

    Returns:
        What was written, and why ballots were left out.

    Raises:
        StoreError: a file cannot be written.
    """
    skipped: list[str] = []
    parts = list(_parts(entries, meetings, encoding, limit, skipped))
    written = []
    for number, part in enumerate(parts, start=1):
        file = path if len(parts) == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        name = secrets.token_hex(8)
        data = {"export": name, "free": free, "ballots": part.ballots, "clips": part.clips.carried}
        page = render(data, served=False).encode()
        # The key first: a page without its key would collect votes on nobody knows whom.
        key = Key(export=name, ballots=part.contests)
        write_whole(key_of(file), json.dumps(key.model_dump(), ensure_ascii=False, indent=1) + "\n")
        write_whole(file, page)
        written.append(Exported(file, len(part.ballots), len(page)))
    return written, skipped


def key_of(page: Path) -> Path:
    return page.with_name(page.stem + KEY_ENDING)


def _parts(
    entries: Sequence[Entry],
    meetings: Sequence[Meeting],
    encoding: Encoding,
    limit: int,
    skipped: list[str],
) -> Iterator[_Part]:
    sides: Mapping[str, Entry] = {entry.item.id: entry for entry in entries}
    part = _Part(Clips(encoding))
    for meeting in meetings:
        ballot = Ballot(meeting, sides[meeting.dialogue])
        try:
            alone = Clips(encoding)
            shown(ballot, alone)
        except ItemError as error:
            skipped.append(f"{meeting.dialogue}, {meeting.first} against {meeting.second}: {error}")
            continue
        if part.ballots and part.clips.size + alone.size > limit:
            yield part
            part = _Part(Clips(encoding))
        name = secrets.token_hex(8)
        part.ballots.append({"id": name, **shown(ballot, part.clips)})
        part.contests[name] = ballot.contest(), ballot.turned.contest()
    if part.ballots:
        yield part
