"""Votes on disk: kept before they are told of, taken back, taken up again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from speechzoo import AudioClip, SpeechzooError
from speechzoo.run.store import AppendFile

from speechzoo_arena.entries import Entry, side_of
from speechzoo_arena.material import Exchange
from speechzoo_arena.records import FILE, Failed, Heard, failures, read_votes
from speechzoo_arena.vote_plan import everything, make_plan


def meeting(box: Any) -> Any:
    offer = box.offer()
    return offer and offer.ballot.meeting


def test_a_vote_says_what_was_heard(box: Any, entries: Any, tmp_path: Any) -> None:
    """Otherwise a vote would count for the other system, or on something else than what was heard."""
    own = box(entries())
    shown = own.offer()
    own.cast("second", "  clearer\ud800 ", Heard(first=1, second=0.25))
    (vote,) = read_votes(tmp_path)
    assert (vote.first, vote.second) == (shown.ballot.meeting.first, shown.ballot.meeting.second)
    assert vote.verdict == "second" and vote.kind == "human" and vote.judge == "anna"
    assert vote.group == "semantic" and vote.replies is not None
    assert vote.replies.first == f"replies of {vote.first} to {vote.dialogue[-1]}"
    assert vote.reason.strip() == "clearer?" and vote.basis == shown.ballot.basis
    assert vote.heard is not None and not vote.heard.whole and vote.heard.second == 0.25


def test_a_systems_own_text_is_no_count_of_words(entries: Any) -> None:
    """Otherwise the length of what people heard would be what a system claims to have said."""
    (entry, *_) = entries()
    (own, *_) = next(iter(entry.sides.values())).exchanges
    spoken = Exchange(own.user, own.user_text, reply=own.user, reply_text="Two words.")
    written = Exchange(own.user, own.user_text, reply_text="Two words.")
    assert side_of((spoken, written), transcribed=False).words is None
    assert side_of((spoken, written), transcribed=True).words == 4
    assert side_of((written,), transcribed=False).words == 2


def test_nothing_shown_tells_who_it_is(box: Any, entries: Any) -> None:
    """Otherwise a vote would be for a name and not for what was heard."""
    own = box(entries(("short-system", "long-system")))
    told = repr(own.offer().page)
    assert "short-system" not in told and "long-system" not in told and "secret-" not in told


def test_what_files_say_beside_sound_is_left_at_home(entries: Any, box: Any, tmp_path: Any) -> None:
    """Otherwise a clip's title could name the system that made it."""
    import soundfile

    path = tmp_path / "gpt-99.flac"
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        file.title = "made by gpt-99"
        file.write([0.0, 0.1] * 2_000)
    assert b"gpt-99" in path.read_bytes()
    some = entries(dialogues=1)
    side = some[0].sides["long"]
    first, last = side.exchanges
    tagged = Exchange(first.user, first.user_text, reply=AudioClip.from_file(path))
    object.__setattr__(side, "exchanges", (tagged, last))
    from base64 import b64decode

    for clip in box(some).offer().page["clips"]:
        assert b"gpt-99" not in b64decode(clip["src"].partition(",")[2])


def test_taking_back_goes_as_far_as_one_likes(box: Any, entries: Any, tmp_path: Any) -> None:
    """Otherwise a slip of the finger would stay in the ratings."""
    own = box(entries())
    one = meeting(own)
    own.cast("first", "")
    two = meeting(own)
    own.cast("cannot_judge", "noise")
    assert failures(read_votes(tmp_path)) == {"cannot_judge": 1}
    own.withdraw()
    assert meeting(own) == two and own.done == 1
    own.withdraw()
    assert meeting(own) == one and own.done == 0 and own.last is None
    own.withdraw()
    own.cast("tie", "")
    assert [vote.outcome for vote in read_votes(tmp_path)] == ["tie"]
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 5, "nothing is ever deleted"


def test_a_clock_that_is_put_back(box: Any, entries: Any, tmp_path: Any) -> None:
    """Otherwise a vote that was taken back would count in reports, which read votes by their time."""
    own = box(entries())
    own.offer()
    own.cast("first", "")
    later = datetime.now(UTC) + timedelta(days=1)
    own._votes[0] = own._votes[0].model_copy(update={"created": later})
    own.withdraw()
    assert own._votes[1].created == later and own._votes[1].withdraws


def test_taken_up_again(box: Any, entries: Any, tmp_path: Any) -> None:
    """Otherwise a voter who comes back would begin from the start, or could not take back the last vote."""
    own = box(entries(), again=0.5)
    for _ in range(3):
        own.cast("first", "") if own.offer() else None
    coming, total = meeting(own), own.total
    own.close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"dialogue":"secret-')
    again = box(entries(), again=0.5)
    assert meeting(again) == coming and again.done == 3 and again.total == total == 6
    again.withdraw()
    assert again.done == 2
    assert box(entries(), voter="ben").done == 0


