"""Speech recognition with faster-whisper."""

import os
from collections.abc import Sequence

from faster_whisper import WhisperModel

from speechzoo import AudioClip, Failure, ItemError, Setup
from speechzoo.errors import SetupError

_RATE = 16_000


class WhisperTranscriber:
    """A Whisper checkpoint of CTranslate2; equal clips give equal text.

    A clip that tells its language is heard in that; ``language`` is for the others. A checkpoint of
    English alone would write down any language as English: such clips fail with ``other_language``.

    Raises:
        SetupError: the folder is no such checkpoint, or the device or compute type is not there.
    """

    def __init__(
        self, setup: Setup, language: str = "en", beam_size: int = 1, compute_type: str = "int8"
    ) -> None:
        kind, _, index = setup.device.partition(":")
        self._name = setup.name
        self._language = None if language == "auto" else language
        self._beam_size = beam_size
        try:
            self._model = WhisperModel(
                str(setup.files()),
                device=kind,
                device_index=int(index or 0),
                compute_type=compute_type,
                cpu_threads=_cpus(),
                local_files_only=True,
            )
        except (ValueError, RuntimeError) as error:
            raise SetupError(
                f"{setup.name} cannot be loaded from {setup.files()} "
                f"on {setup.device} in {compute_type}: {error}"
            ) from error

    def transcribe(self, clips: Sequence[AudioClip]) -> list[str | Failure]:
        return [self._transcribe(clip) for clip in clips]

    def _transcribe(self, clip: AudioClip) -> str | Failure:
        try:
            samples = clip.samples(_RATE)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        language = clip.language or self._language
        if language not in (None, "en") and not self._model.model.is_multilingual:
            return Failure("other_language", f"{clip.name}: {self._name} hears English, not {language!r}")
        # One temperature: the default ladder of them draws at random where the first result looks bad.
        segments, _ = self._model.transcribe(
            samples,
            language=language,
            beam_size=self._beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=False,
        )
        return " ".join(segment.text.strip() for segment in segments).strip()

    def close(self) -> None:
        self._model.model.unload_model()


def _cpus() -> int:
    """CPUs this process may use: in a container or a cluster job fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
