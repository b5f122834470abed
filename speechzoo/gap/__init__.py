"""The gap: what is lost between conditions or models over the same items, and how sure that is.

``findings``    the report as data: everything a view shows (`Report`, `Comparison`)
``stages``      values under each condition, and the steps between them
``breakdowns``  the same by attribute and by what was heard
``probes``      context-free prior, and whether the audio reaches the model at all
``items``       one row an item
``comparison``  several runs of one task
"""

from speechzoo.gap.comparison import compare
from speechzoo.gap.degradation import degradation
from speechzoo.gap.findings import Comparison, Report

__all__ = ["Comparison", "Report", "compare", "degradation"]
