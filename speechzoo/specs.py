"""What a plugin says it has, as light data: the class behind a spec is imported when it is used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Condition(StrEnum):
    """Input modality x output modality: how an item is put to a model."""

    T2T = "t2t"
    S2T = "s2t"
    T2S = "t2s"
    S2S = "s2s"

    @property
    def speech_in(self) -> bool:
        return self.value[0] == "s"

    @property
    def speech_out(self) -> bool:
        return self.value[2] == "s"


class Capability(StrEnum):
    """What a model can do; the planner never asks for what was not declared."""

    TEXT_IN = "text-in"
    AUDIO_IN = "audio-in"
    TEXT_OUT = "text-out"
    SPEECH_OUT = "speech-out"
    SCORE_UNDER_TEXT = "score-under-text"
    SCORE_UNDER_AUDIO = "score-under-audio"
    SCORE_SPEECH = "score-speech"
    MULTI_TURN = "multi-turn"
    STREAM = "stream"


@dataclass(frozen=True)
class Parameter:
    """A keyword of the class behind a spec, settable with ``--set name=value``.

    Attributes:
        default: used when nothing is set; its type is the type a value must have.
        help: one line for ``speechzoo show``.
        choices: the values allowed, if they are few.
        decides: it can change an answer, and so is part of a run's fingerprint; a timeout or a price
            cannot.
        required: nothing works with the default; it has to be set.
    """

    default: str | int | float | bool
    help: str
    choices: tuple[str, ...] = ()
    decides: bool = True
    required: bool = False


Parameters = Mapping[str, Parameter]


@dataclass(frozen=True)
class ModelSpec:
    """A kind of model that a plugin can drive.

    Attributes:
        name: how registry entries and ``--model NAME`` call it.
        target: ``"module:Class"``; the class is made as ``Class(setup, **parameters)``.
        summary: one line.
        capabilities: what the class can do.
        parameters: its keywords.
        parts: the parts it is made of and the registry name each defaults to, such as
            ``{"transcriber": "whisper-tiny"}``; reached as ``setup.part("transcriber")``. One that
            defaults to "" is absent unless it is set.
        prepare: ``"module:function"`` run once on freshly fetched files as ``function(folder)``.
        requires: distributions that the class imports beyond those its package depends on.
        needs_files: it can do nothing without a checkpoint: a registry entry's, or ``NAME@FOLDER``.
        remote_code: it runs Python code that lies in its checkpoint: only with ``--trust-remote-code``.
    """

    name: str
    target: str
    summary: str
    capabilities: frozenset[Capability] = frozenset()
    parameters: Parameters = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    prepare: str | None = None
    requires: tuple[str, ...] = ()
    needs_files: bool = False
    remote_code: bool = False


ServiceKind = Literal["transcriber", "voice", "judge"]


@dataclass(frozen=True)
class ServiceSpec:
    """A kind of recogniser, synthesizer or judge that a plugin can drive; fields as in `ModelSpec`."""

    name: str
    kind: ServiceKind
    target: str
    summary: str
    parameters: Parameters = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    prepare: str | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskSpec:
    """A task; the other fields are as in `ModelSpec`.

    Attributes:
        data: its data set in the registry.
        subsets: parts of it that can be run alone, as ``--task NAME/SUBSET``. A task that has some is
            made with the keyword ``subset``, "" for all of them.
    """

    name: str
    target: str
    summary: str
    data: str | None = None
    subsets: tuple[str, ...] = ()
    parameters: Parameters = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    prepare: str | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommandSpec:
    """A subcommand; ``target`` names a click command."""

    name: str
    target: str
    summary: str


Spec = ModelSpec | ServiceSpec | TaskSpec | CommandSpec
JsonObject = dict[str, Any]
