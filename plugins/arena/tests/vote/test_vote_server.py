"""The program behind the page, as browsers, other pages and strangers meet it."""

import html
import json
import re
import socket
import threading
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from speechzoo_arena.records import FILE, read_votes
from speechzoo_arena.vote_server import MAX_BODY

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def server(serve: Any, box: Any, entries: Any) -> Any:
    return serve(box(entries(words=HOSTILE), voter="<b>anna"))


class Answer:
    def __init__(self, response: HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def told(self) -> Any:
        return json.loads(self.body)


def ask(
    server: Any, path: str = "state", body: Any = None, method: str | None = None, **headers: str | None
) -> Answer:
    """As the page asks, except for what is given; a header that is None is not sent."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    method = method or ("GET" if body is None else "POST")
    usual: dict[str, str | None] = {"Host": server.host}
    if data is not None:
        usual |= {
            "Origin": f"http://{server.host}", "Content-Type": "application/json",
            "Content-Length": str(len(data)),
        }  # fmt: skip
    sent = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection = HTTPConnection(server.host, timeout=10)
    target = path if path.startswith("/") else f"/{server.token}/{path}"
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(data)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def vote(server: Any, choice: str = "first", **more: Any) -> Answer:
    return ask(server, "vote", {"ballot": ask(server).told["id"], "choice": choice, **more})


def test_the_page(server: Any) -> None:
    """Otherwise a name could run in the voter's browser, or the page could load something foreign."""
    answer = ask(server, "")
    page = answer.body.decode()
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "<b>anna" not in page and page.count("<script") == 2
    policy = html.unescape(page)
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy and "unsafe" not in policy
    assert not re.search(r"""(src|href)=["'](?!#)""", page) and server.token not in page


def test_a_vote_and_taking_it_back(server: Any, tmp_path: Any) -> None:
    """Otherwise nobody could vote."""
    before = ask(server).told
    assert (before["done"], before["total"], before["undo"]) == (0, 4, False)
    assert len(before["ballot"]["clips"]) == 4 and HOSTILE in before["ballot"]["turns"][0]["words"]
    after = vote(server, "second", reason=" it listens ").told
    assert (after["done"], after["undo"]) == (1, True) and after["id"] != before["id"]
    assert [(own.verdict, own.reason) for own in read_votes(tmp_path)] == [("second", "it listens")]
    assert read_votes(tmp_path)[0].heard is None
    back = ask(server, "undo", {}).told
    assert back["id"] == before["id"] and back["done"] == 0
    assert read_votes(tmp_path) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost:1"},
        {"Host": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_page_is_refused(server: Any, tmp_path: Any, headers: dict[str, Any]) -> None:
    """Otherwise any page that the voter has open, or a name that resolves to this machine, could vote."""
    ballot = ask(server).told["id"]
    for path, body in (("state", None), ("", None), ("vote", {"ballot": ballot, "choice": "first"})):
        answer = ask(server, path, body, **headers)
        assert answer.status == 403 and ballot not in answer.body.decode()
    assert not (tmp_path / FILE).read_bytes()


def test_a_vote_without_an_origin_is_refused(server: Any) -> None:
    """Otherwise a form of another page, which tells none in some browsers, could vote."""
    assert ask(server, "undo", {}, Origin=None).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/", "/state", "//state", "/wrong/state", "/{token}x/state", "/{token}", "/{token}/../state",
        "/{token}/../../etc/passwd", "/{token}/%2e%2e/votes.jsonl", "/{token}/votes.jsonl", "/{token}/state/",
        "/{token}/state?x=1", "/{token}/vote", "http://evil.example/{token}/state", "/\u00ff/state",
    ],
)  # fmt: skip
def test_other_paths_lead_nowhere(server: Any, path: str) -> None:
    """Otherwise a guess, or a path that climbs, would reach the ballot or a file."""
    target = path.replace("{token}", server.token).encode("utf-8").decode("latin-1")
    with socket.create_connection(server.host.split(":")) as raw:
        raw.sendall(f"GET {target} HTTP/1.0\r\nHost: {server.host}\r\n\r\n".encode("latin-1"))
        answer = raw.makefile("rb").read()
    assert re.match(rb"HTTP/1.0 (404|301) ", answer) and b'"ballot"' not in answer, answer[:200]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "PATCH"])
def test_other_methods_are_refused(server: Any, method: str) -> None:
    """Otherwise a browser's question whether another page may ask would be answered."""
    answer = ask(server, "vote", method=method)
    assert answer.status == 501 and "Access-Control-Allow-Origin" not in answer.headers


def test_what_is_no_vote_is_refused(server: Any, tmp_path: Any) -> None:
    """Otherwise a choice that does not exist would be kept, or a large body would fill the memory."""
    ballot = ask(server).told["id"]
    good = {"ballot": ballot, "choice": "first"}
    for body in (
        {}, [], {**good, "choice": "third"}, {**good, "more": 1}, {**good, "reason": 5}, b"{", b"\xff",
        {**good, "reason": "x" * 2_001}, {"ballot": ballot}, {**good, "heard": {"first": 1.5, "second": 1}},
    ):  # fmt: skip
        assert ask(server, "vote", body).status == 400
    assert ask(server, "vote", {**good, "ballot": "0" * 16}).status == 409
    assert ask(server, "vote", good, Content_Type="text/plain").status == 415
    assert ask(server, "vote", good, Content_Length=None).status == 411
    for length in ("-1", "1e3", "²"):
        assert ask(server, "vote", b"", Content_Length=length.encode().decode("latin-1")).status == 411
    for length in (str(MAX_BODY + 1), "9" * 5_000):
        assert ask(server, "vote", b"", Content_Length=length).status == 413
    assert not (tmp_path / FILE).read_bytes() and ask(server).told["done"] == 0


def test_a_double_click_votes_once(server: Any, tmp_path: Any) -> None:
    """Otherwise an impatient voter would vote on a dialogue that they have not heard."""
    body = {"ballot": ask(server).told["id"], "choice": "first"}
    found: list[int] = []
    clicks = [
        threading.Thread(target=lambda: found.append(ask(server, "vote", body).status)) for _ in range(8)
    ]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert sorted(found) == [200] + 7 * [409] and len(read_votes(tmp_path)) == 1


def test_a_full_disk_is_told(server: Any, monkeypatch: Any, tmp_path: Any) -> None:
    """Otherwise a voter would go on in the belief that their votes are kept."""
    import errno
    import os

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    ballot = ask(server).told["id"]
    monkeypatch.setattr(os, "write", full)
    answer = ask(server, "vote", {"ballot": ballot, "choice": "first"})
    monkeypatch.undo()
    assert answer.status == 500 and "No space left" in answer.told["error"]
    assert ask(server).told["done"] == 0 and vote(server).told["done"] == 1
