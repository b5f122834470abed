"""A hub on this machine: enough of Hugging Face's protocol for its own client to look up and download.

What goes wrong with a real one can be asked for: private and gated repositories, connections that break,
files that are refused.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

MEMBER, STRANGER = "hf_member", "hf_stranger"
"""Tokens of an account that has accepted the terms of gated repositories, and of one that has not."""


@dataclass
class Repository:
    """Attributes: files by commit, the newest last; what its card and its settings say."""

    commits: dict[str, Mapping[str, bytes]]
    kind: str = "models"
    licence: str | list[str] | None = None
    date: str = "2025-09-19T10:00:00.000Z"
    gated: bool = False
    private: bool = False

    def commit_of(self, revision: str) -> str | None:
        if revision == "main":
            return list(self.commits)[-1]
        return revision if revision in self.commits else None


@dataclass
class Hub:
    """What is on it, what it was asked, and what it is to do wrong.

    Attributes:
        repositories: by id.
        requests: method, path and Range header of each request, in order.
        broken_once: paths of files whose connection breaks half-way, the first time.
        refused: paths of files whose content is not given out.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    broken_once: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    url: str = ""

    def environment(self, folder: Path, token: str = "") -> dict[str, str]:
        """For a process whose hub this is, with caches of its own in a folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        account = {"HF_TOKEN": token} if token else {}
        return {
            **kept,
            **account,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(folder / "huggingface"),
            "SPEECHZOO_CACHE": str(folder / "cache"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def downloads(self) -> list[str]:
        """The files whose content was asked for, in order."""
        return [path.rpartition("/")[2] for method, path, _ in self.requests if _is_content(method, path)]


def _is_content(method: str, path: str) -> bool:
    return method == "GET" and "/resolve/" in path


def commit(number: int) -> str:
    """A made-up commit."""
    return sha1(str(number).encode()).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    """A folder as the files of a repository."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers as long as the context lasts."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, with_content: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range", "")))
        steps = path.strip("/").split("/")
        if steps[0] == "api" and len(steps) >= 4 and steps[1] in ("models", "datasets"):
            self._about(steps[1], "/".join(steps[2:4]), steps[4:])
        elif "resolve" in steps:
            place = steps.index("resolve")
            kind = "datasets" if steps[0] == "datasets" else "models"
            name = "/".join(steps[place - 2 : place])
            self._file(kind, name, steps[place + 1], "/".join(steps[place + 2 :]), with_content)
        else:
            self._refuse(404, "EntryNotFound")

    def _about(self, kind: str, name: str, rest: list[str]) -> None:
        repository = self._found(kind, name)
        if repository is None:
            return
        what, revision = rest[0] if rest else "", "/".join(rest[1:]) or "main"
        if (sha := repository.commit_of(revision)) is None:
            self._refuse(404, "RevisionNotFound")
            return
        files = repository.commits[sha]
        if what == "tree":
            self._json(
                [{"type": "file", "path": p, "size": len(c), "oid": _oid(c)} for p, c in files.items()]
            )
            return
        card = {} if repository.licence is None else {"license": repository.licence}
        self._json(
            {
                "id": name,
                "sha": sha,
                "lastModified": repository.date,
                "cardData": card,
                "gated": "manual" if repository.gated else False,
                "private": repository.private,
                "siblings": [
                    {"rfilename": path, "size": len(content), "blobId": _oid(content)}
                    for path, content in files.items()
                ],
            }
        )

    def _file(self, kind: str, name: str, revision: str, path: str, with_content: bool) -> None:
        repository = self._found(kind, name)
        if repository is None:
            return
        account = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository.gated and account != MEMBER:
            self._refuse(403 if account else 401, "GatedRepo")
            return
        sha = repository.commit_of(revision)
        if sha is None or path not in repository.commits[sha]:
            self._refuse(404, "EntryNotFound" if sha else "RevisionNotFound")
            return
        if with_content and path in self.hub.refused:
            # No error of the server's own: those are tried again for half a minute.
            self._refuse(400, "")
            return
        content = repository.commits[sha][path]
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if "Range" in self.headers else 200)
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", f'"{_oid(content)}"')
        self.send_header("X-Repo-Commit", sha)
        self.end_headers()
        if not with_content:
            return
        if path in self.hub.broken_once:
            self.hub.broken_once.remove(path)
            self.wfile.write(content[begin : begin + len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content[begin:])

    def _found(self, kind: str, name: str) -> Repository | None:
        """The repository; like the hub, it does not tell a stranger of private ones from none."""
        repository = self.hub.repositories.get(name)
        account = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository is None or repository.kind != kind or (repository.private and account != MEMBER):
            self._refuse(404 if account else 401, "RepoNotFound")
            return None
        return repository

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _oid(content: bytes) -> str:
    return sha1(content).hexdigest()
