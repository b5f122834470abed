"""A page for people elsewhere, its key, and the votes that come back."""

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from speechzoo import AudioClip, SpeechzooError

from speechzoo_arena.records import Failed, read_votes
from speechzoo_arena.vote_export import export, key_of
from speechzoo_arena.vote_import import import_votes
from speechzoo_arena.vote_plan import everything, make_plan

CREATED = "2026-05-01T10:00:00.000Z"
LARGE = 50_000_000


def exported(entries: Any, path: Path, **more: Any) -> Any:
    plan = make_plan({own.item.id: sorted(own.sides) for own in entries}, "", battles=None, again=0.5, seed=0)
    options = {"free": False, "encoding": "flac", "limit": LARGE, **more}
    return export(path, entries, everything(plan), **options)


def data_of(page: Path) -> Any:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def answer(page: Path, voter: str = "anna", **more: Any) -> Path:
    """What a voter downloads who always prefers A."""
    data = data_of(page)
    votes = [
        {"ballot": own["id"], "turned": False, "choice": "first", "created": CREATED, **more}
        for own in data["ballots"]
    ]
    said = {
        "format": "speechzoo-votes",
        "version": 2,
        "export": data["export"],
        "voter": voter,
        "votes": votes,
    }
    path = page.with_name("votes.json")
    path.write_text(json.dumps(said))
    return path


@pytest.fixture
def page(entries: Any, tmp_path: Path) -> Path:
    (written,), skipped = exported(entries(("short-x", "long-x"), words="<!--<script>"), tmp_path / "p.html")
    assert not skipped and written.ballots == 6
    return Path(written.page)


def test_the_page_tells_nothing(page: Path) -> None:
    """Otherwise a curious voter could look up whom they hear."""
    text = page.read_text()
    assert not re.search(r"short-x|long-x|secret-|semantic", text)
    assert text.count("<script") == 2 and "<!--<script>" not in text
    assert "connect-src" not in text.partition("</head>")[0] and "http:" not in text and "https:" not in text
    data = data_of(page)
    assert set(data) == {"export", "free", "ballots", "clips"}
    assert [b64decode(own["src"].partition(",")[2])[:4] for own in data["clips"]] == 16 * [b"fLaC"]
    assert data["ballots"][0]["turns"][0]["words"] == "<!--<script>"


def test_votes_come_home(page: Path, tmp_path: Path) -> None:
    """Otherwise a vote would count for whoever was heard second, or for another dialogue."""
    out = tmp_path / "votes"
    out.mkdir()
    assert import_votes(answer(page), key_of(page), out, None) == 6
    votes = read_votes(out)
    heard = {own["id"]: own for own in data_of(page)["ballots"]}
    key = json.loads(key_of(page).read_text())["ballots"]
    assert [(own.first, own.second) for own in votes] == [
        (key[name][0]["first"], key[name][0]["second"]) for name in heard
    ]
    for own, shown in zip(votes, heard.values(), strict=True):
        # The written reply of each system ends in its place among both.
        assert own.judge == "anna" and own.kind == "human" and own.verdict == "first"
        assert shown["turns"][1]["first"]["text"].endswith("0" if own.first == "short-x" else "1")
    pairs = [(own.dialogue, own.first) for own in votes]
    assert len(set(pairs)) == 6 and len({dialogue for dialogue, _ in pairs}) == 4


def test_a_vote_of_somebody_who_heard_the_other_one_first(page: Path, entries: Any, tmp_path: Path) -> None:
    """Otherwise the vote of half the people would count for the other system."""
    there, turned = tmp_path / "there", tmp_path / "turned"
    for folder in (there, turned):
        folder.mkdir()
    import_votes(answer(page), key_of(page), there, None)
    heard = {"first": 1, "second": 0.5}
    import_votes(answer(page, turned=True, heard=heard), key_of(page), turned, None)
    for one, other in zip(read_votes(there), read_votes(turned), strict=True):
        assert (one.first, one.second) == (other.second, other.first)
        assert one.replies.first == other.replies.second != one.replies.second
        assert one.verdict == other.verdict == "first" and one.basis != other.basis
        assert one.heard is None and (other.heard.first, other.heard.second) == (1, 0.5)


def test_cannot_judge_comes_home_as_such(page: Path, tmp_path: Path) -> None:
    """Otherwise it would be a tie."""
    import_votes(answer(page, choice="cannot_judge", reason="too quiet"), key_of(page), tmp_path, None)
    assert {(own.outcome, own.reason) for own in read_votes(tmp_path)} == {
        (Failed(reason="cannot_judge"), "too quiet")
    }


def test_a_later_download_adds_what_is_new(page: Path, tmp_path: Path) -> None:
    """Otherwise one person would count as two, or whoever goes on voting could not send the rest."""
    path, key = answer(page), key_of(page)
    whole = path.read_text()
    said = json.loads(whole)
    path.write_text(json.dumps({**said, "votes": said["votes"][:4]}))
    assert import_votes(path, key, tmp_path, None) == 4
    path.write_text(whole)
    assert import_votes(path, key, tmp_path, None) == 2
    assert import_votes(path, key, tmp_path, None) == 0
    assert len(read_votes(tmp_path)) == 6
    assert import_votes(path, key, tmp_path, "anna of the other office") == 6


@pytest.mark.parametrize("change", [{"choice": "tie"}, {"created": "2026-05-01T10:00:01.000Z"}])
def test_another_vote_on_a_ballot_is_refused(page: Path, tmp_path: Path, change: dict[str, str]) -> None:
    """Otherwise two people of one pseudonym would be one, or a vote that was changed would stay as it was."""
    path, key = answer(page), key_of(page)
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "votes": said["votes"][:4]}))
    import_votes(path, key, tmp_path, None)
    said["votes"][0] |= change
    path.write_text(json.dumps(said))
    with pytest.raises(SpeechzooError, match="another vote of anna on secret-"):
        import_votes(path, key, tmp_path, None)
    assert len(read_votes(tmp_path)) == 4


