"""Transcribes every clip of a mini data set with Whisper and lists the clips that are hard to understand.

    python plugins/s2sbench/scripts/check_speech.py plugins/s2sbench/speechzoo_s2sbench/mini \\
        --whisper FOLDER_OF_A_CTRANSLATE2_MODEL
"""

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import mean

from faster_whisper import WhisperModel
from speechzoo import AudioClip
from speechzoo.jsonl import read_jsonl
from speechzoo.wer import word_error_rate

HARD = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="the data set")
    parser.add_argument("--whisper", required=True, help="a model's name or folder")
    given = parser.parse_args()
    model = WhisperModel(given.whisper, device="cpu", compute_type="int8", cpu_threads=1)
    rates: dict[str, list[float]] = defaultdict(list)
    for clip, voice, spoken in clips(given.folder):
        segments, _ = model.transcribe(clip.samples(16_000), language="en", beam_size=1)
        heard = "".join(segment.text for segment in segments)
        rate = word_error_rate(spoken, heard)
        rates[voice].append(rate)
        if rate > HARD:
            print(f"{rate:.2f} {clip.name}\n  spoken: {spoken}\n  heard: {heard}")
    for voice, values in rates.items():
        print(f"{voice}: mean word error rate {mean(values):.3f} over {len(values)} clips")


def clips(folder: Path) -> list[tuple[AudioClip, str, str]]:
    """Clip, voice and spoken text, once for each audio file."""
    found = {}
    for file in folder.glob("*.jsonl"):
        for row in read_jsonl(file):
            spoken = row.values.get("first") or row.text("question")
            path = row.path("audio", folder)
            found[path] = (AudioClip.from_file(path), row.text("voice"), spoken)
    return list(found.values())


if __name__ == "__main__":
    main()
