"""A part of a run for a job of its own: every job plans all of the run and asks only its part.

Probes and priors are chosen over all items. `speechzoo.run.merge` puts the parts together.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from speechzoo.errors import SpeechzooError
from speechzoo.run.plan import Plan, cluster_of


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, counted from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def read_shard(text: str) -> Shard:
    """``2/8`` as a `Shard`.

    Raises:
        SpeechzooError: it is none.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.count or shard.count < 2:
        raise SpeechzooError(f"--shard {text!r} is none of 1/N to N/N, such as 2/8")
    return shard


def part_of(plan: Plan, shard: Shard, seed: int) -> Plan:
    """The plan with the work of one shard only; it still shows all items.

    Items of one cluster, and items whose asks share a context, are in one shard. These groups are put into
    an order by a hash of the seed, and each goes to the shard with the least work until then.

    Args:
        plan: of the whole run.
        shard: whose work is wanted.
        seed: of the run.

    Raises:
        SpeechzooError: there are fewer groups than shards.
    """
    groups = sorted(_groups(plan), key=lambda group: _hash(min(group), seed))
    if len(groups) < shard.count:
        raise SpeechzooError(
            f"--shard {shard}: the items form only {len(groups)} groups that share nothing; say "
            f"--shard 1/{len(groups)} and so on, or fewer"
            if len(groups) > 1
            else f"--shard {shard}: the items cannot be divided, all share material"
        )
    cost: dict[str, int] = defaultdict(int)
    for work in plan.works:
        cost[work.key.item] += work.cost
    loads = [0] * shard.count
    own: set[str] = set()
    for group in groups:
        lightest = loads.index(min(loads))
        loads[lightest] += sum(cost[item] for item in group)
        if lightest == shard.number - 1:
            own |= group
    return replace(plan, works=tuple(work for work in plan.works if work.key.item in own))


def asks_digest(plan: Plan) -> str:
    """SHA-256, in hex, of what a plan asks, with the content of all clips: equal shards are of one plan."""
    whole = hashlib.sha256()
    for work in plan.works:
        whole.update(f"{work.key.item}\0{work.key.way}\0{work.digest}\n".encode())
    return whole.hexdigest()


def _groups(plan: Plan) -> Iterable[set[str]]:
    """Ids of items that stay together."""
    # Here, because it takes longer to import than all the rest, and most runs are not divided.
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(plan.items)
    first: dict[tuple[str, str], str] = {}
    for item in plan.items.values():
        sets.merge(item.id, first.setdefault(("cluster", cluster_of(item)), item.id))
    for work in plan.works:
        # Priors have no context, and a probe's silence is nobody's.
        if not work.key.variant:
            sets.merge(work.key.item, first.setdefault(("context", work.context), work.key.item))
    found: list[set[str]] = sets.subsets()
    return found


def _hash(item: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{item}".encode()).digest()
