"""Makes speechzoo_mtalk_bench/mini from texts/dialogues.json: dialogues, speech, manifest.

    python plugins/mtalk-bench/scripts/make_mini.py --voice voice.onnx

Needs ``piper-tts`` (GPL-3.0, hence no dependency of the plugin) and a voice file, such as the one of
speechzoo's service ``piper-joe``. Synthesis is without noise, sounds are drawn with a seed and FLAC is
without loss: made again with the same versions, the files are the same. Prints the SHA-256 of the manifest
for registry.yaml.
"""

import argparse
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from piper import PiperVoice, SynthesisConfig

from sounds import RATE, Samples, alarm, knocks, mixed, rain, whispered

HERE = Path(__file__).parent
MINI = HERE.parent / "speechzoo_mtalk_bench" / "mini"
SOUNDS = {"rain": rain, "alarm": alarm, "knocks": knocks}
CUE = re.compile(r"\[[^\]]*\]")
PAUSE_SECONDS = 0.3

RUBRIC = """\
You judge a spoken dialogue between a user and a model. Only the model's replies are judged, never the user.
Check each criterion on its own. It is satisfied (true) only if what it says holds of all replies that it is \
about; otherwise, or if there is no such reply, it is not (false).
{which}
{criteria}"""

ARENA = """\
You compare two models, A and B, which talked with the same user. What the user says is the same in both \
dialogues; the replies differ. Which model is the better partner in this conversation, judged by {by}?
Judge all turns together. Neither the order in which you meet the models nor the length of their replies is \
a merit.
The winner is "Model A" or "Model B", or "tie" if neither is better. Say why in one or two sentences."""

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True, help="Piper's .onnx file of the voice joe")
    voice = PiperVoice.load(parser.parse_args().voice)
    texts = json.loads((HERE / "texts" / "dialogues.json").read_text(encoding="utf-8"))
    shutil.rmtree(MINI, ignore_errors=True)
    (MINI / "audio").mkdir(parents=True)
    rows = []
    for dialogue in texts["dialogues"]:
        for row, turn in zip(dialogue_rows(dialogue, texts), dialogue["turns"], strict=True):
            soundfile.write(MINI / row["audio"], recording(voice, turn, row["audio"]), RATE, subtype="PCM_16")
            rows.append(row)
    write_rows("dialogues.jsonl", rows)
    write_rows(
        "capabilities.jsonl",
        [{k: d[k] for k in ("type", "number", "capability")} for d in texts["dialogues"]],
    )
    print(write_manifest({"dialogues": len(texts["dialogues"]), "turns": len(rows)}))


def dialogue_rows(dialogue: Row, texts: Row) -> Iterator[Row]:
    """A row a turn; the prompts stand in the first."""
    kind, number = dialogue["type"], dialogue["number"]
    prompts = {
        "arena_prompt": ARENA.format(by=texts["arena"][kind]),
        "rubric_prompt_general": rubric("The criteria of every dialogue:", "s", texts["general"][kind]),
        "rubric_prompt_specific": rubric("The criteria of this dialogue:", "d", dialogue["specific"]),
    }
    for place, turn in enumerate(dialogue["turns"], start=1):
        yield {
            "type": kind,
            "number": number,
            "turn": f"turn{place}",
            "source": "question",
            "audio": f"audio/{number}-turn{place}_{kind}.flac",
            "transcription": turn["text"],
            **(prompts if place == 1 else {}),
        }


def rubric(which: str, letter: str, criteria: Sequence[str]) -> str:
    lines = [f"criteria_{letter}_{number}: {text}" for number, text in enumerate(criteria, start=1)]
    return RUBRIC.format(which=which, criteria="\n".join(lines))


def recording(voice: PiperVoice, turn: Row, name: str) -> Samples:
    """A turn as it is recorded: the voice, in its manner, with all that sounds around it."""
    draws = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    samples = spoken(voice, CUE.sub(" ", turn["text"]), turn)
    if turn.get("manner") == "whisper":
        samples = whispered(samples, draws)
    if other := turn.get("other"):
        second = other["gain"] * spoken(voice, other["text"], other)
        samples = mixed(samples, second, round(other["at"] * len(samples)))
    for sound in turn.get("sounds", ()):
        at_end = sound.get("at") == "end"
        start = len(samples) + RATE // 4 if at_end else 0
        length = RATE if at_end else len(samples)
        samples = mixed(samples, sound["gain"] * SOUNDS[sound["kind"]](length, draws), start)
    return np.clip(samples, -1.0, 1.0)


def spoken(voice: PiperVoice, text: str, style: Row) -> Samples:
    """Spoken slower and played faster by ``pitch``, which raises pitch and formants and keeps the tempo."""
    pitch, pace = style.get("pitch", 1.0), style.get("pace", 1.0)
    settings = SynthesisConfig(length_scale=pitch * pace, noise_scale=0.0, noise_w_scale=0.0)
    chunks = list(voice.synthesize(" ".join(text.split()), settings))
    pause = np.zeros(round(PAUSE_SECONDS * chunks[0].sample_rate), np.float32)
    pieces = [piece for chunk in chunks for piece in (chunk.audio_float_array, pause)]
    resampled: Samples = soxr.resample(np.concatenate(pieces[:-1]), chunks[0].sample_rate * pitch, RATE)
    return 0.7 * resampled


def write_rows(name: str, rows: Sequence[Row]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (MINI / name).write_text("".join(lines), encoding="utf-8")


def write_manifest(counts: dict[str, int]) -> str:
    """Lists every file with its SHA-256; returns the SHA-256 of the list itself."""
    paths = sorted(path for path in MINI.rglob("*") if path.is_file())
    manifest = {
        "licence": "CC0-1.0",
        "script": "plugins/mtalk-bench/scripts/make_mini.py",
        "synthesis": "Piper en_US joe medium, noise scales 0; sounds computed by sounds.py; FLAC at 16 kHz",
        "counts": counts,
        "files": {path.relative_to(MINI).as_posix(): sha256(path) for path in paths},
    }
    file = MINI / "manifest.json"
    file.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return sha256(file)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
