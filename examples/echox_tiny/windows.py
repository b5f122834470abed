"""Whisper takes 30 s at once: which clips it hears together, and which of its frames are whose."""

from collections.abc import Iterator, Sequence

import numpy as np
import soundfile
import torch
from torch import Tensor

from echox_tiny.folder import Clip, Folder
from echox_tiny.speech import RATE

FRAMES = 25
"""Pairs of Whisper's frames in a second: what EchoX's adapter takes."""
WINDOW = 30 * RATE

_LONGEST = 28 * RATE
# Of the silence that fills Whisper's 30 s, this much after the clip is kept whole, of the rest one in 20.
_AFTER = 0.6
_STRIDE = 20


def pack(folder: Folder, clips: Sequence[Clip]) -> Iterator[list[Clip]]:
    """Clips that are heard one after the other, as sentences of a longer recording are.

    That costs Whisper as much as one clip does, and the model learns to hear at other times than in the first
    seconds. A held-out clip is heard alone, as an item of a benchmark is.
    """
    window: list[Clip] = []
    length = 0
    for clip in clips:
        own = soundfile.info(folder.sound(clip)).frames
        if window and (length + own > _LONGEST or clip.held_out or window[-1].held_out):
            yield window
            window, length = [], 0
        window.append(clip)
        length += own
    if window:
        yield window


def borders(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """From which pair of frames to which each clip is heard; the one that a clip ends in is its own.

    Args:
        lengths: of a window's clips, in samples at 16 kHz.
    """
    ends = np.ceil(np.cumsum([0, *lengths]) / RATE * FRAMES).astype(int)
    whole = WINDOW * FRAMES // RATE
    ends[-1] = min(whole, int((sum(lengths) / RATE + _AFTER) * FRAMES))
    return list(zip(ends.tolist(), ends[1:].tolist(), strict=False))


def split(encoded: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Each clip's pairs of frames, [n, 2 * width]; the last one's go on into the silence after it.

    Args:
        encoded: of one window, [1500, width].
        lengths: of its clips, in samples at 16 kHz.
    """
    paired = encoded.reshape(len(encoded) // 2, -1)
    places = borders(lengths)
    frames = [paired[start:end] for start, end in places]
    frames[-1] = torch.cat([frames[-1], paired[places[-1][1] :: _STRIDE]])
    return frames
