"""What a user wants to have run: from options or a signature to the components that run it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from speechzoo.catalogue import Catalogue
from speechzoo.channel import Channel
from speechzoo.errors import SpeechzooError
from speechzoo.loading import Component, fetch
from speechzoo.registry import ModelEntry
from speechzoo.run.records import Role
from speechzoo.run.signature import read_number, read_settings, read_signature
from speechzoo.specs import Condition

DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Wanted:
    """What decides a number, named by options or by a signature; None takes the default."""

    model: str
    task: str
    conditions: tuple[Condition, ...] | None
    settings: Mapping[str, str]
    limit: int | None
    rival: str | None
    dtype: str | None
    seed: int
    attention: str = ""
    data: str | None = None
    transcriber: str | None = None
    channel: Channel = field(default_factory=Channel)
    voice: str | None = None
    signature: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What the names of a `Wanted` stand for; ``notes`` say what had to be left out."""

    systems: dict[Role, Component]
    task: Component
    transcriber: Component | None
    voice: Component | None
    notes: tuple[str, ...]


def from_signature(line: str) -> Wanted:
    """What a signature line names.

    Raises:
        SpeechzooError: the line is no signature.
    """
    fields = read_signature(line)
    conditions, dtype = fields.get("conditions"), fields.get("dtype")
    if dtype is not None and dtype not in DTYPES:
        raise SpeechzooError(f"the signature's dtype:{dtype} is none of {', '.join(DTYPES)}")
    return Wanted(
        model=fields["model"],
        task=fields["task"],
        conditions=read_conditions(conditions),
        settings=read_settings(fields.get("set", "")),
        limit=read_number(fields, "limit", least=1),
        rival=fields.get("rival"),
        dtype=dtype,
        seed=read_number(fields, "seed", least=0) or 0,
        attention=fields.get("attention", ""),
        channel=Channel.read(read_settings(fields.get("channel", ""))),
        voice=fields.get("voice"),
        signature=fields,
    )


def read_conditions(text: str | None) -> tuple[Condition, ...] | None:
    """``t2t,s2t`` as conditions, each once; None stays None.

    Raises:
        SpeechzooError: a name is none of a condition.
    """
    if text is None:
        return None
    try:
        return tuple(dict.fromkeys(Condition(name.strip()) for name in text.split(",")))
    except ValueError as error:
        raise SpeechzooError(f"{error}; conditions are {', '.join(Condition)}") from error


def find(catalogue: Catalogue, wanted: Wanted, online: bool) -> Found:
    """The components, fetched if need be; the base LLM joins where the registry names one.

    Raises:
        SpeechzooError: a name or a setting is unknown.
    """
    settings = _divide(catalogue, wanted)
    systems: dict[Role, Component] = {"model": catalogue.model(wanted.model, settings["model"])}
    notes: list[str] = []
    if wanted.rival is not None:
        systems["rival"] = catalogue.model(wanted.rival, settings["rival"])
    entry = systems["model"].entry
    if isinstance(entry, ModelEntry) and entry.base is not None:
        systems["base"] = catalogue.model(entry.base)
    task = catalogue.task(wanted.task, settings["task"], wanted.data)
    transcriber = None
    if wanted.transcriber is not None:
        transcriber = catalogue.service(wanted.transcriber, settings["transcriber"])
    voice = _voice(catalogue, wanted.voice) if wanted.voice is not None else None
    if "base" in systems and (told := _cannot_be_had(systems["base"], online)):
        del systems["base"]
        notes.append(f"T0 is not measured: {told}")
    if online:
        for component in (*systems.values(), task, *filter(None, (transcriber, voice))):
            fetch(component, lambda line: click.echo(line, err=True))
        return find(catalogue, wanted, online=False)
    return Found(systems, task, transcriber, voice, tuple(notes))


def _voice(catalogue: Catalogue, name: str) -> Component:
    voice = catalogue.service(name)
    if voice.sort != "voice":
        raise SpeechzooError(f"{name} is a {voice.sort}, it has to be a voice (speechzoo list services)")
    return voice


def _cannot_be_had(base: Component, online: bool) -> str | None:
    """Why the base LLM has to be left out of the run: a loss that is measured is worth more than none."""
    for part in base.whole():
        if part.to_obtain():
            return f"the base LLM {base.name} is not to be had: {part.to_obtain()}"
        if part.missing_files() and not online:
            return f"the base LLM is not fetched (speechzoo fetch {base.name})"
    return None


def dtype_of(wanted: Wanted, model: Component, device: str) -> str:
    """The one named, else the registry's for the model, else what suits the device."""
    if wanted.dtype is not None:
        return wanted.dtype
    if isinstance(model.entry, ModelEntry) and model.entry.dtype is not None:
        return model.entry.dtype
    return "float32" if device == "cpu" else "bfloat16"


def _divide(catalogue: Catalogue, wanted: Wanted) -> dict[str, dict[str, str]]:
    """Each setting goes to whichever of model, task and transcriber knows it, or is named before a dot.

    ``transcriber.language`` may mean the run's transcriber or the model's part of that name: then it has to
    be ``model.transcriber.language``. A rival is always named: ``rival.transcriber.beam_size``.
    """
    kinds = {"model": catalogue.model(wanted.model), "task": catalogue.task(wanted.task)}
    if wanted.transcriber is not None:
        kinds["transcriber"] = catalogue.service(wanted.transcriber)
    named = {*kinds, *(["rival"] if wanted.rival is not None else [])}
    divided: dict[str, dict[str, str]] = {kind: {} for kind in named}
    for key, value in wanted.settings.items():
        takers = {kind: key for kind, component in kinds.items() if component.takes(key)}
        prefix, _, rest = key.partition(".")
        if prefix in named and rest:
            takers[prefix] = rest
        if len(takers) != 1:
            meant = " or ".join(f"{kind}.{own}" for kind, own in takers.items())
            problem = f"say which is meant, {meant}" if takers else "nobody knows it"
            raise SpeechzooError(f"--set {key}: {problem}; there are: {', '.join(_settings_of(kinds))}")
        ((kind, own),) = takers.items()
        divided[kind][own] = value
    return divided


def _settings_of(kinds: Mapping[str, Component]) -> list[str]:
    return [
        f"{kind}.{path}"
        for kind, component in kinds.items()
        for path in sorted([*component.parts, *(path for path, _, _ in component.settable())])
    ]
