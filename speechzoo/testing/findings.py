"""What a check is, and what it finds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from speechzoo.errors import SetupError, SpeechzooError

Outcome = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """What became of one check.

    Attributes:
        check: its name, as reports and test ids show it.
        outcome: ``not applicable`` also where a check it builds on failed.
        why: one sentence that names the likely cause; "" for a check that passed.
    """

    check: str
    outcome: Outcome
    why: str = ""


class CheckError(Exception):
    """What a check raises when it finds a fault: one sentence, the likely cause first."""


class NotApplicableError(Exception):
    """What a check raises when it has nothing to say about this subject, and why."""


@dataclass(frozen=True, eq=False)
class Check:
    """A promise that can be held against a subject.

    Attributes:
        name: the promise in a few words.
        meaning: in a sentence, what is lost when it is broken.
        run: takes the subject; raises `CheckError` or `NotApplicableError`.
        needs: checks that must have passed, as this one could not tell its own fault from theirs.
    """

    name: str
    meaning: str
    run: Callable[[Any], None]
    needs: tuple["Check", ...] = ()


@dataclass(eq=False)
class Subject:
    """What checks are run on: each check once, its finding kept."""

    findings: dict[Check, Finding] = field(default_factory=dict, init=False, repr=False)

    def finding(self, check: Check) -> Finding:
        """What the check finds, after those it needs.

        Raises:
            SetupError: this machine cannot run the subject.
        """
        if check not in self.findings:
            self.findings[check] = self._run(check)
        return self.findings[check]

    def _run(self, check: Check) -> Finding:
        for needed in map(self.finding, check.needs):
            if needed.outcome != "passed":
                failed = f"'{needed.check}' has to hold first"
                return Finding(
                    check.name, "not applicable", failed if needed.outcome == "failed" else needed.why
                )
        try:
            check.run(self)
        except NotApplicableError as reason:
            return Finding(check.name, "not applicable", str(reason))
        except CheckError as fault:
            return Finding(check.name, "failed", str(fault))
        except SetupError:  # this machine cannot run the subject: no fault of its own
            raise
        except SpeechzooError as error:
            return Finding(check.name, "failed", str(error))
        except Exception as error:  # whatever a third party's code raises is what was found
            return Finding(check.name, "failed", f"{type(error).__name__}: {error}"[:500])
        return Finding(check.name, "passed")


def check(*needs: Check) -> Callable[[Callable[[Any], None]], Check]:
    """Makes a function a `Check`, named after it; its docstring is the meaning."""

    def made(function: Callable[[Any], None]) -> Check:
        name = function.__name__.replace("_", " ")
        return Check(name, (function.__doc__ or "").strip(), function, needs)

    return made


def examine(subject: Subject, checks: Iterable[Check]) -> Iterator[Finding]:
    """All findings in the order of the checks, each as soon as it is there."""
    return map(subject.finding, checks)
