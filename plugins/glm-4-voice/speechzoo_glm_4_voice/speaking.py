"""GLM-4-Voice with its voice: its authors' decoder, from a copy of their repository."""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from speechzoo import AudioClip, Failure, ItemError, ReplyAnswer, ReplyAsk, Setup, SetupError
from speechzoo.asks import ask_digest
from speechzoo_glm_4_voice.glm_4_voice import Glm4Voice
from speechzoo_glm_4_voice.replies import Interleaved

RATE = 22_050
_INSIDE = ("", "cosyvoice", "third_party/Matcha-TTS")


class SpeakingGlm4Voice(Glm4Voice):
    """Speaks as well; a spoken reply is made of its audio tokens as a whole.

    Args:
        setup: as for `Glm4Voice`, and ``glm-4-voice-decoder`` in the sub-folder ``decoder``.
        code: a clone of github.com/THUDM/GLM-4-Voice with its submodules.
        max_speech_tokens: of a reply, 12.5 a second.
        temperature: as of `Glm4Voice`.
        token_budget: as of `Glm4Voice`.

    Raises:
        SetupError: the user has not allowed the authors' code to run, it or the decoder is not there, it does
            not run with what is installed; or as of `Glm4Voice`.
    """

    def __init__(
        self,
        setup: Setup,
        code: str,
        max_speech_tokens: int = 1500,
        temperature: float = 0.0,
        token_budget: int = 0,
    ) -> None:
        # Before the LLM, which takes minutes to load.
        self._decoder = _decoder(setup, Path(code).expanduser())
        super().__init__(setup, temperature, token_budget)
        self.max_speech_tokens = max_speech_tokens

    def close(self) -> None:
        super().close()
        del self._decoder

    def _answer(self, ask: ReplyAsk, made: Interleaved) -> ReplyAnswer | Failure:
        written = super()._answer(ask, made)
        if isinstance(written, Failure) or not ask.speech:
            return written
        if not made.codes:
            return Failure("no_speech", "the reply has no audio tokens")
        try:
            # Read at once: speech that ended after a syllable is no clip.
            clip = AudioClip.from_samples(self._speak(ask, made.codes), RATE)
            clip.samples()
        except ItemError as error:
            return Failure(error.reason, error.detail)
        return replace(written, clip=clip, truncated=made.speech_cut)

    @torch.inference_mode()
    def _speak(self, ask: ReplyAsk, codes: Sequence[int]) -> Any:
        """Mono samples, [n] at 22.05 kHz: flow matching begins with noise, which has a seed of its own."""
        with torch.random.fork_rng():
            torch.manual_seed(int(ask_digest(ask)[:15], 16) + self._seed)
            speech = self._decoder.offline_inference(torch.tensor([codes]))
        return speech.float().reshape(-1).cpu().numpy()


def _decoder(setup: Setup, code: Path) -> Any:
    if not setup.trust_remote_code:
        raise SetupError(
            f"{setup.name} speaks by the Python code in {code}, with all your rights: look at the code "
            "first, then allow it with --trust-remote-code"
        )
    folder = setup.files() / "decoder"
    files = [folder / name for name in ("config.yaml", "flow.pt", "hift.pt")]
    if lacking := [file for file in (*files, code / "flow_inference.py") if not file.is_file()]:
        raise SetupError(
            f"{setup.name}: {lacking[0]} is missing; {folder} takes the files of glm-4-voice-decoder, and "
            "--set code= a clone of github.com/THUDM/GLM-4-Voice with its submodules"
        )
    # Their modules find each other by these names alone; config.yaml names more of them.
    sys.path[:0] = [str(code.resolve() / inside) for inside in _INSIDE]
    try:
        module = importlib.import_module("flow_inference")
        made = module.AudioDecoder(*map(str, files), device=setup.device)
    except Exception as error:  # the authors' code may raise anything
        raise SetupError(
            f"{setup.name}: the code in {code} did not load: {type(error).__name__}: {error}"
        ) from error
    if Path(str(module.__file__)).parent != code.resolve():
        raise SetupError(
            f"{setup.name}: {module.__file__} is loaded already; one process takes one copy of the code"
        )
    # As made they are in training, with dropout.
    for part in (made.flow, made.hift):
        part.train(False)
    return made
