"""Where a server is and which key it is given, and how long it is waited for."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self, TypedDict, TypeVar, Unpack
from urllib.parse import urlsplit

from speechzoo import Failure, ItemError, Setup, SetupError

Given = TypeVar("Given")
Made = TypeVar("Made")

_OPENAI = "api.openai.com"
# Headers that the library openai puts into every request; some hold secrets.
_FOR_OPENAI = "OPENAI_CUSTOM_HEADERS"
# Strict, so that no two hosts have one variable: a hyphen lies within a label, and a label is never empty.
_LABEL = "[a-z0-9]+(?:-+[a-z0-9]+)*"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


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
        key_variable: the environment variable it is read from.
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
    def open(cls, setup: Setup, **options: Unpack[Options]) -> Self:
        """The connection that the parameters describe; nothing is sent yet.

        Raises:
            SetupError: a parameter is missing or makes no sense, there is no key, or an option of the setup
                can mean nothing to a server.
        """
        name = setup.name
        _refuse_what_means_nothing(setup)
        if not options["model"].strip():
            raise SetupError(f"{name} does not know which model to ask: --set model=NAME")
        address = urlsplit(options["base_url"])
        if (
            address.scheme not in ("http", "https")
            or not address.hostname
            or "@" in address.netloc
            or address.query
            or address.fragment
        ):
            raise SetupError(f"{name}: base_url is no address such as https://api.openai.com/v1")
        if options["timeout"] <= 0 or options["retries"] < 0 or options["parallel"] < 1:
            raise SetupError(f"{name}: timeout, retries and parallel are at least 0, 0 and 1")
        variable = _key_variable(name, address.hostname)
        key = _key(name, variable, address.hostname)
        if key and address.scheme == "http" and not _is_this_machine(address.hostname):
            raise SetupError(
                f"{name}: the key in {variable} goes over https only: base_url begins with http:"
            )
        options["base_url"] = options["base_url"].rstrip("/")
        return cls(key=key, key_variable=variable, **options)

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc

    @property
    def at_openai(self) -> bool:
        return urlsplit(self.base_url).hostname == _OPENAI

    def without_key(self, text: str) -> str:
        """What somebody else wrote, who may have quoted the key."""
        return text.replace(self.key, f"[{self.key_variable}]") if self.key else text


def side_by_side(
    pool: ThreadPoolExecutor,
    answer: Callable[[Given], Made],
    asks: Sequence[Given],
    fault: str = "unreachable",
) -> list[Made | Failure]:
    """An answer to each, as `as_they_come`."""
    return list(as_they_come(pool, answer, asks, fault))


def as_they_come(
    pool: ThreadPoolExecutor,
    answer: Callable[[Given], Made],
    asks: Sequence[Given],
    fault: str = "unreachable",
) -> Iterator[Made | Failure]:
    """An answer to each in order, several under way at once; a failure where none can be had.

    After a `SetupError` no ask is begun any more. Answers that are there by then may have been paid for and
    are handed out all the same; the other asks fail for the reason ``fault``.

    Raises:
        SetupError: an ask met one, and none has an answer. It is raised at the end.
    """
    met: list[SetupError] = []

    def alone(ask: Given) -> Made | Failure:
        if met:
            return Failure(fault, str(met[0]))
        try:
            return answer(ask)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        except SetupError as error:
            met.append(error)
            return Failure(fault, str(error))

    answered = False
    for told in pool.map(alone, asks):
        answered |= not isinstance(told, Failure)
        yield told
    if met and not answered:
        raise met[0]


def _key_variable(name: str, host: str) -> str:
    """The environment variable that this host's key is read from, and no other host's.

    Settings, registry files and signatures come from others: they may name a host, but never a secret.

    Raises:
        SetupError: the host is written in an unusual way.
    """
    if host == _OPENAI:
        return "OPENAI_API_KEY"
    if _is_this_machine(host):
        return "SPEECHZOO_KEY_LOCALHOST"
    if not _HOST.fullmatch(host):
        raise SetupError(f"{name}: base_url needs a host of letters a to z, digits, hyphens and dots")
    return "SPEECHZOO_KEY_" + host.replace("-", "__").replace(".", "_").upper()


def _key(name: str, variable: str, host: str) -> str:
    """What stands in the variable; one that is set and empty is the user's leave to send no key."""
    given = os.environ.get(variable)
    key = (given or "").strip()
    if host == _OPENAI and not key:
        raise SetupError(f"{name} needs a key: put it into the environment variable {variable}")
    if given is None and not _is_this_machine(host):
        raise SetupError(
            f"{name} asks {host}, whose key is read from the environment variable {variable}: put it there, "
            f"or nothing ({variable}=) if the server needs none"
        )
    if host != _OPENAI and not _is_this_machine(host) and _FOR_OPENAI in os.environ:
        raise SetupError(f"{name}: what stands in {_FOR_OPENAI} would be sent to {host}: unset it")
    if not (key.isascii() and key.isprintable()):
        raise SetupError(
            f"{name}: what stands in {variable} is no key: it holds characters that no header can"
        )
    return key


def _refuse_what_means_nothing(setup: Setup) -> None:
    for option, given in (("--attention", setup.attention), ("--device-map", setup.device_map)):
        if given:
            raise SetupError(
                f"{setup.name} is computed by a server, which {option} {given} does not reach: leave it out"
            )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
