"""Where a growing reply may be cut, so that what is there can be spoken already."""

from collections.abc import Iterable

LATENCY = 5
"""Tokens that must have come after a cut."""
WINDOW = 5
"""A cut is the maximum of the scores as far as this to either side."""
SOFT_LENGTH, SOFT_SCORE = 20, 0.1
"""From this length on, cuts need more than this score."""
HARD_LENGTH = 50
"""From this length on, every maximum is a cut."""


class Segmenter:
    """Takes the score of each token as it comes, the cosine of its state with the full stop's row.

    A segment has no greatest length: without a maximum there is no cut. Equal neighbours are all maxima.
    """

    def __init__(self) -> None:
        self._scores: list[float] = []
        self._start = 0

    def push(self, score: float) -> range | None:
        """The tokens of a segment, if this score completes one."""
        self._scores.append(score)
        place = len(self._scores) - 1 - LATENCY
        if place < 0 or not self._is_cut(place):
            return None
        return self._segment_until(place + 1)

    def rest(self) -> range | None:
        """The tokens after the last cut, if there are any; the reply is over."""
        return self._segment_until(len(self._scores)) if self._start < len(self._scores) else None

    def _is_cut(self, place: int) -> bool:
        score, length = self._scores[place], place - self._start
        if score < max(self._scores[max(0, place - WINDOW) : place + WINDOW + 1]):
            return False
        return length >= HARD_LENGTH or (score > SOFT_SCORE and length >= SOFT_LENGTH)

    def _segment_until(self, end: int) -> range:
        segment = range(self._start, end)
        self._start = end
        return segment


def segments(scores: Iterable[float]) -> list[range]:
    """All segments of a whole reply."""
    segmenter = Segmenter()
    found = [segmenter.push(score) for score in scores]
    return [segment for segment in [*found, segmenter.rest()] if segment is not None]
