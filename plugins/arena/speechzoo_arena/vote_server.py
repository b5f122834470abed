"""The program behind the page: on this machine only, for nobody who was not given its address.

The address holds a random token, and every request must name this host and, where a browser tells it, come
from this page. So another page in the same browser can neither vote nor learn which ballot is open.
"""

import hmac
import json
import secrets
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from speechzoo.errors import SpeechzooError

from speechzoo_arena.records import Heard
from speechzoo_arena.vote_ballot import Choice
from speechzoo_arena.vote_box import BallotBox
from speechzoo_arena.vote_page import render

LOOPBACK = "127.0.0.1"
MAX_BODY = 16_384
MAX_REASON = 2_000
STALLED_SECONDS = 30

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    ballot: str
    choice: Choice
    reason: str = Field(default="", max_length=MAX_REASON)
    heard: Heard | None = None


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: HTTPStatus, told: str) -> None:
        super().__init__(told)
        self.status = status


class Desk:
    """What the page can ask for: the state, a vote, its withdrawal. One request at a time.

    Args:
        box: the voter's.
    """

    def __init__(self, box: BallotBox) -> None:
        self._box = box
        self._one = threading.Lock()
        self._secret = secrets.token_bytes(16)

    def state(self) -> dict[str, Any]:
        """The ballot before the voter, under a name that says nothing, and how far they are."""
        with self._one:
            return self._state()

    def vote(self, body: bytes) -> dict[str, Any]:
        try:
            said = _Said.model_validate_json(body)
        except ValidationError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, "this is no vote") from error
        with self._one:
            if said.ballot != self._state()["id"]:
                raise _Refused(HTTPStatus.CONFLICT, "another dialogue is open by now")
            self._box.cast(said.choice, said.reason.strip(), said.heard)
            return self._state()

    def withdraw(self, _body: bytes) -> dict[str, Any]:
        with self._one:
            self._box.withdraw()
            return self._state()

    def _state(self) -> dict[str, Any]:
        offer = self._box.offer()
        name = None
        if offer is not None:
            told = repr(offer.ballot.meeting).encode("utf-8", "surrogatepass")
            name = hmac.new(self._secret, told, "sha256").hexdigest()[:16]
        return {
            "id": name,
            "ballot": offer.page if offer else None,
            "done": self._box.done,
            "total": self._box.total,
            "undo": self._box.last is not None,
        }


class VoteServer(ThreadingHTTPServer):
    """Serves one voter on a free port.

    Args:
        box: the voter's.
        free: a choice is allowed before everything was played.
    """

    daemon_threads = True

    def __init__(self, box: BallotBox, *, free: bool) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.desk = Desk(box)
        self.token = secrets.token_urlsafe(16)
        self.host = f"{LOOPBACK}:{self.server_port}"
        self.page = render({"voter": box.voter, "free": free}, served=True).encode()

    @property
    def url(self) -> str:
        return f"http://{self.host}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed while it was answered is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: VoteServer
    timeout = STALLED_SECONDS
    server_version = "speechzoo"
    sys_version = ""

    def do_GET(self) -> None:
        desk = self.server.desk
        self._answer({"": lambda: self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page),
                      "state": lambda: self._send_json(HTTPStatus.OK, desk.state())})  # fmt: skip

    def do_POST(self) -> None:
        desk = self.server.desk
        self._answer({"vote": lambda: self._said(desk.vote), "undo": lambda: self._said(desk.withdraw)})

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address in it would hand out the token."""

    def _answer(self, routes: dict[str, Callable[[], None]]) -> None:
        try:
            routes[self._route(routes)]()
        except _Refused as refused:
            self._send_json(refused.status, {"error": str(refused)})
        except SpeechzooError as error:
            self._send_json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})

    def _route(self, routes: dict[str, Callable[[], None]]) -> str:
        """The path behind the token, if whoever asks may ask."""
        if self.headers.get_all("Host") != [self.server.host]:
            raise _Refused(HTTPStatus.FORBIDDEN, "this program answers under its own address only")
        origin = self.headers.get("Origin")
        foreign = origin != f"http://{self.server.host}" if origin is not None else self.command == "POST"
        if foreign or self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise _Refused(HTTPStatus.FORBIDDEN, "another page cannot ask this program")
        empty, _, rest = self.path.partition("/")
        token, slash, route = rest.partition("/")
        if (
            empty
            or not slash
            or not hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())
        ):
            raise _Refused(HTTPStatus.NOT_FOUND, "open the address that the program printed")
        if route not in routes:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing of this name")
        return route

    def _said(self, act: Callable[[bytes], dict[str, Any]]) -> None:
        self._send_json(HTTPStatus.OK, act(self._body()))

    def _body(self) -> bytes:
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "votes are JSON")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "a vote tells its length")
        if len(length) > 9 or int(length) > MAX_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a vote has {MAX_BODY} bytes at most")
        return self.rfile.read(int(length))

    def _send_json(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
