"""Makes speechzoo_arena/announcements: what a judge hears between the clips of a dialogue.

    python plugins/arena/scripts/make_announcements.py --voice voice.onnx

Needs ``piper-tts`` and a voice file, such as the one of speechzoo's service ``piper-joe``. Synthesis is
without noise and FLAC without loss: the same voice gives the same files.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
import soxr
from piper import PiperVoice, SynthesisConfig

HERE = Path(__file__).parent
FOLDER = HERE.parent / "speechzoo_arena" / "announcements"
RATE = 16_000
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEXTS = {
    **{f"turn-{number}": f"Turn {name}." for number, name in enumerate(NUMBERS, start=1)},
    "response": "Model's response.",
    "model-A": "Dialogue with model A.",
    "model-B": "Dialogue with model B.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True, help="Piper's .onnx file of the voice joe")
    voice = PiperVoice.load(parser.parse_args().voice)
    settings = SynthesisConfig(length_scale=1.1, noise_scale=0.0, noise_w_scale=0.0)
    FOLDER.mkdir(exist_ok=True)
    for name, text in TEXTS.items():
        chunks = list(voice.synthesize(text, settings))
        spoken = np.concatenate([chunk.audio_float_array for chunk in chunks])
        samples = np.clip(soxr.resample(spoken, chunks[0].sample_rate, RATE), -1.0, 1.0)
        soundfile.write(FOLDER / f"{name}.flac", samples, RATE, format="FLAC", subtype="PCM_16")


if __name__ == "__main__":
    main()
