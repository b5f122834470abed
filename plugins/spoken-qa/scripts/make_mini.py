"""Makes speechzoo_spoken_qa/mini from texts/questions.json: questions, speech, manifest.

It uses speech.py of the s2sbench plugin's scripts, and check_speech.py there checks the result:

    PYTHONPATH=plugins/s2sbench/scripts python plugins/spoken-qa/scripts/make_mini.py --voice voice.onnx

Prints the SHA-256 of the manifest for registry.yaml.
"""

import argparse
import json
import shutil
from pathlib import Path

from speech import VOICES, Speaker, write_clip, write_manifest, write_rows

HERE = Path(__file__).parent
MINI = HERE.parent / "speechzoo_spoken_qa" / "mini"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True, help="Piper's .onnx file of the voice joe")
    speaker = Speaker(parser.parse_args().voice)
    texts = json.loads((HERE / "texts" / "questions.json").read_text(encoding="utf-8"))
    rows = [
        {
            "id": f"q{number:03}",
            "question": text["question"],
            "answers": text["answers"],
            "audio": f"audio/q{number:03}.opus",
            "voice": list(VOICES)[number % len(VOICES)],
            "topic": text["topic"],
        }
        for number, text in enumerate(texts)
    ]
    shutil.rmtree(MINI, ignore_errors=True)
    for row in rows:
        write_clip(MINI / row["audio"], speaker.speak(row["question"], row["voice"]))
    write_rows(MINI / "questions.jsonl", rows)
    print(write_manifest(MINI, "plugins/spoken-qa/scripts/make_mini.py", {"questions": len(rows)}))


if __name__ == "__main__":
    main()
