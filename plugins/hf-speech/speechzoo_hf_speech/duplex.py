"""How a model that listens and speaks at once, frame by frame, is made one that is asked and replies."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from speechzoo import AudioClip, Failure, ItemError, ReplyAnswer, ReplyAsk, lm
from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, parts_of

PAUSE = 2.0
"""Seconds without text that end a reply. Such a model takes no turns: this is a rule of our own."""


class Duplex:
    """Hears one turn and goes on from there; each frame of its reply has a text token, mostly padding.

    It scores no continuations: spread between padding, a text has no probability of its own.

    Args:
        loaded: weights and tokenizer.
        rate: samples a second, heard and spoken.
        frame: samples of a frame.
        seconds: after which a reply that has not ended is cut and truncated.
        padding: token ids that are no text.
    """

    def __init__(
        self, loaded: lm.CausalLM, rate: int, frame: int, seconds: float, padding: Sequence[int]
    ) -> None:
        self._lm, self._rate, self._frame, self._padding = loaded, rate, frame, padding
        self._frames = max(2, round(seconds * rate / frame))

    def generate(self, user: Tensor, frames: int, speech: bool) -> tuple[Tensor, Tensor | None]:
        """What follows on the user's speech while the user is silent.

        Args:
            user: whole frames of samples, [1, 1, samples].
            frames: how many follow.
            speech: whether it is to be heard.

        Returns:
            A token id for each frame, [frames], and if ``speech`` their samples, [frames * samples a frame].

        Raises:
            ItemError: there is no room for so many frames.
        """
        raise NotImplementedError

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return [self._reply(ask) for ask in asks]

    def close(self) -> None:
        self._lm.close()

    @torch.inference_mode()
    def _reply(self, ask: ReplyAsk) -> ReplyAnswer | Failure:
        try:
            heard = torch.from_numpy(only_turn(ask.dialogue, self._rate, self._frame))[None, None]
            user = heard.to(self._lm.device, self._lm.model.dtype)
            made, wave = self.generate(user, self._frames, ask.speech)
            ids: list[int] = made.tolist()
            words = [token not in self._padding for token in ids]
            end, cut = end_of_reply(words, ask.max_tokens, round(PAUSE * self._rate / self._frame))
            said = [token for token in ids[:end] if token not in self._padding]
            text = str(self._lm.tokenizer.decode(said)).strip()
            if wave is None:
                return ReplyAnswer(text, truncated=cut)
            clip = AudioClip.from_samples(wave[: end * self._frame].float().cpu().numpy(), self._rate, text)
            # Read at once: speech that was cut after a frame is no clip.
            clip.samples()
            return ReplyAnswer(text, clip, cut)
        except ItemError as error:
            return Failure(error.reason, error.detail)


def only_turn(dialogue: Dialogue, rate: int, frame: int) -> Samples:
    """The clips of a single message, one after the other, filled up with silence to whole frames.

    Returns:
        Mono samples at ``rate`` in [-1, 1], shape [frames * frame].

    Raises:
        ItemError: there are more turns, or texts, or a clip that cannot be read.
    """
    waves = [part.samples(rate) for part in parts_of(dialogue) if isinstance(part, AudioClip)]
    if len(dialogue) != 1 or not waves or len(waves) < len(dialogue[0].parts):
        raise ItemError("not_supported", "it hears a single turn of nothing but speech")
    wave = np.concatenate(waves)
    return np.pad(wave, (0, -len(wave) % frame))


def end_of_reply(words: Sequence[bool], max_words: int, pause: int) -> tuple[int, bool]:
    """Where a reply ends in a stream that never does, and whether it was cut there.

    It ends with the first pause after a word; a stream without any word is a reply that says nothing.

    Args:
        words: whether each frame has text.
        max_words: most frames with text.
        pause: frames without text.

    Returns:
        The number of its frames, and True if it had not ended by itself.
    """
    said, silent = 0, 0
    for frame, word in enumerate(words):
        if word and said == max_words:
            return frame, True
        said, silent = said + word, 0 if word else silent + 1
        if said and silent == pause:
            return frame + 1, False
    return len(words), said > 0
