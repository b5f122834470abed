"""Everything that is asked of a plugin before anything it brings is used."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from speechzoo.catalogue import Catalogue
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import is_installed
from speechzoo.plugins import GROUP, Plugin
from speechzoo.recipe import import_target
from speechzoo.setup import Setup
from speechzoo.specs import Capability, CommandSpec, ModelSpec, ServiceSpec, Spec, TaskSpec
from speechzoo.testing.findings import CheckError, Subject, check

HEAVY = ("torch", "transformers", "numpy")
_LIGHT = """
import importlib, sys
importlib.import_module({module!r})
print(*(name for name in {heavy!r} if name in sys.modules))
"""


@dataclass(eq=False)
class PluginUnderTest(Subject):
    """An installed plugin, and everything that its names must get along with.

    Args:
        plugin: as it was found.
        catalogue: of all installed plugins.
    """

    plugin: Plugin
    catalogue: Catalogue


@check()
def it_is_loaded(subject: PluginUnderTest) -> None:
    """Otherwise none of what it brings is there."""
    if subject.plugin.problem:
        raise CheckError(f"it is set aside: {subject.plugin.problem} ('speechzoo plugins' has the traceback)")


@check(it_is_loaded)
def its_module_imports_nothing_heavy(subject: PluginUnderTest) -> None:
    """Otherwise every 'speechzoo list' of everybody who has it installed waits for torch."""
    module = next(point.module for point in entry_points(group=GROUP) if point.name == subject.plugin.name)
    program = _LIGHT.format(module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckError(f"{module} cannot be imported: {done.stderr.strip().splitlines()[-1]}")
    if heavy := done.stdout.split():
        raise CheckError(
            f"{module} imports {', '.join(heavy)}: import them in the modules that targets name, not there"
        )


@check(it_is_loaded)
def its_names_are_free(subject: PluginUnderTest) -> None:
    """Otherwise neither it nor the other package can be used."""
    for (kind, name), packages in subject.catalogue.plugins.conflicts.items():
        if subject.plugin.distribution in packages:
            raise CheckError(f"the {kind} {name!r} is also brought by another package: {', '.join(packages)}")


@check(its_names_are_free)
def its_parts_have_names(subject: PluginUnderTest) -> None:
    """Otherwise a part or data set that a spec names cannot be found when it is used."""
    find = {ModelSpec: subject.catalogue.model, TaskSpec: subject.catalogue.task}
    for spec in subject.plugin.specs:
        if isinstance(spec, CommandSpec):
            continue
        try:
            find.get(type(spec), subject.catalogue.service)(spec.name)
        except SpeechzooError as error:
            raise CheckError(f"{spec.name}: {error}") from error


@check(it_is_loaded)
def its_classes_fit_their_specs(subject: PluginUnderTest) -> None:
    """Otherwise it is found out when a run has been planned and a model loaded."""
    for spec in subject.plugin.specs:
        if isinstance(spec, CommandSpec):
            _imported(spec.target)
            continue
        if missing := [name for name in spec.requires if not is_installed(name)]:
            raise CheckError(f"{spec.name} cannot be checked without: pip install {' '.join(missing)}")
        made = _imported(spec.target)
        try:
            inspect.signature(made).bind(Setup(spec.name), **_keywords(spec))
        except TypeError as error:
            raise CheckError(f"{spec.target} does not take what its spec declares: {error}") from error
        if lacking := [name for name in _methods(spec) if not callable(getattr(made, name, None))]:
            raise CheckError(f"{spec.target} has no {', '.join(lacking)}")


PLUGIN_CHECKS = (
    it_is_loaded,
    its_module_imports_nothing_heavy,
    its_names_are_free,
    its_parts_have_names,
    its_classes_fit_their_specs,
)


def _imported(target: str) -> Any:
    try:
        return import_target(target)
    except SetupError as error:
        raise CheckError(str(error)) from error


def _keywords(spec: ModelSpec | ServiceSpec | TaskSpec) -> dict[str, object]:
    keywords: dict[str, object] = {name: one.default for name, one in spec.parameters.items()}
    if isinstance(spec, TaskSpec) and spec.subsets:
        keywords["subset"] = ""
    return keywords


def _methods(spec: Spec) -> Iterator[str]:
    if isinstance(spec, TaskSpec):
        yield from ("items", "ask", "grade")
    if isinstance(spec, ServiceSpec):
        yield from ({"transcriber": "transcribe", "voice": "speak", "judge": "judge"}[spec.kind], "close")
    if isinstance(spec, ModelSpec):
        able = spec.capabilities
        yield "close"
        if able & {Capability.SCORE_UNDER_TEXT, Capability.SCORE_UNDER_AUDIO, Capability.SCORE_SPEECH}:
            yield "score"
        if able & {Capability.TEXT_OUT, Capability.SPEECH_OUT}:
            yield "reply"
        if Capability.STREAM in able:
            yield "stream"
