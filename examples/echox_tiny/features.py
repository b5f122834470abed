"""What Whisper's encoder makes of the clips, and when each letter is said: computed once, for all epochs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import WhisperFeatureExtractor

from echox_tiny.folder import Clip, Folder
from echox_tiny.progress import Bar
from echox_tiny.speech import RATE
from echox_tiny.whisper import convert
from speechzoo.catalogue import open_catalogue

FRAMES = 25
"""Pairs of Whisper's frames in a second: what EchoX's adapter takes."""

_OF_A_SHARD = 32
# Of the silence that fills Whisper's 30 s, this much after the clip is kept whole, of the rest one in 20.
_AFTER = 0.6
_STRIDE = 20
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
    whisper_home = open_catalogue().service("whisper-tiny").folder
    if whisper_home is None:
        raise FileNotFoundError("run: speechzoo fetch whisper-tiny")
    convert(whisper_home / "model.bin", folder.whisper)
    clips = [clip for clip in list(folder.clips())[:limit] if folder.sound(clip).is_file()]
    folder.features.mkdir(parents=True, exist_ok=True)
    done = {name for shard in shards(folder) for name in _names(shard)}
    missing = [clip for clip in clips if clip.id not in done]
    ears = _Ears(whisper_home, folder.whisper, device)
    with Bar("features", len(clips), len(clips) - len(missing)) as bar:
        for start in range(0, len(missing), _OF_A_SHARD):
            own = missing[start : start + _OF_A_SHARD]
            tensors: dict[str, Tensor] = {}
            for clip in own:
                frames, times = ears(folder.sound(clip), clip.spoken)
                tensors |= {clip.id: frames, f"{clip.id}.times": times}
            path = folder.features / f"{own[0].id}.safetensors"
            part = path.with_suffix(".part")
            save_file(tensors, part)
            part.replace(path)
            bar.advance(len(own))


def shards(folder: Folder) -> list[Path]:
    return sorted(folder.features.glob("*.safetensors"))


def read_features(folder: Folder, limit: int) -> Iterator[Features]:
    """Of those of the first ``limit`` clips that have some, in the clips' order."""
    places = {name: shard for shard in shards(folder) for name in _names(shard)}
    opened = {}
    for clip in list(folder.clips())[:limit]:
        if clip.id in places:
            shard = places[clip.id]
            if shard not in opened:
                opened[shard] = safe_open(shard, framework="pt")
            file = opened[shard]
            yield Features(clip, file.get_tensor(clip.id), file.get_tensor(f"{clip.id}.times"))


def _names(shard: Path) -> list[str]:
    with safe_open(shard, framework="pt") as file:
        return [name for name in file.keys() if not name.endswith(".times")]  # noqa: SIM118 - it is no mapping


class _Ears:
    """CTranslate2's Whisper in float32: its encoder, and where its decoder looks when it writes the text."""

    def __init__(self, home: Path, converted: Path, device: str) -> None:
        kind, _, index = device.partition(":")
        self._whisper = ctranslate2.models.Whisper(
            str(home), device=kind, device_index=int(index or 0), compute_type="float32", intra_threads=1
        )
        self._extractor = WhisperFeatureExtractor.from_pretrained(converted, local_files_only=True)
        self._tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
        self._start = [self._tokenizer.token_to_id(token) for token in _START]

    def __call__(self, sound: Path, text: str) -> tuple[Tensor, Tensor]:
        samples, _ = soundfile.read(sound, dtype="float32")
        bands = self._extractor(samples, sampling_rate=RATE, return_tensors="np").input_features
        encoded = self._whisper.encode(ctranslate2.StorageView.from_array(bands))
        frames = torch.from_numpy(np.array(encoded)[0]).reshape(-1, 768)
        end = min(len(frames), int((len(samples) / RATE + _AFTER) * FRAMES))
        kept = torch.cat([frames[:end], frames[end::_STRIDE]])
        # Two of Whisper's frames are one here.
        times = self._times(encoded, text, 2 * end) / 2
        return kept.half(), torch.from_numpy(times.astype(np.float32))

    def _times(self, encoded: ctranslate2.StorageView, text: str, length: int) -> NDArray[np.float64]:
        """When tokens begin, by dynamic time warping over Whisper's attention, and between them evenly."""
        tokens = self._tokenizer.encode(f" {text}", add_special_tokens=False)
        (found,) = self._whisper.align(encoded, self._start, [tokens.ids], length, median_filter_width=7)
        begun: dict[int, int] = {}
        for token, time in found.alignments:
            begun.setdefault(token, time)
        # Offsets count the space before the text; after the last token is the end of the text.
        letters = [max(0, start - 1) for start, _ in tokens.offsets] + [len(text)]
        said = [begun.get(place, length) for place in range(len(letters))]
        return np.interp(np.arange(len(text) + 1), letters, said)
