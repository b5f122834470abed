"""Our scores against each model's own forward pass, given ids with placeholders and audio features.

The inputs come from the model's processor. Where that cannot be made without packages that are not
needed otherwise, they are made here from its parts.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from speechzoo_hf_speech.qwen2_5_omni import SYSTEM
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function
from transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe import _get_feat_extract_output_lengths

from speechzoo import AudioClip, Message, ScoreAsk, assistant, loading, system, user
from speechzoo.catalogue import open_catalogue

ENDINGS = (" sat on the mat", " a")


def by_processor(class_name: str) -> Callable[[Path, Sequence[Message]], dict[str, torch.Tensor]]:
    def inputs(folder: Path, dialogue: Sequence[Message]) -> dict[str, torch.Tensor]:
        processor = getattr(transformers, class_name).from_pretrained(folder)
        messages = [{"role": m.role, "content": [block(part) for part in m.parts]} for m in dialogue]
        made = processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )
        return dict(made)

    return inputs


def block(part: str | AudioClip) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "audio", "audio": part.samples(16_000)}


def of_voxtral(folder: Path, dialogue: Sequence[Message]) -> dict[str, torch.Tensor]:
    """Its processor writes prompts with mistral-common; the features are the processor's."""
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.VoxtralProcessor(extractor, tokenizer)
    text = "<s>"
    waves = []
    for message in dialogue:
        told = "".join(p if isinstance(p, str) else voxtral_clip(p) for p in message.parts)
        text += f"[INST]{told}[/INST]" if message.role == "user" else f"{told}</s>"
        waves += [clip.samples(16_000) for clip in message.clips]
    mel = processor._retrieve_input_features(
        waves,
        max_source_positions=1200,
        sampling_rate=16_000,
        padding=True,
        truncation=False,
        pad_to_multiple_of=extractor.n_samples,
        return_tensors="pt",
    )
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    return {"input_ids": ids, "input_features": mel}


def voxtral_clip(clip: AudioClip) -> str:
    """Every window of 12 s makes 150 tokens, the last one too."""
    return "[BEGIN_AUDIO]" + "[AUDIO]" * 150 * math.ceil(clip.seconds / 12)


def of_granite(folder: Path, dialogue: Sequence[Message]) -> dict[str, torch.Tensor]:
    """Its extractor needs torchaudio; here it is by the slow spectrogram of transformers, in float64."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    filters = mel_filter_bank(257, 16, 0, 8_000, 16_000, norm=None, mel_scale="htk")
    [wave] = [clip.samples(16_000) for message in dialogue for clip in message.clips]
    mel = spectrogram(
        wave.astype("f8"),
        window_function(400, "hann"),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        pad_mode="reflect",
        mel_filters=filters,
        mel_floor=1e-10,
        log_mel="log10",
    ).T
    mel = np.maximum(mel, mel.max() - 8.0) / 4 + 1
    mel = mel[: len(mel) // 2 * 2].reshape(1, -1, 32)
    tokens = 3 * math.ceil(mel.shape[1] / 15)
    ids = text_ids(tokenizer, dialogue, "<|audio|>" * tokens)
    return {"input_ids": ids, "input_features": torch.tensor(mel, dtype=torch.float32)}


def of_phi4(folder: Path, dialogue: Sequence[Message]) -> dict[str, torch.Tensor]:
    """Its processor needs torchvision, for images."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    extractor = transformers.Phi4MultimodalFeatureExtractor.from_pretrained(folder)
    [wave] = [clip.samples(16_000) for message in dialogue for clip in message.clips]
    made = extractor([wave], sampling_rate=16_000, return_tensors="pt")
    ids = text_ids(tokenizer, dialogue, "<|audio|>" * int(made.audio_embed_sizes))
    return {"input_ids": ids, **made}


