"""What a user asks for: the systems, the task, and how to run them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo.channel import Channel
from speechzoo.loading import Component
from speechzoo.run.records import Role
from speechzoo.run.shard import Shard
from speechzoo.setup import LoadOptions
from speechzoo.specs import Condition


@dataclass(frozen=True)
class Request(LoadOptions):
    """What a user asks for: what is run on what, and by which `LoadOptions`.

    Attributes:
        systems: the model under test and, where wanted, its base text LLM and a rival.
        task: what to measure.
        transcriber: listens to the context clips as well, so that losses can be told by how hard a clip
            is to understand; for models that do not say what they heard.
        channel: what befalls every clip before it is heard.
        voice: speaks the clips' words anew; None leaves the data set's own.
        conditions: None means all that the task offers and the model can do; those without speech in are
            left out where channel or voice change what is heard.
        limit: number of items, None for all.
        shard: the part of the items that is asked now, None for all.
        out: the run's folder; None makes one under ``runs/`` named after what is run.
        batch_tokens: estimated tokens a batch.
        time_limit: seconds a batch may take before its worker is taken for hung.
        max_judge_cost: in US dollars, of all that a judge says in this run; None sets no ceiling.
        notes: remarks that belong into the report.
        signature: fields of a signature line the run must be equal to.
        fresh: ask everything again, whatever lies in the folder.
    """

    systems: Mapping[Role, Component]
    task: Component
    transcriber: Component | None = None
    channel: Channel = field(default_factory=Channel)
    voice: Component | None = None
    conditions: tuple[Condition, ...] | None = None
    limit: int | None = None
    shard: Shard | None = None
    out: Path | None = None
    batch_tokens: int = 2048
    time_limit: float = 600.0
    max_judge_cost: float | None = None
    notes: tuple[str, ...] = ()
    signature: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False

    def components(self) -> list[Component]:
        """Everything that has to be there before it can be run."""
        others = [own for own in (self.transcriber, self.voice) if own is not None]
        return [*self.systems.values(), self.task, *others]

    @property
    def varied(self) -> bool:
        """The clips are not heard as the data set has them."""
        return self.channel != Channel() or self.voice is not None

    @property
    def device_kind(self) -> str:
        """Two cards of one machine are one kind; a CPU and a card round differently."""
        return self.device.partition(":")[0]
