"""The special tokens of a checkpoint: ids from its config, strings from its tokenizer, never from here."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from transformers import PreTrainedTokenizerBase

from speechzoo.errors import ItemError, SetupError

_NEEDED = ("audio_start", "audio_end", "audio_pad")
_OTHERS = (
    "audio_delim",
    "audiotext_start",
    "audiotext_end",
    "audiotext_pad",
    "audiogen_start",
    "audiogen_end",
)
CHUNK_START, CHUNK_END = "<trainable_start>", "<trainable_end>"
"""The processor takes a text apart at these and drops them: they are no tokens."""


@dataclass(frozen=True)
class Tags:
    """What stands around a clip and in its place.

    Attributes:
        ids: by name, such as ``audio_start``.
        strings: the same tokens as the processor's strings have them.
    """

    ids: dict[str, int]
    strings: dict[str, str]

    @classmethod
    def of(cls, config: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> Self:
        """Those that the config names.

        Raises:
            SetupError: one that hearing needs is missing in config or tokenizer, or is not one token.
        """
        audio = getattr(config, "audio_config", None)
        if audio is None:
            raise SetupError(f"{name}: config.json has no audio_config; is it a Baichuan-Audio checkpoint?")
        named = {one: getattr(audio, f"{one}_token_id", None) for one in (*_NEEDED, *_OTHERS)}
        ids = {one: number for one, number in named.items() if number is not None}
        if missing := [f"{one}_token_id" for one in _NEEDED if one not in ids]:
            raise SetupError(f"{name}: audio_config in config.json lacks {', '.join(missing)}")
        strings = {one: cast(str, tokenizer.convert_ids_to_tokens(number)) for one, number in ids.items()}
        for one, string in strings.items():
            if not string or tokenizer.encode(string, add_special_tokens=False) != [ids[one]]:
                raise SetupError(
                    f"{name}: {one}_token_id is {ids[one]}, which is {string!r} to the tokenizer and not a "
                    "token of its own: config and tokenizer are not of one checkpoint"
                )
        return cls(ids, strings)

    def clip(self, path: Path) -> str:
        """A clip as the processor is told of it."""
        told = json.dumps({"path": str(path)}, ensure_ascii=False)
        return self.strings["audio_start"] + told + self.strings["audio_end"]

    def refuse(self, text: str, *others: str) -> None:
        """Raises `ItemError` for a text that holds a tag or one of the others: no text to the model."""
        tags = (*self.strings.values(), CHUNK_START, CHUNK_END, *others)
        if tag := next((one for one in tags if one in text), None):
            raise ItemError(
                "tag_in_text", f"{text[:60]!r} holds {tag}, which the model would not read as text"
            )
