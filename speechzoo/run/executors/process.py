"""A worker that is a process of its own, with this Python or that of the environment its system needs."""

import codecs
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO, cast

from speechzoo.asks import Ask, Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk
from speechzoo.errors import SetupError
from speechzoo.run.executors.worker import Answers, Loading, WorkerLostError, load_model
from speechzoo.run.serve import SECONDS_TO_END, answers_of
from speechzoo.run.wire import Json, answer_from_json, ask_to_json, content_from_json

_CHARACTERS_KEPT = 20_000
_LINES_TOLD = 12


class ProcessWorker:
    """One process; see `Worker`. Its standard error is shown as it comes, and its end told if it dies.

    Args:
        loading: what it loads.
        variables: of its environment that differ from ours.

    Raises:
        SetupError: the system runs in an environment of its own, and that is not made.
    """

    def __init__(self, loading: Loading, variables: Mapping[str, str]) -> None:
        apart = loading.component.made_environment()
        # What this interpreter was told to import, and where from, is nothing to another one.
        self._command = [str(apart.interpreter), "-I"] if apart else [sys.executable, "-P"]
        self._first: Json = {
            "recipe": loading.component.recipe().to_json(),
            "options": vars(loading.options.load_options()),
            "path": None if apart else [str(Path(folder).absolute()) for folder in sys.path],
        }
        self._variables = {**os.environ, **variables}
        if apart:
            self._variables.pop("PYTHONPATH", None)
            self._variables.pop("VIRTUAL_ENV", None)
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    @property
    def process_id(self) -> int | None:
        """None if it does not run."""
        return self._process.pid if self._process else None

    @property
    def pipe(self) -> IO[bytes]:
        """Of a worker that was started: where its answers come from."""
        assert self._running.stdout is not None
        return self._running.stdout

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, "-m", "speechzoo.run.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._variables,
        )
        assert self._process.stderr is not None
        self._errors = _StandardError(self._process.stderr)
        self._tell(self._first)

    def loaded(self) -> None:
        problem = self._heard()["problem"]
        if problem is not None:
            raise SetupError(problem)

    def send(self, asks: Sequence[Ask]) -> None:
        self._count = len(asks)
        if not self._tell({"asks": [ask_to_json(ask) for ask in asks]}):
            raise self._lost()

    def answers(self) -> Answers:
        told = self._heard()
        if problem := told.get("problem"):
            raise SetupError(problem)
        try:
            answers = [answer_from_json(answer, content_from_json) for answer in told["answers"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WorkerLostError(f"it sent what is no answer: {error!r}") from error
        if len(answers) != self._count:
            raise WorkerLostError(f"it was given {self._count} asks and sent {len(answers)} answers")
        return answers

    def leave(self) -> None:
        """Tells an idle worker that nothing more will come."""
        _close(self._running.stdin)

    def join(self, seconds: float) -> None:
        """Waits for its end, at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(max(0.0, seconds))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._errors.end()
            _close(self._process.stdin)
            _close(self._process.stdout)
        self._process = None

    def _tell(self, message: Json) -> bool:
        """Whether it could be told."""
        pipe = self._running.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(message).encode("ascii") + b"\n")
            pipe.flush()
        except OSError:
            return False
        return True

    def _heard(self) -> Json:
        line = self.pipe.readline()
        if not line.endswith(b"\n"):
            raise self._lost()
        try:
            message: Json = json.loads(line)
        except ValueError as error:
            raise WorkerLostError(f"it sent what is no JSON: {error}") from error
        return message

    def _lost(self) -> WorkerLostError:
        self.join(SECONDS_TO_END)
        told = f"worker ended with code {self._running.returncode}"
        last = self._errors.end()
        return WorkerLostError(f"{told}; its last words:\n{last}" if last else told)


class ModelApart:
    """A model in a process of its own, asked as if it were loaded here; see `Model`. It cannot stream.

    Args:
        loading: what the process loads, with the Python of its environment.

    Raises:
        SetupError: it cannot be loaded there.
    """

    def __init__(self, loading: Loading) -> None:
        self._worker = ProcessWorker(loading, {})
        self._worker.start()
        try:
            self._worker.loaded()
        except (SetupError, WorkerLostError) as error:
            self._worker.kill()
            raise SetupError(str(error)) from error

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return cast("list[ScoreAnswer | Failure]", self.answers(asks))

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return cast("list[ReplyAnswer | Failure]", self.answers(asks))

    def close(self) -> None:
        self._worker.leave()
        self._worker.join(SECONDS_TO_END)
        self._worker.kill()

    def answers(self, asks: Sequence[Ask]) -> Answers:
        """To asks of any kind.

        Raises:
            SetupError: the machine lacks something the model needs.
            WorkerLostError: the process was lost.
        """
        self._worker.send(asks)
        return self._worker.answers()


def answering(
    loading: Loading, lock: str | None
) -> Callable[[Sequence[Ask]], Answers | SetupError | WorkerLostError] | str:
    """In a worker with all of speechzoo: what answers for a system, or why it cannot be loaded.

    Where the system has an environment to itself it runs in a process there, which ends with this one.

    Args:
        loading: the system.
        lock: of its environment where the run is; there may be another here.
    """
    if (component := loading.component).environment is None:
        model = load_model(loading)
        return model if isinstance(model, str) else partial(answers_of, model)
    try:
        made = component.made_environment()
        if made is not None and made.lock != lock:
            return (
                f"the environment of {component.name} has the lock {made.lock} there, {lock} where the run is"
            )
        model_apart = ModelApart(loading)
    except SetupError as error:
        return str(error)
    return partial(_answers_apart, model_apart)


def _answers_apart(model: ModelApart, asks: Sequence[Ask]) -> Answers | SetupError | WorkerLostError:
    try:
        return model.answers(asks)
    except (SetupError, WorkerLostError) as error:
        return error


class _StandardError:
    """Shows what a process writes there as it comes, and remembers the end of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._text = ""
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def end(self) -> str:
        """The last lines of a process that has ended."""
        # A process that it started, and that lives on, may hold the other end open.
        self._thread.join(1.0)
        return "\n".join(self._text.strip().splitlines()[-_LINES_TOLD:])

    def _follow(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with self._pipe:
            while piece := os.read(self._pipe.fileno(), 65_536):
                text = decoder.decode(piece)
                self._text = (self._text + text)[-_CHARACTERS_KEPT:]
                sys.stderr.write(text)
                sys.stderr.flush()


def _close(pipe: IO[bytes] | None) -> None:
    # One whose other end is gone cannot be rid of what it still holds.
    with contextlib.suppress(OSError):
        if pipe is not None:
            pipe.close()
