"""From a name to what is under test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.errors import SpeechzooError
from speechzoo.loading import load
from speechzoo.model import Model
from speechzoo.registry import Value
from speechzoo.run.executors.process import ModelApart
from speechzoo.run.executors.worker import Loading
from speechzoo.setup import LoadOptions
from speechzoo.specs import Capability, ServiceSpec
from speechzoo.testing.findings import Check, Subject
from speechzoo.testing.model_checks import MODEL_CHECKS
from speechzoo.testing.model_under_test import ModelUnderTest
from speechzoo.testing.plugin_checks import PLUGIN_CHECKS, PluginUnderTest
from speechzoo.testing.service_checks import SERVICE_CHECKS, ServiceUnderTest
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
    options: LoadOptions | None = None,
    catalogue: Catalogue | None = None,
) -> ModelUnderTest:
    """A model by the name that ``--model`` takes; without options on the CPU in float32.

    One with an environment of its own is asked there, in a process.

    Raises:
        SpeechzooError: nothing has this name.
        SetupError: its files or packages are missing.
    """
    component, options = (catalogue or open_catalogue()).model(name, settings), options or LoadOptions()
    component.require(options.trust_remote_code)

    def make(seed: int) -> Model:
        seeded = replace(options, seed=seed)
        if component.environment is not None:
            return ModelApart(Loading(component, seeded))
        return cast(Model, load(component, seeded))

    # From another process an answer comes as a whole.
    apart = {Capability.STREAM} if component.environment is not None else set()
    return ModelUnderTest(make, component.capabilities - apart, options.dtype)


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


def service(
    name: str,
    settings: Mapping[str, Value] | None = None,
    options: LoadOptions | None = None,
    catalogue: Catalogue | None = None,
) -> ServiceUnderTest:
    """A transcriber or voice by the name it has as a part of a model; errors as of `model`.

    Raises:
        SpeechzooError: it is a judge, of whom nothing can be asked without knowing what is right.
    """
    catalogue = catalogue or open_catalogue()
    component, options = catalogue.service(name, settings), options or LoadOptions()
    component.require(options.trust_remote_code)
    spec = component.spec
    if not isinstance(spec, ServiceSpec) or spec.kind == "judge":
        raise SpeechzooError(f"{name} is a judge, whose opinions cannot be checked: check its plugin")
    owner = PluginUnderTest(catalogue.plugins.owner(spec), catalogue)
    return ServiceUnderTest(partial(load, component, options), spec.kind, owner)


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
    options: LoadOptions | None = None,
) -> Iterator[Examination]:
    """Whatever has this name: a plugin, a model, a task, a service.

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
        yield Examination(f"model {name}", model(name, settings, options, catalogue), MODEL_CHECKS)
    if "task" in kinds:
        yield Examination(f"task {name}", task(name, settings, data, catalogue), TASK_CHECKS)
    if "service" in kinds:
        yield Examination(f"service {name}", service(name, settings, options, catalogue), SERVICE_CHECKS)


def _plugins(catalogue: Catalogue, name: str) -> list[PluginUnderTest]:
    return [PluginUnderTest(one, catalogue) for one in catalogue.plugins.plugins if one.name == name]
