"""What Whisper's encoder makes of the clips, and when each letter is said: computed once, for all epochs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from speechzoo_echox.converted_whisper import convert
from tokenizers import Tokenizer
from torch import Tensor
from transformers import WhisperFeatureExtractor

from echox_tiny.cores import spread
from echox_tiny.folder import Clip, Folder
from echox_tiny.progress import Bar
from echox_tiny.speech import RATE
from echox_tiny.windows import FRAMES, WINDOW, borders, pack, split
from speechzoo.catalogue import open_catalogue

_OF_A_SHARD = 8
# Of the loudest frame's level: above the noise that clips have, below the quietest sounds between two words.
_SILENT = 0.1
_START = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>")


@dataclass(frozen=True)
class Features:
    """Of one clip.

    Attributes:
        clip: what is said.
        frames: pairs of Whisper's frames, [n, 768] in float16.
        times: of each letter and of the end of the text, [letters + 1], in frames from the start.
    """

    clip: Clip
    frames: Tensor
    times: Tensor


def extract(folder: Folder, limit: int, device: str) -> None:
    """Of those of the first ``limit`` clips that are spoken and have none yet."""
    home = open_catalogue().service("whisper-tiny").folder
    if home is None:
        raise FileNotFoundError("run: speechzoo fetch whisper-tiny")
    convert(home / "model.bin", folder.whisper)
    clips = [clip for clip in list(folder.clips())[:limit] if folder.sound(clip).is_file()]
    folder.features.mkdir(parents=True, exist_ok=True)
    done = {name for shard in shards(folder) for name in _names(shard)}
    missing = [clip for clip in clips if clip.id not in done]
    windows = list(pack(folder, missing))
    tasks = [windows[start : start + _OF_A_SHARD] for start in range(0, len(windows), _OF_A_SHARD)]
    with Bar("features", len(clips), len(clips) - len(missing)) as bar:
        for count in spread(partial(_Ears, folder, home, device), tasks, None if device == "cpu" else 1):
            bar.advance(count)


def shards(folder: Folder) -> list[Path]:
    return sorted(folder.features.glob("*.safetensors"))


def read_features(folder: Folder, clips: Iterable[Clip]) -> list[Features]:
    """Of those of the clips that have some, in the clips' order."""
    wanted = {clip.id: clip for clip in clips}
    found: dict[str, Features] = {}
    for shard in shards(folder):
        names = [name for name in _names(shard) if name in wanted]
        with safe_open(shard, framework="pt") as file:
            found |= {
                name: Features(wanted[name], file.get_tensor(name), file.get_tensor(f"{name}.times"))
                for name in names
            }
    return [found[name] for name in wanted if name in found]


def _names(shard: Path) -> list[str]:
    with safe_open(shard, framework="pt") as file:
        return [name for name in file.keys() if not name.endswith(".times")]  # noqa: SIM118 - it is no mapping


class _Ears:
    """CTranslate2's Whisper in float32: its encoder, and where its decoder looks when it writes the text."""

    def __init__(self, folder: Folder, home: Path, device: str) -> None:
        kind, _, index = device.partition(":")
        self._folder = folder
        self._whisper = ctranslate2.models.Whisper(
            str(home), device=kind, device_index=int(index or 0), compute_type="float32", intra_threads=1
        )
        self._extractor = WhisperFeatureExtractor.from_pretrained(folder.whisper, local_files_only=True)
        self._tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
        self._start = [self._tokenizer.token_to_id(token) for token in _START]

    def __call__(self, windows: list[list[Clip]]) -> int:
        """Writes one shard, whole or not at all; the number of its clips."""
        tensors: dict[str, Tensor] = {}
        for clips in windows:
            for own in self._hear(clips):
                tensors |= {own.clip.id: own.frames, f"{own.clip.id}.times": own.times}
        path = self._folder.features / f"{windows[0][0].id}.safetensors"
        part = path.with_suffix(".part")
        save_file(tensors, part)
        part.replace(path)
        return sum(map(len, windows))

    def _hear(self, clips: list[Clip]) -> Iterator[Features]:
        """Clips of one window; the last one's frames go on into the silence after it."""
        sounds = [soundfile.read(self._folder.sound(clip), dtype="float32")[0] for clip in clips]
        samples = np.concatenate(sounds)[:WINDOW]
        bands = self._extractor(samples, sampling_rate=RATE, return_tensors="np").input_features
        encoded = np.array(self._whisper.encode(ctranslate2.StorageView.from_array(bands)))[0]
        lengths = [len(sound) for sound in sounds]
        frames = split(torch.from_numpy(encoded), lengths)
        for clip, own, (start, end) in zip(clips, frames, borders(lengths), strict=True):
            heard = _loud(samples[start * RATE // FRAMES : end * RATE // FRAMES])
            # Two of Whisper's frames are one here, and silence at the ends is no letter's.
            times = (self._times(encoded[2 * start : 2 * end], clip.spoken) / 2).clip(*heard)
            yield Features(clip, own.half(), torch.from_numpy(times.astype(np.float32)))

    def _times(self, encoded: NDArray[np.float32], text: str) -> NDArray[np.float64]:
        """When tokens begin, by dynamic time warping over Whisper's attention, and between them evenly."""
        tokens = self._tokenizer.encode(f" {text}", add_special_tokens=False)
        (found,) = self._whisper.align(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded[None])),
            # The length is told in frames of the spectrogram, of which Whisper makes one of two.
            self._start, [tokens.ids], 2 * len(encoded), median_filter_width=7,
        )  # fmt: skip
        begun: dict[int, int] = {}
        for token, time in found.alignments:
            begun.setdefault(token, time)
        # Offsets count the space before the text; after the last token is the end of the text.
        letters = [max(0, start - 1) for start, _ in tokens.offsets] + [len(text)]
        said = [begun.get(place, len(encoded)) for place in range(len(letters))]
        return np.interp(np.arange(len(text) + 1), letters, said)


def _loud(samples: NDArray[np.float32]) -> tuple[int, int]:
    """The first of a clip's frames that is not silent, and the one after the last."""
    length = RATE // FRAMES
    framed = np.append(samples, np.zeros(-len(samples) % length, np.float32)).reshape(-1, length)
    level = np.sqrt(np.mean(framed**2, axis=1))
    places = np.flatnonzero(level > _SILENT * level.max())
    return int(places[0]), int(places[-1]) + 1
