"""What can go wrong, in two families: one item is bad, or the whole command cannot go on."""

EXIT_TOO_MANY_INVALID = 1
EXIT_DIFFERS = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class SpeechzooError(Exception):
    """The command cannot go on. The message says what is wrong and what to do about it."""

    exit_code = EXIT_USAGE


class SetupError(SpeechzooError):
    """A plugin, package or file that the command needs is missing or broken on this machine."""

    exit_code = EXIT_ENVIRONMENT


class StoreError(SpeechzooError):
    """A run directory is damaged, in use, or belongs to another configuration."""

    exit_code = EXIT_ENVIRONMENT


class ItemError(Exception):
    """One item cannot be asked, answered or graded; the other items go on.

    Args:
        reason: a short snake_case word that reports count by, such as ``truncated_audio``.
        detail: one sentence that names the file or value and what it looks like.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