def test_another_pages_votes_are_refused(page: Path, entries: Any, tmp_path: Path) -> None:
    """Otherwise votes would be given to systems that the voter never heard."""
    (other,), _ = exported(entries(), tmp_path / "other.html")
    with pytest.raises(SpeechzooError, match="is of the page"):
        import_votes(answer(page), key_of(other.page), tmp_path, None)
    with pytest.raises(SpeechzooError, match="is not a key"):
        import_votes(answer(page), answer(page), tmp_path, None)
    with pytest.raises(SpeechzooError, match="is not the votes of a page"):
        import_votes(key_of(page), key_of(page), tmp_path, None)


@pytest.mark.parametrize(
    "change",
    [
        {"ballot": "0" * 16}, {"choice": "third"}, {"created": "yesterday"}, {"reason": "x" * 2_001},
        {"first": "long-x"}, {"turned": 2}, {"heard": {"first": 1}}, {"heard": {"first": 2, "second": 1}},
    ],
)  # fmt: skip
def test_a_forged_file_is_refused_whole(page: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    """Otherwise half of a damaged file would count."""
    path = answer(page)
    said = json.loads(path.read_text())
    said["votes"][-1] |= change
    path.write_text(json.dumps(said))
    with pytest.raises(SpeechzooError, match=r"votes\.json"):
        import_votes(path, key_of(page), tmp_path, None)
    assert not (tmp_path / "votes.jsonl").exists()


@pytest.mark.parametrize("voter", ["", "   ", "\x1b[2J", "a\u202eb", "x" * 61])
def test_a_voters_name_can_be_printed(page: Path, tmp_path: Path, voter: str) -> None:
    """Otherwise a stranger's file could write over the terminal of whoever reads the report."""
    with pytest.raises(SpeechzooError, match=r"pseudonym|votes of a page"):
        import_votes(answer(page, voter), key_of(page), tmp_path, None)


def test_a_ballot_voted_on_twice_is_refused(page: Path, tmp_path: Path) -> None:
    """Otherwise the second vote would make the whole folder unreadable."""
    path = answer(page)
    said = json.loads(path.read_text())
    said["votes"].append(said["votes"][0])
    path.write_text(json.dumps(said))
    with pytest.raises(SpeechzooError, match="two votes on the ballot"):
        import_votes(path, key_of(page), tmp_path, None)


def test_a_large_page_is_split(entries: Any, tmp_path: Path) -> None:
    """Otherwise a page would be too large for a mail, or a ballot would be lost between two."""
    some = entries(dialogues=6)
    (whole,), _ = exported(some, tmp_path / "whole.html")
    parts, _ = exported(some, tmp_path / "part.html", limit=40_000)
    assert [own.page.name for own in parts] == [f"part-{n}.html" for n in range(1, len(parts) + 1)]
    assert len(parts) > 1 and sum(own.ballots for own in parts) == whole.ballots == 9
    assert all(own.size == own.page.stat().st_size for own in parts)
    ids = [own["id"] for part in parts for own in data_of(part.page)["ballots"]]
    assert len(set(ids)) == 9
    for part in parts:
        assert set(json.loads(key_of(part.page).read_text())["ballots"]) <= set(ids)


def test_ogg_is_smaller_and_as_long(entries: Any, tmp_path: Path, tone: Any) -> None:
    """Otherwise clips would lose their ends, or the option would save nothing."""
    some = entries(dialogues=1)
    for side in some[0].sides.values():
        object.__setattr__(side.exchanges[0], "reply", tone(440, 2.5))
    (flac,), _ = exported(some, tmp_path / "flac.html")
    (ogg,), _ = exported(some, tmp_path / "ogg.html", encoding="ogg")
    assert ogg.size < flac.size
    carried = data_of(ogg.page)["clips"]
    for own in carried:
        clip = AudioClip.from_bytes(b64decode(own["src"].partition(",")[2]))
        assert clip.encoded()[:4] == b"OggS" and clip.seconds == pytest.approx(own["seconds"], abs=0.06)


def test_a_clip_that_cannot_be_read_is_told(entries: Any, tmp_path: Path) -> None:
    """Otherwise one damaged file would prevent the page, or be missing without a word."""
    some = entries()
    for own in some[:2]:
        gone = AudioClip.from_file(tmp_path / "gone.flac")
        object.__setattr__(own.sides["long"].exchanges[0], "reply", gone)
    (written,), skipped = exported(some, tmp_path / "p.html")
    assert written.ballots == 6 - len(skipped) and 2 <= len(skipped) <= 4
    assert all("gone.flac" in told for told in skipped)


def test_by_the_command(command: Any, runs: Any, tmp_path: Path) -> None:
    """Otherwise the options would not reach what they are about."""
    page = tmp_path / "listen.html"
    done = command("vote", *runs, "--export", page, "--battles", "2", "--again", "0.5", "--free")
    assert "listen.html: 3 ballots, 0." in done.stdout and "listen.key.json" in done.stdout
    assert data_of(page)["free"] is True
    home = tmp_path / "votes"
    back = ("--import", answer(page), "--key", key_of(page), "--out", home)
    assert "3 new votes in" in command("vote", *back).stdout
    assert "0 new votes in" in command("vote", *back).stdout
    assert {own.dialogue for own in read_votes(home)} <= {"chat-0", "chat-1", "chat-2"}
