"""Stands in for the authors' file of this name: the same names, arguments and streams, none of their code."""

from pathlib import Path
from types import SimpleNamespace

import soundfile
import torch

TOKENS = ("msg_end", "media_begin", "media_end", "kimia_text_blank", "kimia_text_eos")
TOKENS += ("kimia_user_msg_start", "kimia_assistant_msg_start", "kimia_speech_ct_id", "kimia_speech_ctd_id")
EXTRA = SimpleNamespace(**{name: 256 + place for place, name in enumerate(TOKENS)})
OFFSET, CODES, WIDTH = 300, 32, 16


class Glm4Tokenizer:
    """Bands of loudness in place of codes; 80 ms each."""

    def __init__(self, path):
        assert (Path(path) / "config.json").is_file(), "the hub is asked for it"

    def tokenize(self, audio_path):
        frames = spectrum(audio_path)
        return ((frames[:, :6].log1p().sum(1) * 40).long() % CODES)[None]


def spectrum(path):
    """[frames, 16], of what 80 ms sound like below 4 kHz."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000
    samples = torch.nn.functional.pad(torch.from_numpy(samples), (0, -len(samples) % 1280))
    bands = torch.fft.rfft(samples.view(-1, 1280)).abs()[:, 1:305]
    return bands.view(len(bands), WIDTH, -1).mean(-1)


class TextTokenizer:
    def encode(self, text, bos, eos):
        assert not bos and not eos
        return list(text.encode())

    def decode(self, ids):
        return bytes(one for one in ids if one < 256).decode(errors="replace")


class Content:
    def __init__(self):
        self.audio, self.text, self.heard, self.continuous_feature = [], [], [], []

    def add(self, audio, text, heard=False):
        self.audio.append(audio)
        self.text.append(text)
        self.heard.append(heard)

    def merge(self, other):
        for name in ("audio", "text", "heard", "continuous_feature"):
            getattr(self, name).extend(getattr(other, name))

    def to_tensor(self):
        return torch.tensor([self.audio]), torch.tensor([self.text]), torch.tensor([self.heard])


class KimiAPromptManager:
    def __init__(self, model_path, kimia_token_offset):
        self.audio_tokenizer = Glm4Tokenizer("THUDM/glm-4-voice-tokenizer")
        self.text_tokenizer, self.extra_tokens = TextTokenizer(), EXTRA

    def tokenize_message(
        self,
        message,
        tokenize_role=True,
        has_ct_token=False,
        has_msg_end_token=False,
        extract_whisper_feature=False,
        output_type="text",
    ):
        made, blank = Content(), EXTRA.kimia_text_blank
        if tokenize_role:
            made.add(getattr(EXTRA, f"kimia_{message['role']}_msg_start"), blank)
        if message["message_type"] == "text":
            for token in self.text_tokenizer.encode(message["content"], bos=False, eos=False):
                made.add(blank, token)
        elif message["message_type"] == "audio":
            made.add(EXTRA.media_begin, blank)
            for code in self.audio_tokenizer.tokenize(audio_path=message["content"])[0].tolist():
                made.add(OFFSET + code, blank, True)
            made.add(EXTRA.media_end, blank)
            if has_ct_token:
                made.add(
                    EXTRA.kimia_speech_ct_id if output_type == "text" else EXTRA.kimia_speech_ctd_id, blank
                )
            if extract_whisper_feature:
                made.continuous_feature.append(spectrum(message["content"])[None])
        if has_msg_end_token:
            made.add(EXTRA.msg_end, blank)
        return made

    def get_prompt(self, messages, output_type="text"):
        made = Content()
        for place, message in enumerate(messages):
            assert message["role"] in ("user", "assistant")
            before, after = messages[place - 1 : place], messages[place + 1 : place + 2]
            ends = not after or after[0]["role"] != message["role"]
            begins = not before or before[0]["role"] != message["role"]
            made.merge(self.tokenize_message(message, begins, ends, ends, True, output_type))
        made.merge(self.tokenize_message({"role": "assistant", "message_type": None}))
        return made
