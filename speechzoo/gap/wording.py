"""Numbers and findings in words. What a sentence claims is no more than its interval carries."""

from speechzoo.gap.findings import Stage, Step
from speechzoo.gap.invariance_findings import Invariance
from speechzoo.gap.terms import Estimate
from speechzoo.run.records import MetricInfo

SIGNIFICANT = 0.05
HUGE = 1e6
FLIP_NOTE = (
    "Exact p counts items as independent and all alike. Where items share material, differ in weight or are "
    "worth a part, the sign-flip p tests the weighted difference itself, and findings rest on it."
)


def is_percentage(metric: MetricInfo) -> bool:
    """Values between 0 and 1 are shown as percentages, others as they are."""
    return metric.low == 0 and metric.high == 1


def number(value: float | None, percent: bool, signed: bool = False) -> str:
    """``61.2`` for 0.612 as a percentage, ``3.45`` for 3.45, ``1e+308`` for that, a dash for nothing."""
    if value is None:
        return "–"
    scaled, digits = (100 * value, 1) if percent else (value, 2)
    if abs(scaled) > HUGE:
        return f"{scaled:{'+' if signed else ''}.4g}"
    rounded = round(scaled, digits) + 0.0  # no "-0.0"
    return f"{rounded:{'+' if signed else ''}.{digits}f}"


def interval(estimate: Estimate | None, percent: bool, signed: bool = False) -> str:
    """``57.0 to 65.2``, a dash for nothing."""
    if estimate is None or estimate.low is None:
        return "–"
    return f"{number(estimate.low, percent, signed)} to {number(estimate.high, percent, signed)}"


def p_value(p: float | None) -> str:
    """``0.049``, a dash for nothing; a fourth digit where three would hide on which side of 0.05 it lies."""
    if p is None:
        return "–"
    if p < 0.001:
        return "< 0.001"
    return f"{p:.4f}" if f"{p:.3f}" == f"{SIGNIFICANT:.3f}" else f"{p:.3f}"


def is_clear(loss: Estimate, p: float) -> bool:
    """Interval and test agree that there is a difference.

    Both, because with few items or clusters a bootstrap's interval is too narrow.
    """
    if loss.low is None or loss.high is None:
        return False
    return not loss.low <= 0 <= loss.high and p < SIGNIFICANT


def deciding(exact: float, flip: float | None) -> float:
    """The p that a claim rests on: it is of the same weighted difference as the interval."""
    return exact if flip is None else flip


def _deciding_p(exact: float, flip: float | None) -> str:
    kind = "exact" if flip is None else "sign-flip"
    told = p_value(deciding(exact, flip))
    return f"{kind} p {told}" if told.startswith("<") else f"{kind} p = {told}"


def loss_verdict(loss: Estimate, exact: float, flip: float | None, changed: int, percent: bool) -> str:
    """A step's loss as the predicate of a sentence."""
    if not changed:
        return "no loss shown: every item is worth the same"
    size = _size(loss, percent)
    if loss.low is None or loss.high is None:
        return f"no interval from a single cluster: {'down' if loss.value > 0 else 'up'} {size}"
    if loss.low <= 0 <= loss.high:
        return f"no loss shown: the interval holds 0 ({interval(loss, percent)})"
    if not is_clear(loss, deciding(exact, flip)):
        direction = "down" if loss.value > 0 else "up"
        return f"not settled: {direction} {size}, but {_deciding_p(exact, flip)}"
    return f"{'loses' if loss.value > 0 else 'gains'} {size} ({_unsigned_interval(loss, percent)})"


def pair_verdict(first: str, second: str, lead: Estimate, p_holm: float, percent: bool) -> str:
    """Which of two models is better, as far as that is settled."""
    better, other = (first, second) if lead.value > 0 else (second, first)
    if lead.low is None or lead.high is None:
        return f"{first} against {second}: no interval from a single cluster"
    if lead.low <= 0 <= lead.high:
        return f"{first} against {second}: no difference shown, the interval holds 0"
    ahead = f"{better} ahead of {other} by {_size(lead, percent)} ({_unsigned_interval(lead, percent)})"
    if not is_clear(lead, p_holm):
        return f"{ahead}: not settled, adjusted p = {p_value(p_holm)}"
    return f"{ahead}: settled"


