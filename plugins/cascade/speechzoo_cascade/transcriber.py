"""Speech recognition with faster-whisper."""

import os
from collections.abc import Sequence

from faster_whisper import WhisperModel

from speechzoo import AudioClip, Failure, ItemError, Setup

_RATE = 16_000


class WhisperTranscriber:
    """A Whisper checkpoint of CTranslate2; equal clips give equal text."""

    def __init__(
        self, setup: Setup, language: str = "en", beam_size: int = 1, compute_type: str = "int8"
    ) -> None:
        kind, _, index = setup.device.partition(":")
        self._language = None if language == "auto" else language
        self._beam_size = beam_size
        self._model = WhisperModel(
            str(setup.files()),
            device=kind,
            device_index=int(index or 0),
            compute_type=compute_type,
            cpu_threads=os.cpu_count() or 1,
            local_files_only=True,
        )

    def transcribe(self, clips: Sequence[AudioClip]) -> list[str | Failure]:
        return [self._transcribe(clip) for clip in clips]

    def _transcribe(self, clip: AudioClip) -> str | Failure:
        try:
            samples = clip.samples(_RATE)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        # One temperature: the default ladder of them draws at random where the first result looks bad.
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=self._beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=False,
        )
        return " ".join(segment.text.strip() for segment in segments).strip()

    def close(self) -> None:
        self._model.model.unload_model()
