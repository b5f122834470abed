"""Makes speechzoo_spoken_qa/mini from texts/questions.json: items, speech, manifest.

It uses speech.py of the s2sbench plugin's scripts, and check_speech.py there checks the result:

    PYTHONPATH=plugins/s2sbench/scripts python plugins/spoken-qa/scripts/make_mini.py --voice voice.onnx

Prints the SHA-256 of the manifest for registry.yaml.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

from speech import VOICES, Speaker, write_clip, write_manifest, write_rows

HERE = Path(__file__).parent
MINI = HERE.parent / "speechzoo_spoken_qa" / "mini"
LICENCE = "CC0-1.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True, help="Piper's .onnx file of the voice joe")
    speaker = Speaker(parser.parse_args().voice)
    texts = json.loads((HERE / "texts" / "questions.json").read_text(encoding="utf-8"))
    rows = [
        {
            "id": f"q{number:03}",
            "question": text["question"],
            "spoken": text["question"],
            "audio": f"audio/q{number:03}.opus",
            "answers": text["answers"],
            "voice": list(VOICES)[number % len(VOICES)],
            "attributes": {"topic": text["topic"]},
        }
        for number, text in enumerate(texts)
    ]
    shutil.rmtree(MINI, ignore_errors=True)
    for row in rows:
        write_clip(MINI / row["audio"], speaker.speak(row["spoken"], row["voice"]))
    write_rows(MINI / "items.jsonl", rows)
    write_manifest(MINI, "plugins/spoken-qa/scripts/make_mini.py", {"items": len(rows)})
    print(as_spoken_items(MINI / "manifest.json"))


def as_spoken_items(file: Path) -> str:
    """Makes the manifest one of the format that the task reads; returns its SHA-256."""
    manifest = json.loads(file.read_text(encoding="utf-8"))
    voices = {name: {"made": made, "licence": LICENCE} for name, made in manifest["voices"].items()}
    written = {"format": "speechzoo-spoken-items", "version": 1, **manifest, "voices": voices}
    file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
