"""Leaving by a signal, with the exit code of what can be taken up again."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

import click

from speechzoo.errors import EXIT_INTERRUPTED, EXIT_TERMINATED


class _TerminatedError(BaseException):
    """SIGTERM: leave now; what is on disk is safe."""


@contextlib.contextmanager
def resumable(what: str) -> Iterator[None]:
    """While something is done whose every step is on disk, such as ``run``."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted", what, EXIT_INTERRUPTED)
    except _TerminatedError:
        _leave("terminated", what, EXIT_TERMINATED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise _TerminatedError


def _leave(how: str, what: str, code: int) -> None:
    click.echo(f"{how}: what is finished is safe; the same command takes the {what} up again", err=True)
    # A second signal during the interpreter's own clean-up must not change the exit code.
    os._exit(code)
