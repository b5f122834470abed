"""Texts to be read aloud: sentences of WordNet's glosses, and stories that SmolLM2 writes."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import click
import torch

from echox_tiny.folder import Clip, Folder, clip_line, read_clips
from echox_tiny.kept_out import KeptOut, words_of
from echox_tiny.progress import Bar
from speechzoo import Setup, lm, user
from speechzoo.catalogue import open_catalogue

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
_LENGTHS = range(4, 17)
_BATCH = 96
_MAX_TOKENS = 56
# Above this SmolLM2's stories fall apart, below it they resemble each other.
_TEMPERATURE = 0.8
# Three of these before the beginning of a new one: asked to write a story, SmolLM2 writes a long one.
_STORIES = (
    "Key: Tom found an old key behind the garden wall. He tried it in every door. It opened the shed.",
    "Coat: Mia was cold on her way to school. Her aunt sewed her a coat of wool. She wore it until spring.",
    "Goat: The farmer's goat ran away one night. It ate the cabbages next door. He paid with a jar of honey.",
    "Song: My uncle plays in a small band. They learned a new song for a wedding. Everybody danced to it.",
    "Map: Rosa lost her way in the big city. A driver drew her a map on a napkin. She came home at nine.",
)
_STARTS = ("{name}", "{name}", "{name} and", "{name}'s", "The", "A", "My", "Our", "One", "Every")
_NAMES = (
    "Anna Ben Carla David Emma Frank Grace Henry Irene Joe Kate Liam Mary Noah Olga Paul Ruth Sam Tina Will"
)


def write_wordnet(folder: Folder, wordnet: Path, seed: int) -> None:
    """Once; all of its sentences, each in one clip.

    Raises:
        click.ClickException: WordNet's files are not there.
    """
    path = folder.text("wordnet")
    if path.is_file():
        return
    order, kept_out = random.Random(seed), KeptOut()
    sentences = [sentence for sentence in examples(wordnet) if sentence not in kept_out]
    order.shuffle(sentences)
    clips: list[Clip] = []
    start = 0
    while start < len(sentences):
        # A clip of half a sentence, or with one or two whole ones before it.
        whole = order.choice((0, 1, 2, 2))
        own = sentences[start : start + whole + 1]
        clips.append(cut(f"wordnet-{len(clips):05}", own, order))
        start += len(own)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(clip_line(clip) for clip in clips if clip.rest), encoding="utf-8")
    click.echo(f"{len(sentences)} sentences of WordNet in {len(clips)} clips")


def examples(wordnet: Path) -> list[str]:
    """The glosses' example sentences of 4 to 16 words, as sentences; the format is that of wndb(5WN)."""
    found: dict[str, None] = {}
    for part in _PARTS_OF_SPEECH:
        if not (path := wordnet / f"data.{part}").is_file():
            raise click.ClickException(f"{path} is missing: install wordnet-base, or name it with --wordnet")
        for line in path.read_text(encoding="utf-8").splitlines():
            gloss = line.partition(" | ")[2]
            for example in re.findall(r'"([^"]+)"', gloss):
                if is_plain(example) and len(example.split()) in _LENGTHS:
                    found.setdefault(example[0].upper() + example[1:].rstrip(".!?;, ") + ".")
    return list(found)


def is_plain(sentence: str) -> bool:
    """Letters and the usual marks: what is read as it is written."""
    return re.fullmatch(r"[A-Za-z][A-Za-z',\- ]+[.!?]?", sentence) is not None


def cut(name: str, sentences: Sequence[str], order: random.Random) -> Clip:
    """The last sentence is heard to about its middle; what is not heard is the continuation."""
    *before, last = sentences
    words = last.split()
    place = max(2, round(len(words) * order.uniform(0.4, 0.7)))
    return Clip(name, " ".join([*before, *words[:place]]), "".join(f" {word}" for word in words[place:]))


def write_stories(folder: Folder, wordnet: Path, count: int, device: str, seed: int) -> None:
    """SmolLM2's, until there are so many clips; taken up where it was left."""
    path = folder.text("smollm2")
    clips = read_clips(path)
    if len(clips) >= count:
        return
    path.write_text("".join(map(clip_line, clips)), encoding="utf-8")
    kept_out, known = KeptOut(), {tuple(words_of(clip.spoken)) for clip in clips}
    things = nouns(wordnet)
    setup = Setup("smollm2-135m", open_catalogue().model("smollm2-135m").folder, device=device)
    writer = lm.CausalLM.load(setup)
    # What is drawn depends on how far it has come, so that no prompt is asked again.
    batch = len(clips)
    with path.open("a", encoding="utf-8") as file, Bar("stories", count, len(clips)) as bar:
        while len(clips) < count:
            order = random.Random(f"{seed} {batch}")
            asked = [_prompt(order, things) for _ in range(_BATCH)]
            for text in _write(writer, asked, order.getrandbits(32)):
                story = three_sentences(text)
                if story is None or " ".join(story) in kept_out:
                    continue
                clip = cut(f"smollm2-{len(clips):05}", story, order)
                heard = tuple(words_of(clip.spoken))
                if heard not in known and len(clips) < count:
                    known.add(heard)
                    clips.append(clip)
                    file.write(clip_line(clip))
                    bar.advance(1)
            file.flush()
            batch += _BATCH
    writer.close()


@torch.inference_mode()
def _write(writer: lm.CausalLM, asked: Sequence[tuple[str, str]], state: int) -> list[str]:
    """Each the given beginning and what follows, to the end of the paragraph."""
    prompts = [writer.embed_context((user(before + start),), False, {}) for before, start in asked]
    rows = lm.generate(writer, prompts, [_MAX_TOKENS] * len(asked), _TEMPERATURE, state)
    written = writer.tokenizer.batch_decode(rows, skip_special_tokens=True)
    return [start + text.partition("\n")[0] for (_, start), text in zip(asked, written, strict=True)]


def three_sentences(text: str) -> list[str] | None:
    """The first three of a story, if each can be read aloud and is neither too short nor too long."""
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())[:3]
    good = all(
        is_plain(sentence) and sentence[-1] in ".!?" and len(sentence.split()) in _LENGTHS
        for sentence in sentences
    )
    return sentences if good and len(sentences) == 3 else None


def nouns(wordnet: Path) -> list[str]:
    """Common ones, that WordNet has at least four meanings of: those are everyday words."""
    lines = (wordnet / "index.noun").read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if not line.startswith(" ")]
    return [own[0] for own in fields if own[0].isalpha() and 3 <= len(own[0]) <= 8 and int(own[2]) >= 4]


def _prompt(order: random.Random, things: Sequence[str]) -> tuple[str, str]:
    """What stands before a story, and its first word."""
    before = "\n\n".join([*order.sample(_STORIES, 3), f"{order.choice(things).capitalize()}: "])
    return before, order.choice(_STARTS).format(name=order.choice(_NAMES.split()))
