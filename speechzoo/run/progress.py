"""How a run tells what it is doing; the command line shows it, tests and notebooks may ignore it."""

from typing import Protocol


class Progress(Protocol):
    """Told by the runner as it goes."""

    def stage(self, name: str, total: int, done: int) -> None:
        """A stage begins with ``done`` of ``total`` steps behind it."""
        ...

    def advance(self, steps: int) -> None:
        """More steps of the current stage are done and safe."""
        ...

    def say(self, text: str) -> None:
        """Something the user should know."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str, total: int, done: int) -> None:
        pass

    def advance(self, steps: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass
