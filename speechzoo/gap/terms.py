"""What all findings share: their form, an estimate, the names of the stages."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

StageName = Literal["T0", "T", "TS", "S", "SS", "CT", "C"]
"""Who answers and how: T text in, S speech in, a second S speech out (spoken, or scored over speech
tokens); T0 the base text LLM, C the rival.

CT is the rival with the text as it is: CT - C is what its ears cost it.
"""


class Finding(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Finding):
    """A value and its 95 % interval; the ends are null where no interval can be given."""

    value: float
    low: float | None
    high: float | None
