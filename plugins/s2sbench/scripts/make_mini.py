"""Makes speechzoo_s2sbench/mini from texts/*.json: records, speech, manifest.

    python plugins/s2sbench/scripts/make_mini.py --voice voice.onnx

Prints the SHA-256 of the manifest for registry.yaml. Check the speech with check_speech.py.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speech import VOICES, Speaker, write_clip, write_manifest, write_rows

HERE = Path(__file__).parent
MINI = HERE.parent / "speechzoo_s2sbench" / "mini"
LETTERS = "ABCD"

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True, help="Piper's .onnx file of the voice joe")
    speaker = Speaker(parser.parse_args().voice)
    order = random.Random(20250520)
    stories = list(story_rows(texts("stories"), order))
    choices = list(choice_rows(texts("choices"), order))
    shutil.rmtree(MINI, ignore_errors=True)
    for row in [*stories[::2], *choices]:
        write_clip(MINI / row["audio"], speaker.speak(row["first"], row["voice"]))
    write_rows(MINI / "stories.jsonl", stories)
    write_rows(MINI / "choices.jsonl", choices)
    counts = {"records": len(stories), "pairs": len(stories) // 2, "questions": len(choices)}
    print(write_manifest(MINI, "plugins/s2sbench/scripts/make_mini.py", counts))


def texts(name: str) -> list[Row]:
    content: list[Row] = json.loads((HERE / "texts" / f"{name}.json").read_text(encoding="utf-8"))
    return content


def story_rows(sets: list[Row], order: random.Random) -> Iterator[Row]:
    """Two records a context, plausible ending first; twins stay neighbours, in random order."""
    pair = 0
    for number, twins in enumerate(order.sample(sets, len(sets))):
        for context in order.sample(range(2), 2):
            for implausible in range(2):
                yield {
                    "uttid": 2 * pair + implausible,
                    "first": twins["contexts"][context],
                    "last": twins["endings"][context ^ implausible],
                    "audio": f"audio/story-{pair:03}.opus",
                    "voice": voice(context + number),
                    "set": f"story-{twins['set']}",
                }
            pair += 1


def choice_rows(families: list[Row], order: random.Random) -> Iterator[Row]:
    """One record a stem; its four options in random order."""
    question = 0
    for number, family in enumerate(order.sample(families, len(families))):
        for stem in order.sample(range(4), 4):
            options = order.sample(range(4), 4)
            yield {
                "uttid": question,
                "first": family["stems"][stem],
                **{
                    letter: family["options"][option] for letter, option in zip(LETTERS, options, strict=True)
                },
                "answer": LETTERS[options.index(stem)],
                "audio": f"audio/choice-{question:03}.opus",
                "voice": voice(stem + number),
                "set": f"choice-{family['set']}",
            }
            question += 1


def voice(number: int) -> str:
    """The voices in turn, so that each set has as many clips of one as of the other."""
    return list(VOICES)[number % len(VOICES)]


if __name__ == "__main__":
    main()
