"""The gap: what is lost between conditions or models over the same items, and how sure that is.

``findings``    the report as data: everything a view shows (`Report`, `Comparison`)
``stages``      values under each condition, and the steps between them
``families``    which stages may be compared with each other, and every metric over them
``breakdowns``  the same by subset, attribute, seconds of speech and what was heard
``published``   what others printed, beside the same measured here
``probes``      context-free prior, and whether the audio reaches the model at all
``invariance``  whether answers depend on batches, order, workers and kills
``turns``       dialogues turn by turn
``items``       one row an item
``comparison``  several runs of one task
``curve``       the checkpoints of a training, by step
``variation``   the same items through channels and other voices
"""

from speechzoo.gap.comparison import compare
from speechzoo.gap.comparison_findings import Comparison
from speechzoo.gap.degradation import degradation
from speechzoo.gap.findings import Report

__all__ = ["Comparison", "Report", "compare", "degradation"]
