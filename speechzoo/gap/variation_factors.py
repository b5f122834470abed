"""Which cells of a factorial differ in one factor alone, and the order of its levels."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from speechzoo.channel import NONE
from speechzoo.gap.variation_findings import Cell, Factor, Sweep

# Whether a level is worse the larger it is; the levels of other factors are in no order.
WORSE_UPWARDS = {"snr": False, "reverb": True}
Levels = Mapping[str, str]


def factors(cells: Sequence[Cell]) -> Iterator[Factor]:
    """Those with several levels among the cells."""
    for factor in dict.fromkeys(name for cell in cells for name in cell.levels):
        sweeps = [own for own in _sweeps(factor, cells) if len(own.cells) > 1]
        if sweeps:
            yield Factor(
                name=factor,
                ordered=factor in WORSE_UPWARDS,
                levels=tuple(_in_order(factor, {level for own in sweeps for level in own.cells}, cells)),
                sweeps=tuple(sweeps),
                trends=(),
            )


def _sweeps(factor: str, cells: Sequence[Cell]) -> Iterator[Sweep]:
    by_others: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in cells:
        if factor in cell.levels:
            by_others.setdefault(without(cell.levels, factor), []).append(cell)
    for others, own in by_others.items():
        # Of what kind the noise is says nothing where there is none.
        rest = without(dict(others), "noise") if factor == "snr" else others
        found = {cell.levels[factor]: cell.name for cell in own}
        for cell in cells:
            if cell.levels == dict(rest):
                found[NONE] = cell.name
        levels = _in_order(factor, found, cells)
        name = ", ".join(
            f"{other}={dict(others).get(other, NONE)}" for other in _varying(cells) if other != factor
        )
        yield Sweep(name=name, cells={level: found[level] for level in levels})


def without(levels: Levels, factor: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, level) for name, level in levels.items() if name != factor)


def _varying(cells: Sequence[Cell]) -> list[str]:
    """The factors with several levels, ``none`` among them; where there is no noise, it is of no kind."""
    names = dict.fromkeys(name for cell in cells for name in cell.levels)
    found = {
        name: {cell.levels.get(name, NONE) for cell in cells if name != "noise" or "snr" in cell.levels}
        for name in names
    }
    return [name for name, levels in found.items() if len(levels) > 1]


def _in_order(factor: str, levels: Collection[str], cells: Sequence[Cell]) -> list[str]:
    """From the mildest to the worst, or as they were named; ``none`` first."""
    named = list(dict.fromkeys(cell.levels[factor] for cell in cells if factor in cell.levels))
    if factor in WORSE_UPWARDS:
        named.sort(key=float, reverse=not WORSE_UPWARDS[factor])
    return [level for level in (NONE, *named) if level in levels]
