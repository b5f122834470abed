"""Dialogues as the two published checkpoints were given them."""

from collections.abc import Iterable

from speechzoo.dialogue import Dialogue, Part, Role, clips_of, parts_of
from speechzoo.errors import ItemError
from speechzoo_baichuan_audio.tags import Tags

ROLES: dict[Role, str] = {"system": "<B_SYS>", "user": "<C_Q>", "assistant": "<C_A>"}


def instruct(dialogue: Dialogue, tags: Tags) -> list[Part]:
    """Each message after its role, and the assistant's at the end, as in the authors' demo.

    Raises:
        ItemError: a text holds a role or another tag.
    """
    parts: list[Part] = []
    for message in dialogue:
        for part in message.parts:
            if isinstance(part, str):
                tags.refuse(part, *ROLES.values())
        parts += [ROLES[message.role], *message.parts]
    return joined([*parts, ROLES["assistant"]])


def base(dialogue: Dialogue, prompt: str) -> list[Part]:
    """The prompt, then all texts, then the clips: a base model has no roles and no turns.

    Raises:
        ItemError: there is more than one turn.
    """
    if len([message for message in dialogue if message.role != "system"]) > 1:
        raise ItemError("multi_turn", "the prompt of a base model has no turns: leave --set prompt= out")
    texts = [part for part in parts_of(dialogue) if isinstance(part, str)]
    return joined([prompt, *texts, *clips_of(dialogue)])


def joined(parts: Iterable[Part]) -> list[Part]:
    """With neighbouring texts as one: the processor tokenizes what is between two clips as a whole."""
    made: list[Part] = []
    for part in parts:
        if made and isinstance(part, str) and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return made
