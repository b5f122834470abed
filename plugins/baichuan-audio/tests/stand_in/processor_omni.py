"""A stand-in for the published processor_omni.py: strings with clips as JSON in, left-padded tensors out.

It reads files with soundfile, where the published one has torchaudio.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from transformers.audio_utils import mel_filter_bank

TRAINABLE = re.compile("(<trainable_start>.*?<trainable_end>)", re.S)
MARKERS = re.compile("<trainable_start>|<trainable_end>")


@dataclass
class OmniProcessorOutput:
    input_ids: Any = None
    labels: Any = None  # never filled
    attention_mask: Any = None
    position_ids: Any = None
    audios: Any = None
    encoder_length: Any = None
    bridge_length: Any = None

    def concatenate(self, other):
        joined = OmniProcessorOutput()
        for name in (field.name for field in fields(self)):
            ours, theirs = getattr(self, name), getattr(other, name)
            setattr(joined, name, theirs if ours is None else ours if theirs is None else ours + theirs)
        return joined


class OmniAudioProcessor:
    def __init__(self, config):
        self.config = config
        self.window = torch.hann_window(config.n_fft)
        filters = mel_filter_bank(
            config.n_fft // 2 + 1,
            config.num_mel_bins,
            0.0,
            config.sampling_rate / 2,
            config.sampling_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self.filters = torch.from_numpy(filters).float().T

    def load_audio_waveform(self, uri):
        wave, rate = soundfile.read(uri, dtype="float32", always_2d=True)
        assert rate == self.config.sampling_rate
        assert wave.shape[1] <= 2, f"{uri} has {wave.shape[1]} channels"
        return torch.from_numpy(wave.mean(axis=1))[None]

    def split_with_overlap(self, waveform):
        size = self.config.max_audio_seconds * self.config.sampling_rate
        parts = waveform.split(size, dim=1)
        return [part for part in parts if len(parts) == 1 or part.shape[1] >= self.config.n_fft]

    def extract_fbank_features(self, waveform):
        samples = waveform.shape[1]
        assert samples >= self.config.n_fft
        longest = self.config.max_audio_seconds * self.config.sampling_rate
        hop = self.config.hop_length
        frames = min(longest // hop, samples // hop + 1)
        padded = torch.nn.functional.pad(waveform, (0, longest - samples))
        spectrum = torch.stft(padded[0], self.config.n_fft, hop, window=self.window, return_complex=True)
        mel = (self.filters @ spectrum[:, :-1].abs().square()).clamp(min=1e-10).log10()
        mel = (torch.maximum(mel, mel.max() - 8) + 4) / 4
        return mel[:, :frames].numpy(), frames

    def inference_output_length(self, frames):
        encoded = (frames - 1) // self.config.stride_size + 1
        return encoded, encoded // self.config.avg_pooler


class OmniMMProcessor:
    def __init__(self, tokenizer, config, training, relative_path=None, **unused):
        self.tokenizer = tokenizer
        self.config = config
        self.training = training
        self.relative_path = relative_path
        self.audio_processor = OmniAudioProcessor(config.audio_config)

    def _tag(self, name):
        return self.tokenizer.convert_ids_to_tokens(getattr(self.config.audio_config, f"{name}_token_id"))

    def _get_audio(self, told):
        made = OmniProcessorOutput()
        try:
            uri = Path(json.loads(told)["path"])
            if not uri.exists():
                uri = Path(self.relative_path or ".", str(uri).lstrip("/"))
            wave = self.audio_processor.load_audio_waveform(uri)
            for segment in self.audio_processor.split_with_overlap(wave):
                mel, frames = self.audio_processor.extract_fbank_features(segment)
                encoded, bridged = self.audio_processor.inference_output_length(frames)
                if bridged > 0:
                    one = OmniProcessorOutput(audios=[mel], encoder_length=[encoded], bridge_length=[bridged])
                    made = made.concatenate(one)
        except Exception as error:
            print(f"no audio from {told}: {error}")
        return made

    def _encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def _audio_chunk(self, told, name):
        made = self._get_audio(told)
        if made.bridge_length is None:
            raise ValueError(f"nothing was heard in {told}")
        pads = self._encode(self._tag("audio_pad")) * sum(made.bridge_length)
        made.input_ids = (
            self._encode(self._tag(f"{name}_start")) + pads + self._encode(self._tag(f"{name}_end"))
        )
        return made

    def _chunk(self, text):
        made = OmniProcessorOutput()
        names = "|".join(self.config.multimodal)
        tagged = "|".join(f"{self._tag(f'{n}_start')}.*?{self._tag(f'{n}_end')}" for n in names.split("|"))
        for piece in re.split(f"({tagged})", text, flags=re.S):
            name = next((n for n in names.split("|") if piece.startswith(self._tag(f"{n}_start"))), None)
            if name is not None:
                told = piece.removeprefix(self._tag(f"{name}_start")).removesuffix(self._tag(f"{name}_end"))
                made = made.concatenate(self._audio_chunk(told, name))
            elif piece:
                made = made.concatenate(OmniProcessorOutput(input_ids=self._encode(piece)))
        return made

    def process_one(self, text):
        chunks = [chunk for chunk in TRAINABLE.split(text) if chunk]
        if len(chunks) > 1:
            chunks = [chunk for chunk in chunks if MARKERS.sub("", chunk).strip()]
        made = OmniProcessorOutput()
        try:
            for chunk in chunks:
                made = made.concatenate(self._chunk(MARKERS.sub("", chunk)))
        except ValueError as error:
            print(f"no input from {text[:24]}: {error}")
            return OmniProcessorOutput()
        return made

    @torch.no_grad()
    def __call__(self, example, parallel=128):
        if isinstance(example, str):
            return self.process_one(example)
        with ThreadPoolExecutor(min(parallel, len(example))) as threads:
            rows = list(threads.map(self.process_one, example))
        assert all(row.input_ids is not None for row in rows)
        made = OmniProcessorOutput()
        for row in rows:
            made = made.concatenate(row)
        self.tokenizer.padding_side = "left"
        padded = self.tokenizer.pad({"input_ids": [row.input_ids for row in rows]}, return_tensors="pt")
        made.input_ids, made.attention_mask = padded["input_ids"], padded["attention_mask"]
        if made.audios is not None:
            longest = max(mel.shape[1] for mel in made.audios)
            filled = [np.pad(mel, ((0, 0), (0, longest - mel.shape[1]))) for mel in made.audios]
            made.audios = torch.from_numpy(np.stack(filled))
            made.encoder_length = torch.tensor(made.encoder_length)
            made.bridge_length = torch.tensor(made.bridge_length)
        return made
