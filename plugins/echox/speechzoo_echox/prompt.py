"""A dialogue in EchoX's own format: ids, and clips where their vectors come in.

Every piece of text is tokenized by itself, behind a beginning-of-text token of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from transformers import PreTrainedTokenizerBase

from speechzoo import AudioClip, Dialogue, ItemError, Message
from speechzoo.errors import SetupError

SYSTEM = (
    "You are a helpful language and speech assistant. You are able to understand the speech content that "
    "the user provides, and assist the user with a variety of tasks using natural language."
)
MAX_PROMPT_TOKENS = 1024
"""A clip counts as one. The reference cuts what is beyond, the open turn of the assistant with it."""

Prompt = list[int | AudioClip]


@dataclass(frozen=True)
class SpecialTokens:
    """Ids that the format is made of; ``pad`` is masked wherever a prompt has clips."""

    bos: int
    start_header: int
    end_header: int
    end_of_turn: int
    audio: int
    pad: int
    newline: int
    speaker: int
    period: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> Self:
        """Looked up by name.

        Raises:
            SetupError: one is missing, is no single token, or none of the LLM's.
        """

        def named(token: str) -> int:
            found = tokenizer.convert_tokens_to_ids(token)
            if not isinstance(found, int) or not 0 <= found < vocabulary:
                raise SetupError(f"the tokenizer has no {token} among the LLM's {vocabulary} tokens")
            return found

        def last_of(text: str, single: bool) -> int:
            ids = tokenizer.encode(text, add_special_tokens=False)
            if not ids or (single and len(ids) > 1):
                raise SetupError(f"{text!r} has to be one token, the tokenizer makes {len(ids)} of it")
            return int(ids[-1])

        if tokenizer.pad_token_id is None:
            raise SetupError("the tokenizer has no padding token; EchoX masks <|eot_id|> as such")
        return cls(
            bos=named("<|begin_of_text|>"),
            start_header=named("<|start_header_id|>"),
            end_header=named("<|end_header_id|>"),
            end_of_turn=named("<|eot_id|>"),
            audio=named("<audio_patch>"),
            pad=int(tokenizer.pad_token_id),
            newline=last_of("\n", single=True),
            speaker=last_of("speaker", single=True),
            period=last_of(".", single=False),
        )


def prompt(dialogue: Dialogue, tokens: SpecialTokens, ids: Callable[[str], list[int]]) -> Prompt:
    """The dialogue and the assistant's open turn; a last message of the assistant is left open.

    A system message of the dialogue takes the place of the one the model was trained with.

    Args:
        dialogue: a user's turn has one clip at most, which is heard before the turn's text.
        tokens: of the format.
        ids: tokens of a text by itself.

    Raises:
        ItemError: ``unsupported_turn``, ``audio_token_in_text``, ``too_long``.
    """
    opening = (
        dialogue if dialogue and dialogue[0].role == "system" else (Message("system", (SYSTEM,)), *dialogue)
    )
    made: Prompt = [tokens.bos]
    for message in opening:
        made += _turn(message, tokens, ids)
    if opening[-1].role == "assistant":
        made.pop()
    else:
        made += [*_header("assistant", tokens, ids), tokens.bos, tokens.newline]
    if len(made) > MAX_PROMPT_TOKENS:
        raise ItemError(
            "too_long", f"the prompt has {len(made)} tokens before audio, EchoX takes {MAX_PROMPT_TOKENS}"
        )
    return made


def _turn(message: Message, tokens: SpecialTokens, ids: Callable[[str], list[int]]) -> Prompt:
    if len(message.clips) > (message.role == "user"):
        raise ItemError(
            "unsupported_turn",
            f"a turn of the {message.role} with {len(message.clips)} clips: EchoX hears one clip in a turn "
            "of the user and none elsewhere",
        )
    text = ids(message.text)
    if tokens.audio in text:
        raise ItemError("audio_token_in_text", f"<audio_patch> stands in a text: {message.text[:200]!r}")
    made: Prompt = _header(message.role, tokens, ids)
    if message.clips:
        made += [tokens.bos, tokens.newline, *message.clips]
    elif message.role != "user":
        made += [tokens.bos, tokens.newline]
    return [*made, tokens.bos, *text, tokens.end_of_turn]


def _header(role: str, tokens: SpecialTokens, ids: Callable[[str], list[int]]) -> Prompt:
    return [tokens.start_header, tokens.bos, *ids(role), tokens.end_header]
