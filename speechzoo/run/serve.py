"""The other end of a worker process: makes a model, then answers batches of asks until the run is gone.

Started as ``python -m speechzoo.run.serve``, maybe with the Python of another environment. That has few of
the packages that speechzoo needs: so this imports little. A line of JSON in, a line of JSON out:

=================================================  ======================================================
``{"recipe": ..., "options": ..., "path": ...}``   ``{"problem": null}``, or why it cannot be loaded
``{"asks": [...]}``                                ``{"answers": [...]}``, or ``{"problem": ...}``: what the
                                                   machine lacks for them
=================================================  ======================================================
"""

import faulthandler
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, BinaryIO, cast

from speechzoo.asks import Answer, Ask, Failure
from speechzoo.errors import ItemError, SetupError
from speechzoo.model import Model
from speechzoo.recipe import Recipe, make
from speechzoo.run.execute import answer_batch
from speechzoo.run.wire import Json, answer_to_json, ask_from_json, content_to_json
from speechzoo.setup import LoadOptions

SECONDS_TO_END = 10.0


def main() -> None:
    # Ctrl-C reaches the whole process group; the run decides what becomes of the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    heard, tell = _standard_streams()
    at_work = Event()
    lines = _lines(heard, at_work)
    model = model_or_problem(lambda: _made(json.loads(next(lines))))
    at_work.clear()
    if isinstance(model, str):
        _send(tell, {"problem": model})
        return
    _send(tell, {"problem": None})
    for line in lines:
        message = _answered(model, [ask_from_json(ask) for ask in json.loads(line)["asks"]])
        at_work.clear()
        _send(tell, message)
    model.close()


def model_or_problem(load: Callable[[], Any]) -> Model | str:
    """The model, or why it cannot be loaded, to be told where the run is."""
    try:
        return cast(Model, load())
    except SetupError as error:
        return str(error)
    except BaseException:
        return traceback.format_exc()


def answers_of(model: Model, asks: Sequence[Ask]) -> list[Answer | Failure] | SetupError:
    """The answers to a batch, or what the machine lacks for it."""
    try:
        return answer_batch(model, asks)
    except SetupError as error:
        return error


def _made(told: Json) -> Any:
    if told["path"] is not None:
        sys.path[:] = told["path"]
    return make(Recipe.from_json(told["recipe"]), LoadOptions(**told["options"]))


def _answered(model: Model, asks: Sequence[Ask]) -> Json:
    answers = answers_of(model, asks)
    if isinstance(answers, SetupError):
        return {"problem": str(answers)}
    return {"answers": [_told(answer) for answer in answers]}


def _told(answer: Answer | Failure) -> Json:
    try:
        return answer_to_json(answer, content_to_json)
    except (AttributeError, TypeError, ValueError, ItemError) as error:
        failure = Failure("wrong_answer_shape", f"{type(error).__name__}: {error}")
        return answer_to_json(failure, content_to_json)


def _standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """What came as standard input and output, which are taken away from everybody else.

    What a model or a library prints goes to standard error instead.
    """
    heard, tell = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return heard, tell


def _lines(stream: BinaryIO, at_work: Event) -> Iterator[bytes]:
    """Lines as they come, until the run is gone."""
    waiting: SimpleQueue[bytes | None] = SimpleQueue()
    Thread(target=_receive, args=(stream, at_work, waiting), daemon=True).start()
    while (line := waiting.get()) is not None:
        yield line


def _receive(stream: BinaryIO, at_work: Event, waiting: "SimpleQueue[bytes | None]") -> None:
    """Nobody wants an answer of a run that is gone, and others may want the card: a batch is not finished."""
    for line in stream:
        at_work.set()
        waiting.put(line)
    if not at_work.is_set():
        waiting.put(None)
        time.sleep(SECONDS_TO_END)
    os._exit(1)


def _send(stream: BinaryIO, message: Json) -> None:
    try:
        stream.write(json.dumps(message).encode("ascii") + b"\n")
        stream.flush()
    except OSError:  # the run is gone: nobody waits any more
        os._exit(1)


if __name__ == "__main__":
    main()
