"""Baichuan-Audio as speechzoo's runner asks it."""

from collections.abc import Sequence

import torch

from speechzoo import Failure, ItemError, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, Setup, SetupError, lm
from speechzoo.asks import ask_digest
from speechzoo_baichuan_audio import plain
from speechzoo_baichuan_audio.decoding import Choice, generate
from speechzoo_baichuan_audio.language_model import BaichuanLM


class BaichuanAudio:
    """Scores and writes; it does not speak.

    Args:
        setup: its folder is a published checkpoint, whose code the user allows to run.
        prompt: replies of the Base checkpoint: the text before what is asked, such as
            ``将语音转录为文本:``; empty for the roles that Instruct was trained with.
        temperature: 0 takes the likeliest token; above, tokens are drawn, one ask at a time.
        top_k: see `Choice`, as `top_p` and `repetition_penalty`.
        token_budget: most tokens of one forward pass; 0 chooses by device.

    Raises:
        SetupError: as of `BaichuanLM.load`, or a parameter is out of its bounds.
    """

    def __init__(
        self,
        setup: Setup,
        prompt: str = "",
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        token_budget: int = 0,
    ) -> None:
        if temperature < 0 or top_k < 0 or not 0 < top_p <= 1 or repetition_penalty <= 0:
            raise SetupError(
                f"{setup.name}: temperature and top_k are 0 or more, top_p is above 0 and at most 1, "
                "repetition_penalty is above 0"
            )
        self._lm = BaichuanLM.load(setup)
        self._lm.base_prompt = prompt
        self._choice = Choice(temperature, top_k, top_p, repetition_penalty)
        self._token_budget = token_budget or lm.default_token_budget(self._lm.device)
        self._seed = setup.seed

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return lm.score(self._lm, asks, self._token_budget)

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        """By the checkpoint's own processor and forward pass."""
        return plain.score(self._lm, ask)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        if self._choice.greedy:
            return lm.reply(self._lm, asks, self._token_budget)
        return [self._chosen_reply(ask) for ask in asks]

    def close(self) -> None:
        self._lm.close()

    @torch.inference_mode()
    def _chosen_reply(self, ask: ReplyAsk) -> ReplyAnswer | Failure:
        model = self._lm
        try:
            heard = lm.hear(model, [ask.dialogue])
            prompt = model.embed_context(ask.dialogue, True, heard)
            ids = model.chat_ids(ask.dialogue, heard)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        if len(prompt) + ask.max_tokens > model.max_positions:
            return Failure("too_long", f"{len(prompt)} tokens, {model.name} takes {model.max_positions}")
        # Torch takes 64 bits; adding the seed to the digest keeps different seeds different.
        state = (int(ask_digest(ask)[:15], 16) + self._seed) % 2**63
        made = generate(model, prompt, ids, ask.max_tokens, self._choice, state)
        ended = made[-1] in model.end_ids
        text = model.tokenizer.decode(made[:-1] if ended else made, skip_special_tokens=True)
        return ReplyAnswer(str(text).strip(), truncated=not ended)
