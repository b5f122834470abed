"""Moshi (arXiv:2410.00037)."""

import logging
from typing import Any, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, MoshiForConditionalGeneration

from speechzoo import ItemError, Setup, lm
from speechzoo.errors import SetupError
from speechzoo_hf_speech.duplex import Duplex

LIKELIEST = {"do_sample": False, "depth_decoder_do_sample": False}
# The defaults of LMGen in kyutai's own package.
DRAWN = {"do_sample": True, "temperature": 0.7, "top_k": 25}
DRAWN |= {"depth_decoder_do_sample": True, "depth_decoder_temperature": 0.8, "depth_decoder_top_k": 250}


class MoshiLM(lm.CausalLM):
    """Weights and tokenizer."""

    model_class = MoshiForConditionalGeneration


class Moshi(Duplex):
    """Moshi as a model, by the protocol of transformers' page on it, with its ``generate``.

    While the user speaks, Moshi's own audio is silence and its text padding; then the user is silent. All
    replies are drawn with the same random numbers: they differ by what was heard and by nothing else.
    """

    def __init__(self, setup: Setup, seconds: float = 20.0, sample: bool = False) -> None:
        loaded = MoshiLM.load(setup)
        # The paper's PAD and EPAD: no text, and the end of no text.
        vocabulary = loaded.tokenizer.get_vocab()
        if not {"<pad>", "<unk>"} <= vocabulary.keys():
            raise SetupError(f"{setup.name}: the tokenizer of {setup.files()} has no <pad> or no <unk>")
        codec = loaded.model.config.audio_encoder_config
        super().__init__(
            loaded, codec.sampling_rate, codec.frame_size, seconds, (vocabulary["<pad>"], vocabulary["<unk>"])
        )
        self._decoding, self._seed = DRAWN if sample else LIKELIEST, setup.seed
        # Published checkpoints name caches there that transformers is about to drop.
        loaded.model.generation_config = GenerationConfig()
        # It sets a length itself, and warns of that whenever it generates.
        logging.getLogger("transformers.generation.utils").setLevel(logging.ERROR)

    def generate(self, user: Tensor, frames: int, speech: bool) -> tuple[Tensor, Tensor | None]:
        heard = user.shape[-1] // self._frame
        # A frame before all others, and one text token more than frames of audio.
        if 1 + heard + frames + 1 > self._lm.max_positions:
            raise ItemError("too_long", f"{heard} frames and a reply exceed {self._lm.max_positions}")
        ids, model = torch.full((1, heard), self._padding[0], device=self._lm.device), self._lm.model
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)
            made: Any = cast(Any, model).generate(
                input_ids=ids,
                # Where the model's padding is that of the text, all that the user says would be masked.
                attention_mask=torch.ones_like(ids),
                user_input_values=user,
                moshi_input_values=torch.zeros_like(user),
                max_new_tokens=frames + 1,
                return_audio_waveforms=speech,
                return_audio_codes=True,
                **self._decoding,
            )
        text = made.sequences[0, 1 + heard : -1]
        return text, made.audio_sequences[0, 0, user.shape[-1] :] if speech else None
