"""Where a server is and which key it is given, and how long it is waited for."""

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self, TypedDict, TypeVar, Unpack
from urllib.parse import urlsplit

from speechzoo import Failure, ItemError, SetupError

Given = TypeVar("Given")
Made = TypeVar("Made")

# What a key looks like is not known; what the name of a variable that holds one looks like is.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class ServerError(ItemError):
    """A request without an answer that can be used.

    Reasons: ``unreachable`` (no connection, or 429 and 5xx after all retries), ``timed_out``,
    ``request_refused`` (any other 4xx), ``not_unicode`` (a text that cannot be sent) and ``bad_response``
    (not what the protocol says).
    """


class Options(TypedDict):
    """The parameters that every spec of this plugin has; see ``plugin.CONNECTION``."""

    model: str
    base_url: str
    key_variable: str
    timeout: float
    retries: int
    parallel: int


@dataclass(frozen=True)
class Connection:
    """A server and how it is asked.

    Attributes:
        model: as the server calls it.
        base_url: without a slash at its end.
        key: sent to the server and shown nowhere; "" if it needs none.
        key_variable: the environment variable it stands in.
        timeout: seconds that the server may be silent.
        retries: of a request that could not be served.
        parallel: requests under way at once.
    """

    model: str
    base_url: str
    key: str = field(repr=False)
    key_variable: str
    timeout: float
    retries: int
    parallel: int

    @classmethod
    def open(cls, name: str, **options: Unpack[Options]) -> Self:
        """The connection that the parameters of ``name`` describe; nothing is sent yet.

        Raises:
            SetupError: a parameter is missing or makes no sense, or there is no key.
        """
        if not options["model"]:
            raise SetupError(f"{name} does not know which model to ask: --set model=NAME")
        address = urlsplit(options["base_url"])
        if (
            address.scheme not in ("http", "https")
            or not address.hostname
            or address.username
            or address.query
        ):
            raise SetupError(f"{name}: base_url is no address such as https://api.openai.com/v1")
        if options["timeout"] <= 0 or options["retries"] < 0 or options["parallel"] < 1:
            raise SetupError(f"{name}: timeout, retries and parallel are at least 0, 0 and 1")
        key = _key(name, options["key_variable"], address.hostname)
        options["base_url"] = options["base_url"].rstrip("/")
        return cls(key=key, **options)

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc

    def without_key(self, text: str) -> str:
        """What somebody else wrote, who may have quoted the key."""
        return text.replace(self.key, f"[{self.key_variable}]") if self.key else text


def side_by_side(
    pool: ThreadPoolExecutor, answer: Callable[[Given], Made], asks: Sequence[Given]
) -> list[Made | Failure]:
    """An answer to each, several at once; one that cannot be had is a failure in its place."""

    def alone(ask: Given) -> Made | Failure:
        try:
            return answer(ask)
        except ItemError as error:
            return Failure(error.reason, error.detail)

    return list(pool.map(alone, asks))


def _key(name: str, variable: str, host: str) -> str:
    if not variable:
        return ""
    if not _VARIABLE.fullmatch(variable):
        # Not repeated here: it may be the key itself.
        raise SetupError(
            f"{name}: key_variable is no name of an environment variable such as OPENAI_API_KEY. If it was "
            "the key itself, it now stands in your shell's history and in run.json of the run's folder"
        )
    key = os.environ.get(variable, "").strip()
    if not key and not _is_this_machine(host):
        raise SetupError(
            f"{name} needs a key: put it into the environment variable {variable}, or name another one with "
            "--set key_variable=NAME (nothing after the = if the server needs no key)"
        )
    if not (key.isascii() and key.isprintable()):
        raise SetupError(
            f"{name}: what stands in {variable} is no key: it holds characters that no header can"
        )
    return key


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
