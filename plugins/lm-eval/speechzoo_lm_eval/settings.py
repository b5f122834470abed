"""What ``--model_args`` of lm-eval may say of a speechzoo model."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from speechzoo import Condition, SpeechzooError
from speechzoo.run.signature import text_of

BATCH_SIZE = 16
EVERYTHING = "everything"
"""The policy that needs no turns to tell what is to be spoken."""
POLICIES = ("last_user", "all_user", EVERYTHING)
FIELD = "field:"


class Settings(BaseModel):
    """How a speechzoo model is asked within lm-eval.

    Attributes:
        model: name, or ``ADAPTER@FOLDER``.
        mode: whether the model reads or hears what `spoken` names.
        spoken: ``last_user`` (the last user turn), ``all_user``, ``everything`` or ``field:NAME`` (a column
            of the document, wherever it stands in the last user turn).
        voice: that speaks it.
        language: of the texts, ISO 639-1.
        output: whether the answer is the model's text or what a transcriber hears in its speech.
        transcriber: of spoken answers.
        answers: choices are ``scored`` by the likelihoods of their options, or ``generated``: told from a
            reply to the prompt with its options.
        device: as of ``speechzoo eval``; so are ``dtype`` ("" for the model's own), ``attention``,
            ``device_map``, ``trust_remote_code`` and ``seed``.
        batch_size: contexts of one call of the model.
        failures: ``refuse`` ends the run if a request has no answer; ``mark`` goes on, names the documents
            concerned, and gives lm-eval a NaN or an empty reply.
        settings: parameters and parts of the model, from ``set.KEY=VALUE``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    mode: Literal["text", "speech"] = "text"
    spoken: str = "last_user"
    voice: str = "piper-joe"
    language: str = "en"
    output: Literal["text", "speech"] = "text"
    transcriber: str = "whisper-tiny"
    answers: Literal["scored", "generated"] = "scored"
    device: str = "cpu"
    dtype: str = ""
    attention: str = ""
    device_map: str = ""
    trust_remote_code: bool = False
    seed: int = 0
    batch_size: int = Field(BATCH_SIZE, ge=1)
    failures: Literal["refuse", "mark"] = "refuse"
    settings: Mapping[str, str] = {}

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        """From lm-eval's keywords.

        Raises:
            SpeechzooError: a key is unknown or a value is none that it can have.
        """
        try:
            return cls.model_validate(dict(arguments))
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            known = ", ".join([*cls.model_fields, "set.KEY"])
            raise SpeechzooError(f"model_args of speechzoo: {told}. There are: {known}") from error

    @model_validator(mode="before")
    @classmethod
    def _gather_settings(cls, values: dict[str, Any]) -> dict[str, Any]:
        # lm-eval hands its own batch options to every class.
        rest = {key: value for key, value in values.items() if key != "max_batch_size"}
        # lm-eval has read values as Python's: "1" came as a number.
        own = {key.removeprefix("set."): text_of(rest.pop(key)) for key in [*rest] if key.startswith("set.")}
        return {**rest, "settings": {**rest.get("settings", {}), **own}}

    @field_validator("batch_size", mode="before")
    @classmethod
    def _automatic(cls, value: object) -> object:
        return BATCH_SIZE if str(value).startswith("auto") else value

    @field_validator("spoken")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in POLICIES and not (value.startswith(FIELD) and value != FIELD):
            raise ValueError(f"one of {', '.join(POLICIES)} or {FIELD}NAME, not {value!r}")
        return value

    @property
    def condition(self) -> Condition:
        return Condition(f"{self.mode[0]}2{self.output[0]}")
