"""Any causal language model of transformers."""

from collections.abc import Sequence

from speechzoo import Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, Setup, lm


class TextLLM:
    """Scores continuations after text and replies in text.

    Raises:
        SetupError: the folder is no checkpoint, it cannot be loaded as the setup wants it; when a reply or a
            chat score is asked, also: the checkpoint has no chat template.
    """

    def __init__(self, setup: Setup, temperature: float = 0.0, token_budget: int = 0) -> None:
        self._lm = lm.CausalLM.load(setup)
        self._temperature = temperature
        self._token_budget = token_budget or lm.default_token_budget(self._lm.device)
        self._seed = setup.seed

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return lm.score(self._lm, asks, self._token_budget)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return lm.reply(self._lm, asks, self._token_budget, self._temperature, self._seed)

    def close(self) -> None:
        self._lm.close()
