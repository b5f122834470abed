"""Texts to be read aloud: sentences of WordNet's glosses, and stories that SmolLM2 writes."""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from echox_tiny.folder import Clip, Folder, clip_line, read_clips
from echox_tiny.kept_out import KeptOut, words_of
from echox_tiny.progress import Bar
from speechzoo import Setup, lm, user
from speechzoo.catalogue import open_catalogue

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
_LENGTHS = range(4, 17)
_BATCH = 32
_MAX_TOKENS = 72
# Above 1 SmolLM2 leaves English now and then, below 0.8 its stories resemble each other.
_TEMPERATURE = 0.9
_PROMPTS = (
    "Write a story of three short sentences about {thing} and {other}. Use simple words.",
    "In three short sentences, tell what happened to {name}, who needed {thing}.",
    "Tell a very short story in which {name} finds {thing} near {other}. Three sentences.",
    "Write three plain sentences about an ordinary day on which {name} used {thing}.",
    "{name} had a problem with {thing}. Tell in three short sentences how it was solved.",
    "Describe in three short sentences how people use {thing} and {other}.",
    "Write three short sentences that explain what {thing} is for.",
    "Tell in three simple sentences why {name} was happy about {thing}.",
)
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
            prompts = [writer.embed_context((user(_prompt(order, things)),), True, {}) for _ in range(_BATCH)]
            rows = lm.generate(writer, prompts, [_MAX_TOKENS] * _BATCH, _TEMPERATURE, order.getrandbits(32))
            for row in rows:
                story = three_sentences(str(writer.tokenizer.decode(row, skip_special_tokens=True)))
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


def _prompt(order: random.Random, things: Sequence[str]) -> str:
    thing, other = order.sample(things, 2)
    name = order.choice(_NAMES.split())
    return order.choice(_PROMPTS).format(thing=f"a {thing}", other=f"a {other}", name=name)


def said(clips: Sequence[Clip]) -> Iterator[str]:
    """All that a model would be trained on."""
    for clip in clips:
        yield clip.spoken + clip.rest
