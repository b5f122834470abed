"""Everything that is asked of a speech recogniser or a synthesizer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

import numpy as np

from speechzoo.asks import Failure
from speechzoo.audio import AudioClip
from speechzoo.errors import ItemError, SetupError
from speechzoo.testing import probes
from speechzoo.testing.findings import CheckError, NotApplicableError, Subject, check
from speechzoo.testing.plugin_checks import PluginUnderTest, its_module_imports_nothing_heavy

Given = str | AudioClip
Made = str | AudioClip | Failure

CLIPS = (probes.HARBOUR, probes.VIOLIN, probes.GARDEN)
BAD: dict[str, dict[str, Given]] = {
    "transcriber": {
        "a clip that is an HTML page": AudioClip.from_bytes(b"<html>not found</html>"),
        "a clip whose file is missing": AudioClip.from_file("no-such-file.wav"),
    },
    "voice": {"an empty text": "", "a text of nothing but marks": "... !?"},
}


@dataclass(eq=False)
class ServiceUnderTest(Subject):
    """A transcriber or a voice.

    Args:
        make: makes it anew.
        kind: which of the two it is.
        plugin: that brings it, if it comes with one.
    """

    make: Callable[[], Any]
    kind: Literal["transcriber", "voice"]
    plugin: PluginUnderTest | None = None
    _service: Any = field(default=None, init=False, repr=False)

    @property
    def asked(self) -> tuple[Given, ...]:
        """Three spoken sentences, or the same as text."""
        return CLIPS if self.kind == "transcriber" else tuple(str(clip.transcript) for clip in CLIPS)

    @cached_property
    def alone(self) -> list[Made]:
        """What it makes of each, one after the other."""
        return [made for one in self.asked for made in self.made([one])]

    def made(self, batch: Sequence[Given]) -> list[Made]:
        """What it makes of a batch.

        Raises:
            CheckError: another number of things comes back.
        """
        if self._service is None:
            self._service = self.make()
        method = self._service.transcribe if self.kind == "transcriber" else self._service.speak
        made = list(method(batch))
        if len(made) != len(batch):
            raise CheckError(f"{len(batch)} were given, {len(made)} came back")
        return made

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None


@check()
def its_plugin_imports_nothing_heavy(subject: ServiceUnderTest) -> None:
    """Otherwise every 'speechzoo list' of everybody who has it installed waits for torch."""
    if subject.plugin is None:
        raise NotApplicableError("it comes with no plugin")
    finding = subject.plugin.finding(its_module_imports_nothing_heavy)
    if finding.outcome != "passed":
        raise CheckError(finding.why)


@check()
def what_it_makes_can_be_used(subject: ServiceUnderTest) -> None:
    """Otherwise replies are graded by words nobody said, or are at the wrong pitch, or silent."""
    sound = _check_text if subject.kind == "transcriber" else _check_speech
    for given, made in zip(subject.asked, subject.alone, strict=True):
        sound(given, made)
    rates = {made.header.rate for made in subject.alone if isinstance(made, AudioClip)}
    if len(rates) > 1:
        raise CheckError(f"its speech has several rates ({sorted(rates)} Hz): tell the one the voice has")
    if any(_same(one, other) for one, other in combinations(subject.alone, 2)):
        raise CheckError("it makes the same of different sentences: what it is given does not reach it")


@check(what_it_makes_can_be_used)
def equal_input_gives_equal_output(subject: ServiceUnderTest) -> None:
    """Otherwise a run that is graded or repeated once more has other numbers."""
    back = [made for one in reversed(subject.asked) for made in subject.made([one])][::-1]
    if not all(map(_same, subject.alone, back)):
        raise CheckError(
            "asked again after others, it makes something else: it draws at random, or keeps state"
        )
    subject.close()
    if not all(map(_same, subject.alone, subject.made(subject.asked[:1]))):
        raise CheckError("made anew, it makes something else of the same: it draws at random")


@check(equal_input_gives_equal_output)
def order_is_kept(subject: ServiceUnderTest) -> None:
    """Otherwise an item is graded by what another one's reply says."""
    batch = subject.made(subject.asked)
    if all(map(_same, subject.alone, batch)):
        return
    if all(any(_same(one, other) for other in subject.alone) for one in batch):
        raise CheckError("what comes back is not in the order of what was given")
    raise CheckError("beside others it makes something else than alone: look at the padding of batches")


@check(order_is_kept)
def a_bad_one_fails_alone(subject: ServiceUnderTest) -> None:
    """Otherwise one damaged file, or one empty reply, costs a whole batch its grades."""
    first, *rest = subject.asked
    for what, bad in BAD[subject.kind].items():
        try:
            one, failed, *others = subject.made([first, bad, *rest])
        except SetupError:
            raise
        except Exception as error:
            told = f"{type(error).__name__}: {error}"[:300]
            raise CheckError(f"{what} raises in a batch ({told}): put a Failure there") from error
        if not isinstance(failed, Failure):
            raise CheckError(f"{what} gives {_told(failed)}: put a Failure there")
        if not all(map(_same, subject.alone, [one, *others])):
            raise CheckError(f"beside {what} something else is made of good ones")


@check()
def it_can_be_closed_and_made_again(subject: ServiceUnderTest) -> None:
    """Otherwise a device stays full when the next model is loaded."""
    before = subject.made(subject.asked[:1])
    subject.close()
    if not all(map(_same, before, subject.made(subject.asked[:1]))):
        raise CheckError("after close() one that is made anew makes something else")
    subject.close()


SERVICE_CHECKS = (
    its_plugin_imports_nothing_heavy,
    what_it_makes_can_be_used,
    equal_input_gives_equal_output,
    order_is_kept,
    a_bad_one_fails_alone,
    it_can_be_closed_and_made_again,
)


def _check_text(given: Given, made: Made) -> None:
    if not isinstance(made, str) or not any(character.isalnum() for character in made):
        raise CheckError(f"of a clip saying {_told(given)} it makes {_told(made)}: words are wanted")


def _check_speech(given: Given, made: Made) -> None:
    if not isinstance(made, AudioClip):
        raise CheckError(f"of {_told(given)} it makes {_told(made)}: an AudioClip is wanted")
    try:
        waves = made.samples()
    except ItemError as error:
        raise CheckError(f"its speech cannot be read: {error}") from error
    if not waves.any():
        raise CheckError(f"of {_told(given)} it makes digital silence")


def _same(one: Made, other: Made) -> bool:
    if isinstance(one, AudioClip) and isinstance(other, AudioClip):
        first, second = one.samples(), other.samples()
        same_shape = one.header.rate == other.header.rate and first.shape == second.shape
        return same_shape and bool(np.allclose(first, second, atol=1e-3))
    if isinstance(one, Failure) and isinstance(other, Failure):
        return one.reason == other.reason
    return one == other


def _told(one: Made) -> str:
    if isinstance(one, AudioClip):
        return repr(one.transcript) if one.transcript else one.name
    return f"{one.reason}: {one.detail}" if isinstance(one, Failure) else repr(one)
