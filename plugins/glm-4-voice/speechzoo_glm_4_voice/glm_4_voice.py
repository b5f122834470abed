"""GLM-4-Voice as speechzoo's runner asks it, without its voice."""

from collections.abc import Sequence

from speechzoo import Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, Setup, SetupError, lm
from speechzoo_glm_4_voice.language_model import GlmVoiceLM
from speechzoo_glm_4_voice.replies import Interleaved, generate


class Glm4Voice:
    """Scores texts and clips, and writes: the text of its interleaved reply.

    Args:
        setup: its folder holds ``glm-4-voice-9b``, and ``glm-4-voice-tokenizer`` in ``speech-tokenizer``.
        temperature: 0 takes the likeliest token; above, tokens are drawn, one ask at a time.
        token_budget: most tokens of one forward pass; 0 chooses by device.

    Raises:
        SetupError: as of `GlmVoiceLM.load`, or the temperature is below 0.
    """

    max_speech_tokens = 0

    def __init__(self, setup: Setup, temperature: float = 0.0, token_budget: int = 0) -> None:
        if temperature < 0:
            raise SetupError(f"{setup.name}: temperature is 0 or more")
        self._lm = GlmVoiceLM.load(setup)
        self._temperature = temperature
        self._token_budget = token_budget or lm.default_token_budget(self._lm.device)
        self._seed = setup.seed

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return lm.score(self._lm, asks, self._token_budget)

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        """The slow and obvious way, to test `score` against."""
        return lm.score_plainly(self._lm, ask)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        made = generate(
            self._lm, asks, self._token_budget, self._temperature, self._seed, self.max_speech_tokens
        )
        return [
            one if isinstance(one, Failure) else self._answer(ask, one)
            for ask, one in zip(asks, made, strict=True)
        ]

    def close(self) -> None:
        self._lm.close()

    def _answer(self, ask: ReplyAsk, made: Interleaved) -> ReplyAnswer | Failure:
        text = str(self._lm.tokenizer.decode(made.text, skip_special_tokens=True)).strip()
        return ReplyAnswer(text, truncated=made.text_cut)
