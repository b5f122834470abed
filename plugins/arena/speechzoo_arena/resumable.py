"""A signal leaves with the exit code of what can be taken up again, as in ``speechzoo eval``."""

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
def resumable() -> Iterator[None]:
    """While something is being done whose every step is on disk."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted", EXIT_INTERRUPTED)
    except _TerminatedError:
        _leave("terminated", EXIT_TERMINATED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise _TerminatedError


def _leave(how: str, code: int) -> None:
    click.echo(f"{how}: what is finished is safe; the same command takes the arena up again", err=True)
    # A second signal during the interpreter's own clean-up must not change the exit code.
    os._exit(code)
