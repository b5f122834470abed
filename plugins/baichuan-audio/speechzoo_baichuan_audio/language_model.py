"""Baichuan-Audio's LLM, as speechzoo scores and decodes it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, cast

import numpy as np
import soundfile
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import Cache

from speechzoo import Setup, lm
from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, Part
from speechzoo.errors import ItemError
from speechzoo.lm.causal import Heard, understood
from speechzoo_baichuan_audio import checkpoint, prompt
from speechzoo_baichuan_audio.tags import Tags

_AUDIO = ("audios", "encoder_length", "bridge_length")


class BaichuanLM(lm.CausalLM):
    """Clips of any length, cut by the checkpoint's processor into segments of 30 s without a gap.

    Attributes:
        tags: its special tokens.
        base_prompt: of replies; empty for the roles of Instruct.
    """

    tags: Tags
    base_prompt: str = ""

    @classmethod
    def load(cls, setup: Setup) -> Self:
        """From a published folder, whose code is run; then tried once, so that no item is the first to fail.

        Raises:
            SetupError: as of `checkpoint.load`, or the code cannot hear or be continued here.
        """
        model, tokenizer, tags = checkpoint.load(setup)
        loaded = cls(model, tokenizer, setup.name)
        loaded.tags = tags
        with checkpoint.own_code(setup.name, "it was tried on a second of noise", checkpoint.TORCHAUDIO):
            loaded.try_out()
        return loaded

    def ids(self, text: str) -> list[int]:
        self.tags.refuse(text)
        return super().ids(text)

    def processed(self, parts: Sequence[str | Samples]) -> Any:
        """What the checkpoint's processor makes of one input: ids, mask and, of clips, log-mel segments.

        Clips go to it as files, which are gone afterwards.

        Args:
            parts: texts in the processor's own spelling, and mono samples at `rate`, each [n].

        Raises:
            ItemError: the processor could do nothing with a clip.
        """
        model: Any = self.model
        with TemporaryDirectory() as folder:
            text = "".join(
                part if isinstance(part, str) else self.tags.clip(self._written(Path(folder), place, part))
                for place, part in enumerate(parts)
            )
            try:
                return model.processor([text])
            except AssertionError as error:
                raise ItemError(
                    "audio_not_understood", f"{self.name}'s own processor refused a clip; it printed why"
                ) from error

    def features(self, wave: Samples) -> Mapping[str, Tensor]:
        """Log-mel segments, [segments, bands, frames], and their lengths, [segments], after two stages."""
        made = self.processed([wave])
        return {name: getattr(made, name) for name in _AUDIO}

    def embed_audio(self, features: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        # Side by side with a longer one, a clip's last frame would see padding: its codes would be others.
        start, end = (self._embed_ids([self.tags.ids[name]]) for name in ("audio_start", "audio_end"))
        return [torch.cat([start, self.embed_codes(self.codes(one)), end]) for one in features]

    def codes(self, features: Mapping[str, Tensor]) -> Tensor:
        """The clip as the model hears it: its codes in every codebook, [steps, codebooks]."""
        model: Any = self.model
        codes = model.audio_tokenizer(*(features[name].to(self.device) for name in _AUDIO))
        return cast(Tensor, codes.to(self.device))

    def embed_codes(self, codes: Tensor) -> Tensor:
        """Their embeddings, one table a codebook, summed: [steps, hidden]."""
        model: Any = self.model
        tables = model.model.audio_embed_layers
        heard: Tensor = tables[0](codes[:, 0])
        # One after the other, as the checkpoint's code does: in bfloat16 another order is another sum.
        for place, table in enumerate(tables[1:], start=1):
            heard = heard + table(codes[:, place])
        return heard

    def chat_parts(self, dialogue: Dialogue) -> list[Part]:
        if self.base_prompt:
            return prompt.base(dialogue, self.base_prompt)
        return prompt.instruct(dialogue, self.tags)

    def chat_ids(self, dialogue: Dialogue, heard: Heard) -> list[int]:
        """The tokens of a prompt; in place of a clip those of its placeholders."""
        ids: list[int] = []
        for part in self.chat_parts(dialogue):
            if isinstance(part, str):
                ids += self.ids(part)
            else:
                steps = len(understood(heard[part.digest])) - 2
                pads = [self.tags.ids["audio_pad"]] * steps
                ids += [self.tags.ids["audio_start"], *pads, self.tags.ids["audio_end"]]
        return ids

    def logits(
        self, embeddings: Tensor, mask: Tensor | None, positions: Tensor, cache: Cache | None, last: int = 0
    ) -> tuple[Tensor, Cache]:
        """As of the base; the checkpoint's code knows caches as tuples only, and logits of all positions."""
        model: Any = self.model
        layers: Any = [] if cache is None else cache.layers
        output = model.model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=[(one.keys, one.values) for one in layers] or None,
            use_cache=True,
            output_attentions=False,
            output_hidden_states=False,
            return_dict=True,
        )
        grown = DynamicCache(output.past_key_values)
        return model.lm_head(output.last_hidden_state[:, -last:]).to(self.device), grown

    @torch.inference_mode()
    def try_out(self) -> None:
        """Hears a second of noise, and reads its end in a second pass.

        Raises:
            ValueError: a pass gave another number of positions than it should.
        """
        noise = 0.1 * np.random.default_rng(0).standard_normal(self.rate).astype(np.float32)
        features = self.features(noise)
        [heard] = self.embed_audio([features])
        if len(heard) != (wanted := int(features["bridge_length"].sum()) + 2):
            raise ValueError(f"a clip became {len(heard)} positions, and {wanted} were told")
        positions = torch.arange(len(heard), device=self.device)[None]
        _, cache = self.logits(heard[None, :-1], None, positions[:, :-1], None, last=1)
        logits, cache = self.logits(heard[None, -1:], None, positions[:, -1:], cache, last=1)
        if cache.get_seq_length() != len(heard) or logits.shape[:2] != (1, 1):
            raise ValueError(f"after {len(heard)} positions the cache has {cache.get_seq_length()}")

    def _written(self, folder: Path, place: int, wave: Samples) -> Path:
        path = folder / f"{place}.wav"
        soundfile.write(path, wave, self.rate, subtype="FLOAT")
        return path
