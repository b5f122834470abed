"""From a name to what is under test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.errors import SpeechzooError
from speechzoo.loading import load
from speechzoo.registry import Value
from speechzoo.testing.findings import Check, Subject
from speechzoo.testing.model_checks import MODEL_CHECKS
from speechzoo.testing.model_under_test import ModelUnderTest
from speechzoo.testing.plugin_checks import PLUGIN_CHECKS, PluginUnderTest
from speechzoo.testing.task_checks import TASK_CHECKS, TaskUnderTest


@dataclass(frozen=True)
class Examination:
    """A subject with all its checks.

    Attributes:
        title: such as ``model cascade``.
    """

    title: str
    subject: Subject
    checks: tuple[Check, ...]


def model(
    name: str,
    settings: Mapping[str, Value] | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    catalogue: Catalogue | None = None,
) -> ModelUnderTest:
    """A model by the name that ``--model`` takes.

    Raises:
        SpeechzooError: nothing has this name.
        SetupError: its files or packages are missing.
    """
    component = (catalogue or open_catalogue()).model(name, settings)
    component.require()
    return ModelUnderTest(partial(load, component, device, dtype), component.capabilities, dtype)


def task(
    name: str,
    settings: Mapping[str, Value] | None = None,
    data: str | None = None,
    catalogue: Catalogue | None = None,
) -> TaskUnderTest:
    """A task by the name that ``--task`` takes, with other data if they are given; errors as of `model`."""
    component = (catalogue or open_catalogue()).task(name, settings, data)
    component.require()
    return TaskUnderTest(partial(load, component))


def plugin(name: str) -> PluginUnderTest:
    """An installed plugin by the name of its entry point.

    Raises:
        SpeechzooError: nothing has this name.
    """
    catalogue = open_catalogue()
    if found := _plugins(catalogue, name):
        return found[0]
    known = ", ".join(one.name for one in catalogue.plugins.plugins) or "none"
    raise SpeechzooError(f"no plugin is called {name!r}; there are: {known}")


def everything(
    catalogue: Catalogue,
    name: str,
    settings: Mapping[str, Value],
    data: str | None = None,
    device: str = "cpu",
    dtype: str = "float32",
) -> Iterator[Examination]:
    """Whatever has this name: a plugin, a model, a task.

    Raises:
        SpeechzooError: nothing that can be checked has it.
        SetupError: files or packages are missing.
    """
    plugins = _plugins(catalogue, name)
    for one in plugins:
        yield Examination(f"plugin {name}", one, PLUGIN_CHECKS)
    try:
        kinds = {component.kind for component in catalogue.any(name)}
    except SpeechzooError:  # only a plugin is called so, or it is at fault, which its checks have said
        if not plugins:
            raise
        return
    if "model" in kinds:
        yield Examination(f"model {name}", model(name, settings, device, dtype, catalogue), MODEL_CHECKS)
    if "task" in kinds:
        yield Examination(f"task {name}", task(name, settings, data, catalogue), TASK_CHECKS)
    if kinds == {"service"} and not plugins:
        raise SpeechzooError(f"{name} is a service: check the plugin that brings it, or a model made of it")


def _plugins(catalogue: Catalogue, name: str) -> list[PluginUnderTest]:
    return [PluginUnderTest(one, catalogue) for one in catalogue.plugins.plugins if one.name == name]