def of_omni(folder: Path, dialogue: Sequence[Message]) -> dict[str, torch.Tensor]:
    """Its processor needs torchvision, for videos; here it pads with silence as that does."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    [wave] = [clip.samples(16_000) for message in dialogue for clip in message.clips]
    made = extractor(wave, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
    tokens = ((int(made.attention_mask.sum()) - 1) // 2 - 1) // 2 + 1
    clip = "<|audio_bos|>" + "<|AUDIO|>" * tokens + "<|audio_eos|>"
    ids = text_ids(tokenizer, (system(SYSTEM), *dialogue), clip)
    mask = made.attention_mask
    return {"input_ids": ids, "input_features": made.input_features, "feature_attention_mask": mask}


def of_qwen3_omni(folder: Path, dialogue: Sequence[Message]) -> dict[str, torch.Tensor]:
    """As above; nothing is padded, and the processor's own formula gives the number of tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    [wave] = [clip.samples(16_000) for message in dialogue for clip in message.clips]
    made = extractor(
        [wave],
        sampling_rate=16_000,
        padding=True,
        truncation=False,
        return_attention_mask=True,
        return_tensors="pt",
    )
    tokens = int(_get_feat_extract_output_lengths(made.attention_mask.sum(-1)))
    ids = text_ids(tokenizer, dialogue, "<|audio_start|>" + "<|audio_pad|>" * tokens + "<|audio_end|>")
    mask = made.attention_mask
    return {"input_ids": ids, "input_features": made.input_features, "feature_attention_mask": mask}


def text_ids(tokenizer: Any, dialogue: Sequence[Message], clip: str) -> torch.Tensor:
    """Ids of the whole prompt with placeholders for the clips."""
    messages = [
        {"role": m.role, "content": "".join(p if isinstance(p, str) else clip for p in m.parts)}
        for m in dialogue
    ]
    made = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    return made.input_ids


OWN = {
    "qwen2-audio": ("Qwen2AudioForConditionalGeneration", by_processor("Qwen2AudioProcessor")),
    "voxtral": ("VoxtralForConditionalGeneration", of_voxtral),
    "granite-speech": ("GraniteSpeechForConditionalGeneration", of_granite),
    "audio-flamingo-3": ("AudioFlamingo3ForConditionalGeneration", by_processor("AudioFlamingo3Processor")),
    "glm-asr": ("GlmAsrForConditionalGeneration", by_processor("GlmAsrProcessor")),
    "phi-4-multimodal": ("Phi4MultimodalForCausalLM", of_phi4),
    "qwen2.5-omni": ("Qwen2_5OmniThinkerForConditionalGeneration", of_omni),
    "qwen3-omni": ("Qwen3OmniMoeThinkerForConditionalGeneration", of_qwen3_omni),
}


def own_score(model: Any, inputs: dict[str, torch.Tensor], ids: list[int]) -> float:
    """Log-likelihood of ids after the inputs, all in one pass."""
    given = torch.cat([inputs["input_ids"], torch.tensor([ids])], dim=1)
    rest = {name: made for name, made in inputs.items() if name not in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        logits = model(input_ids=given, attention_mask=torch.ones_like(given), **rest).logits
    assert logits.shape[1] == given.shape[1]
    likely = torch.log_softmax(logits[0, -len(ids) - 1 : -1].float(), -1)
    return float(likely.gather(-1, torch.tensor(ids)[:, None]).sum())


@pytest.mark.parametrize("adapter", OWN, indirect=True)
def test_scores_are_the_models_own(adapter, folder, clips, long_clip):
    """Otherwise what is measured is the adapter: a frame, token or word of the prompt too few or many."""
    class_name, inputs_of = OWN[adapter]
    own = getattr(transformers, class_name).from_pretrained(folder).eval()
    if (lora := folder / "speech-lora").exists():
        own.load_adapter(str(lora))
    ours = loading.load(open_catalogue().model(f"{adapter}@{folder}"))
    dialogues = [(user("hear: ", clip, "What is it?"),) for clip in clips]
    if adapter in ("voxtral", "audio-flamingo-3", "glm-asr"):
        dialogues.append((user(long_clip, "More than a window."),))
    dialogues.append((user("Listen."), assistant("I do."), user(clips[0], "?")))
    answers = ours.score([ScoreAsk(dialogue, ENDINGS, chat=True) for dialogue in dialogues])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for dialogue, answer in zip(dialogues, answers, strict=True):
        inputs = inputs_of(folder, dialogue)
        wanted = [own_score(own, inputs, tokenizer.encode(e, add_special_tokens=False)) for e in ENDINGS]
        found = [score.log_likelihood for score in answer.scores]
        assert found == pytest.approx(wanted, abs=2e-4)
    assert np.ptp([answer.scores[0].log_likelihood for answer in answers[:3]]) > 0.1