def test_two_voters_of_a_folder(box: Any, entries: Any, tmp_path: Any) -> None:
    """Otherwise people who vote one after the other would take each other's votes back."""
    anna = box(entries())
    anna.offer()
    anna.cast("first", "")
    anna.close()
    ben = box(entries(), voter="ben")
    assert ben.last is None
    ben.offer()
    ben.cast("second", "")
    assert [vote.judge for vote in read_votes(tmp_path)] == ["anna", "ben"]


def test_to_the_end(box: Any, entries: Any, tmp_path: Any) -> None:
    """Otherwise the last dialogue would be missing, or the program would stop with an error."""
    own = box(entries(("short", "long", "middle"), 3), again=1.0)
    heard = []
    while own.offer():
        heard.append(meeting(own))
        own.cast("tie", "")
    assert own.done == own.total == len(set(heard)) == 18
    assert len(read_votes(tmp_path)) == 18


def test_active_pairing_goes_where_it_is_open(box: Any, entries: Any) -> None:
    """Otherwise votes would be spent on pairs that are decided."""
    own = box(entries(("good", "bad", "other"), 6), active=True)
    pairs = []
    for _ in range(9):
        now = meeting(own)
        pairs.append(frozenset((now.first, now.second)))
        good = "first" if now.first == "good" else "second"
        own.cast(good if "good" in pairs[-1] else "tie", "")
    assert set(map(tuple, pairs[:2])) and pairs[0] != pairs[1], "systems are connected first"
    assert pairs.count(frozenset(("bad", "other"))) > 3


def test_active_pairing_chooses_from_all_and_ends_in_time(box: Any, entries: Any) -> None:
    """Otherwise a few battles would be those of the plan, heard in another order."""
    some = entries(("good", "bad", "other"), 6)
    own = box(some, active=True, battles=9, again=0.34)
    assert own.total == 12
    heard = []
    while own.offer():
        now = meeting(own)
        heard.append(now)
        good = "first" if now.first == "good" else "second"
        own.cast(good if "good" in (now.first, now.second) else "tie", "")
        assert own.done == len(heard)
        if len(heard) == 5:
            own.close()
            own = box(some, active=True, battles=9, again=0.34)
            assert own.done == 5
    pairs = {(one.dialogue, frozenset((one.first, one.second))) for one in heard}
    assert len(heard) == len(set(heard)) == 12 and len(pairs) == 9
    planned = everything(
        make_plan({one.item.id: sorted(one.sides) for one in some}, "anna", battles=9, again=0, seed=0)
    )
    assert not pairs <= {(one.dialogue, frozenset((one.first, one.second))) for one in planned}
    assert sum(pair == frozenset(("bad", "other")) for _, pair in pairs) > 3, "a plan has three of each pair"


def test_a_clip_that_cannot_be_played_is_told(box: Any, entries: Any, tmp_path: Any, tone: Any) -> None:
    """Otherwise a damaged file would stop the voter, or be judged as silence."""
    some: list[Entry] = entries(dialogues=2)
    broken = tmp_path / "broken.flac"
    broken.write_bytes(tone(700, 1.0).encoded()[:2_000])
    for entry in some[:1]:
        side = entry.sides["long"]
        first, last = side.exchanges
        cut = Exchange(first.user, first.user_text, reply=AudioClip.from_file(broken))
        object.__setattr__(side, "exchanges", (cut, last))
    own = box(some)
    assert meeting(own).dialogue == "secret-1"
    own.cast("first", "")
    assert own.offer() is None and own.done == 2
    failed = [vote.outcome for vote in read_votes(tmp_path) if isinstance(vote.outcome, Failed)]
    assert [(one.reason, "broken.flac" in one.detail) for one in failed] == [("invalid_material", True)]
    own.withdraw()
    assert meeting(own).dialogue == "secret-1", "what no person said cannot be taken back"


def test_other_clips_are_refused(box: Any, entries: Any) -> None:
    """Otherwise votes on last month's replies would be mixed with votes on today's."""
    own = box(entries())
    own.offer()
    own.cast("first", "")
    own.close()
    other = entries()
    for entry in other:
        entry.sides["long"] = other[0].sides["short"]
    with pytest.raises(SpeechzooError, match="whose clips or question were others; choose another --out"):
        box(other)


def test_a_model_of_the_voters_name_is_refused(box: Any, entries: Any, vote: Any, tmp_path: Any) -> None:
    """Otherwise no report on the folder could tell the two apart."""
    file = AppendFile(tmp_path / FILE)
    file.append([vote("short", "long", judge="anna")])
    file.close()
    with pytest.raises(SpeechzooError, match="anna is a model that judges there"):
        box(entries())
