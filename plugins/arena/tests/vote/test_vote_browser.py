"""The page in a real browser, with the keyboard alone. Left out where Chromium or playwright is missing."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speechzoo_arena.records import read_votes
from speechzoo_arena.vote_export import export, key_of
from speechzoo_arena.vote_import import import_votes
from speechzoo_arena.vote_plan import everything, make_plan

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a Chromium in the PATH: apt-get install chromium"
)

SECONDS = 20_000
NOT_HEARD = re.compile("not heard yet")
CHOSEN = "input[name=choice]:checked"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page that fails the test if anything goes wrong in it, or if it reaches elsewhere."""
    context = chromium.new_context(accept_downloads=True)
    own = context.new_page()
    own.set_default_timeout(SECONDS)
    wrong: list[str] = []
    own.on("console", lambda message: wrong.append(message.text))
    own.on("pageerror", lambda error: wrong.append(str(error)))
    own.on(
        "request",
        lambda asked: (
            None
            if re.match(r"http://127\.0\.0\.1:|data:|file:|blob:", asked.url)
            else wrong.append(asked.url)
        ),
    )
    yield own
    context.close()
    assert not wrong


def listen(page: Any) -> None:
    """Plays both dialogues with the keyboard and waits until a choice is allowed."""
    page.wait_for_selector("#options:disabled")
    page.keyboard.press("p")
    page.wait_for_selector("#options:enabled")


def at(page: Any, number: int) -> None:
    page.wait_for_selector(f"text=Dialogue {number} of")


def test_from_beginning_to_end_with_the_keyboard(
    page: Any, serve: Any, box: Any, entries: Any, tmp_path: Path
) -> None:
    """Otherwise nobody without a mouse could vote."""
    page.goto(serve(box(entries(("short-x", "long-x"), 2))).url)
    at(page, 1)
    assert page.get_by_role("button", name=NOT_HEARD).count() == 4
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    assert page.locator(CHOSEN).count() == 0, "nothing is chosen before it was heard"
    for _ in range(4):
        page.keyboard.press(".")
    assert page.locator("#speed").input_value() == "2"
    listen(page)
    assert page.locator("#told").text_content() == "You can choose now."
    assert page.get_by_role("button", name=NOT_HEARD).count() == 0
    page.keyboard.press("2")
    page.keyboard.press("Tab")
    page.keyboard.type("B answered, u see: 1 2 3")
    page.keyboard.press("Control+Enter")
    at(page, 2)
    assert page.evaluate("document.activeElement.id") == "question", "a reader hears the next question"
    (vote,) = read_votes(tmp_path)
    assert vote.heard is not None and vote.heard.whole
    assert vote.verdict == "second" and vote.reason == "B answered, u see: 1 2 3"
    page.keyboard.press("u")
    at(page, 1)
    assert read_votes(tmp_path) == []
    listen(page)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    at(page, 2)
    listen(page)
    page.keyboard.press("3")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=That was all")
    assert not re.search(r"short-x|long-x|secret-", page.content())
    assert [str(own.verdict) for own in read_votes(tmp_path)] == ["first", "None"]


def test_with_the_mouse_alone(page: Any, serve: Any, box: Any, entries: Any, tmp_path: Path) -> None:
    """Otherwise somebody who uses no keys could not vote, or not take a slip back."""
    page.goto(serve(box(entries(("short-x", "long-x"), 2))).url)
    at(page, 1)
    page.wait_for_selector("#options:disabled")
    page.locator("#play-all").click()
    page.wait_for_selector("#options:enabled")
    page.locator("#options label", has_text="B is better").click()
    page.locator("#cast").click()
    at(page, 2)
    assert [vote.verdict for vote in read_votes(tmp_path)] == ["second"]
    page.locator(".undo:visible").first.click()
    at(page, 1)
    assert read_votes(tmp_path) == []


def test_tab_reaches_everything_and_shows_where_it_is(page: Any, serve: Any, box: Any, entries: Any) -> None:
    """Otherwise whoever uses no single keys would not get to a control, or not know where they are."""
    page.goto(serve(box(entries())).url)
    listen(page)
    page.locator("#single").evaluate("box => { box.checked = false; }")
    page.keyboard.press("2")
    assert page.locator(CHOSEN).count() == 0, "single keys can be switched off"
    page.locator("#question").focus()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "(() => { const on = document.activeElement;"
            " const look = on.type === 'radio' ? on.nextElementSibling : on;"
            " return [on.id || on.name || on.className, getComputedStyle(look).outlineStyle]; })()"
        )
        assert told[1] == "solid" or told[0] == "", told
        seen.append(told[0].split()[0] if told[0] else "")
    assert seen[1:] == [
        "play-all", "play-first", "play-second", "speed", "clip", "clip", "clip", "clip", "choice", "reason",
        "cast",
    ]  # fmt: skip