def _size(loss: Estimate, percent: bool) -> str:
    return f"{number(abs(loss.value), percent)}{' points' if percent else ''}"


def _unsigned_interval(loss: Estimate, percent: bool) -> str:
    """Of a loss whose interval does not hold 0, whichever its sign."""
    low, high = sorted((abs(loss.low or 0.0), abs(loss.high or 0.0)))
    return f"{number(low, percent)} to {number(high, percent)}"


def prior_verdict(
    estimate: Estimate, chance: float | None, higher_is_better: bool | None, percent: bool
) -> str:
    """What the context-free prior says about the task."""
    value = number(estimate.value, percent)
    if chance is None or estimate.low is None or estimate.high is None:
        return f"without the context the model reaches {value}"
    start = f"without the context the model reaches {value}, chance is {number(chance, percent)}"
    if estimate.low <= chance <= estimate.high:
        return f"{start}: no sign that the answers alone give anything away"
    if (estimate.value > chance) == higher_is_better:
        return f"{start}: the answers alone give something away"
    return f"{start}: the answers alone mislead it"


def added_verdict(gain: Estimate, exact: float, flip: float | None, percent: bool) -> str:
    """What a model has of the context that it hears."""
    told = f"{_size(gain, percent)}, 95 % interval {interval(gain, percent)}, {_deciding_p(exact, flip)}"
    if not is_clear(gain, deciding(exact, flip)):
        direction = "above" if gain.value >= 0 else "below"
        return f"no use of what is heard is shown: {direction} the value without it by {told}"
    return f"what is heard {'adds' if gain.value > 0 else 'takes away'} {told}"


def headline(model: str, step: Step, when: str, percent: bool) -> str:
    """The main step in a sentence: its claim first, its interval after."""
    loss = step.loss
    size = _size(loss, percent)
    spread = f"95 % interval of the loss {interval(loss, percent)}"
    if step.clear:
        ends = f"95 % interval {_unsigned_interval(loss, percent)}"
        return f"{model} {'loses' if loss.value > 0 else 'gains'} {size} {when} ({ends})"
    if not step.lost + step.gained:
        return f"{model}: every item is worth the same {when}"
    direction = "down" if loss.value > 0 else "up" if loss.value < 0 else "level"
    told = f"{size} {direction}" if loss.value else direction
    if loss.low is None:
        return f"{model}: {told} {when}, without an interval (a single cluster)"
    if loss.high is not None and loss.low <= 0 <= loss.high:
        return f"{model}: no loss shown {when} ({told}, {spread})"
    change = "loss" if loss.value > 0 else "gain"
    p = _deciding_p(step.p, step.p_flip)
    return f"{model}: a {change} of {size} {when} is not settled ({spread}, {p})"


def stage_headline(model: str, stage: Stage, metric: str, percent: bool) -> str:
    """What the first measured stage reaches, where there is no step to speak of."""
    assert stage.estimate is not None
    who = model if stage.role == "model" else f"{stage.words} (rather than {model})"
    value = f"{number(stage.estimate.value, percent)}{' %' if percent else ''}"
    ends = interval(stage.estimate, percent)
    return f"{who}: {metric} {value} with {stage.words} (95 % interval {ends})"


def nats(value: float | None) -> str:
    """``3.1e-05``, a dash for nothing."""
    return "–" if value is None else f"{value:.2g}"


def asked_again(found: Invariance) -> str:
    """What was asked, where, when and by which version, and what the tolerance is."""
    when = found.created[:16].replace("T", " ")
    return (
        f"{len(found.items)} of {found.of_items} items, asked again {when} UTC on {found.device} by "
        f"speechzoo {found.speechzoo}; scores in {found.dtype} may differ by {found.tolerance:g} nats a "
        "token, texts not at all."
    )