def test_pausing_does_not_count_as_heard(page: Any, serve: Any, box: Any, entries: Any, tone: Any) -> None:
    """Otherwise a voter could choose after the first second."""
    some = entries(dialogues=1)
    for side in some[0].sides.values():
        object.__setattr__(side.exchanges[0], "user", tone(300, 5.0))
    page.goto(serve(box(some)).url)
    page.wait_for_selector("#options:disabled")
    page.keyboard.press("p")
    page.wait_for_selector(".clip.playing")
    page.keyboard.press("p")
    page.wait_for_selector("#play-all:has-text('Go on')")
    assert page.get_by_role("button", name=NOT_HEARD).count() == 4
    page.get_by_role("button", name=re.compile("Reply A, turn 1")).press("Enter")
    page.wait_for_selector("text=3 of 4 clips are left")
    assert page.locator("#options:disabled").count() == 1


def test_free_choice(page: Any, serve: Any, box: Any, entries: Any, tmp_path: Path) -> None:
    """Otherwise the switch would do nothing."""
    page.goto(serve(box(entries()), free=True).url)
    at(page, 1)
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    at(page, 2)
    (vote,) = read_votes(tmp_path)
    assert vote.verdict is None
    assert vote.heard is not None and (vote.heard.first, vote.heard.second) == (0, 0)


def test_a_program_that_ended_is_told(page: Any, serve: Any, box: Any, entries: Any, chromium: Any) -> None:
    """Otherwise a voter would listen on, and nothing would be kept."""
    server = serve(box(entries()), free=True)
    context = chromium.new_context()
    own = context.new_page()
    own.goto(server.url)
    at(own, 1)
    server.shutdown()
    server.socket.close()
    own.keyboard.press("1")
    own.keyboard.press("Enter")
    own.wait_for_selector("text=start it again with the same command")
    assert own.locator(CHOSEN).count() == 1, "the choice is still there"
    context.close()


def test_hostile_texts_stay_texts(page: Any, serve: Any, box: Any, entries: Any) -> None:
    """Otherwise a system could make its reply run in the voter's browser, and vote."""
    words = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"
    page.goto(serve(box(entries(words=words), voter=words[:50])).url)
    at(page, 1)
    assert page.title() == "Which assistant was better?"
    assert page.locator("img").count() == 0
    assert words in page.locator(".words").first.text_content()


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits(chromium: Any, serve: Any, box: Any, entries: Any, width: int, scheme: str) -> None:
    """Otherwise one would have to scroll sideways on a phone, or could not read it at night."""
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    own = context.new_page()
    own.goto(serve(box(entries(words="x" * 200))).url)
    at(own, 1)
    assert own.evaluate("document.documentElement.scrollWidth") <= width
    light = own.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light == "rgb(17, 20, 24)") == (scheme == "dark")
    context.close()


def vote_from_disk(page: Any, written: Path, voter: str, votes: Path) -> None:
    """Votes ``second``, closes the page and opens it again, votes ``tie``, downloads."""
    page.goto(written.as_uri())
    page.wait_for_selector("#join")
    page.keyboard.type(voter)
    page.keyboard.press("Enter")
    at(page, 1)
    listen(page)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    at(page, 2)
    page.reload()
    at(page, 2)
    listen(page)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=That was all")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download my votes").press("Enter")
    waiting.value.save_as(votes)


def test_a_page_from_disk(page: Any, chromium: Any, entries: Any, tmp_path: Path) -> None:
    """Otherwise people elsewhere could not vote, would lose their votes, or all hear one system first."""
    some = entries(("short-x", "long-x"), 2)
    plan = make_plan({own.item.id: sorted(own.sides) for own in some}, "", battles=None, again=0, seed=0)
    (written,), _ = export(
        tmp_path / "listen.html", some, everything(plan), free=False, encoding="flac", limit=10**8
    )
    elsewhere = chromium.new_context(accept_downloads=True)
    first = []
    for voter, own in (("ben", page), ("Åsa", elsewhere.new_page())):
        votes, home = tmp_path / f"{voter}.json", tmp_path / voter
        home.mkdir()
        vote_from_disk(own, written.page, voter, votes)
        assert json.loads(votes.read_text())["voter"] == voter and "long-x" not in votes.read_text()
        assert import_votes(votes, key_of(written.page), home, None) == 2
        found = read_votes(home)
        assert [vote.verdict for vote in found] == ["second", "tie"]
        assert [vote.dialogue for vote in found] == [meeting.dialogue for meeting in everything(plan)]
        assert all(vote.heard and vote.heard.whole for vote in found)
        first.append([vote.first for vote in found])
    elsewhere.close()
    assert first[0] == [meeting.first for meeting in everything(plan)]
    assert first[1] == [meeting.second for meeting in everything(plan)]
