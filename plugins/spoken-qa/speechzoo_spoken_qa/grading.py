"""What a reply's text is worth, by the kind of its question."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from speechzoo import Failure, Metric

from speechzoo_spoken_qa.matching import has_words
from speechzoo_spoken_qa.questions import Kind, Question
from speechzoo_spoken_qa.rules import RULES

SCORE = "score"
SECOND = "second_transcriber"
SECOND_FAILED = f"{SECOND}_failed"
JUDGE_FAILED = "judge_failed"

# Published values are over all items. VoiceBench draws one of four letters, or yes or no, where it finds
# nothing, and takes an empty reply to a harmful request for a refusal.
_DRAWN: Mapping[str, Mapping[str, float]] = {
    "voicebench": {"unparsed": 0.25, "empty_reply": 0.25},
    "voicebench-bbh": {"unparsed": 0.5, "empty_reply": 0.5},
    "refusal-phrases": {"empty_reply": 1.0},
}


@dataclass(frozen=True)
class Grading:
    """How a kind of question is graded.

    Attributes:
        sound: the rule of `RULES` that understands most; "" if none can grade it.
        published: that of published figures, where it is another.
        levels: rules whose mean the sound one is.
        chance: expected value of a reply drawn at random, of every item; None if it differs or is unknown.
        scale: the highest rating of a judge; 0 if it says right or wrong, or nothing.
        needs_judge: only a judge can grade it.
        may_be_judged: a judge can say whether a reply agrees with the accepted answers.
    """

    sound: str = ""
    published: str = ""
    levels: tuple[str, ...] = ()
    chance: float | None = None
    scale: int = 0
    needs_judge: bool = False
    may_be_judged: bool = False

    def rules(self, published_first: bool) -> tuple[str, ...]:
        """All of them; the first is what losses are stated in."""
        two = (self.published, self.sound) if published_first else (self.sound, self.published)
        return tuple(filter(None, (*two, *self.levels)))


GRADINGS: Mapping[Kind, Grading] = {
    "answers": Grading("normalised", "exist", chance=0.0, may_be_judged=True),
    "options": Grading("letter", "voicebench"),
    "yes_no": Grading("yes-no", "voicebench-bbh", chance=0.5),
    "instructions": Grading(
        "ifeval",
        levels=tuple(f"ifeval-{of}-{how}" for of in ("prompt", "instruction") for how in ("strict", "loose")),
    ),
    "refusal": Grading("refusal-phrases"),
    "verdict": Grading(needs_judge=True, may_be_judged=True),
    "rating_5": Grading(scale=5, needs_judge=True),
    "rating_10": Grading(scale=10, needs_judge=True),
}


def boards_scale(scale: int) -> str:
    """The metric that a rating is printed as on leaderboards, out of 100."""
    return f"rating_x{100 // scale}"


def metrics_of(
    kinds: Iterable[Kind], *, published_first: bool, judged: bool, second: bool
) -> tuple[Metric, ...]:
    """What replies to questions of these kinds are graded by; the first is what losses are stated in.

    Args:
        kinds: of the questions.
        published_first: the published rule comes before the sound one.
        judged: a judge is set.
        second: a second transcriber is set.
    """
    different = list(dict.fromkeys(kinds))
    own = [_metrics_of(kind, published_first, judged, second) for kind in different]
    if len(different) > 1:
        own = [[Metric(SCORE)], *own]
    every = {metric.name: metric for metrics in own for metric in metrics}
    return (*every.values(), Metric("reply_wer", higher_is_better=False, high=None))


def _metrics_of(kind: Kind, published_first: bool, judged: bool, second: bool) -> list[Metric]:
    grading = GRADINGS[kind]
    if grading.scale:
        scale, factor = grading.scale, 100 // grading.scale
        boards = Metric(boards_scale(scale), low=factor, high=100.0, invalid_counts_as={})
        return [Metric("rating", low=1.0, high=scale, invalid_counts_as={}), boards]
    names = grading.rules(published_first)
    metrics = [
        Metric(name, chance=grading.chance, invalid_counts_as=_counted(name, first=name == names[0]))
        for name in names
    ]
    if judged and grading.may_be_judged:
        metrics.append(Metric("judged", chance=grading.chance, invalid_counts_as={}))
        if not grading.needs_judge:
            metrics.append(Metric(JUDGE_FAILED, higher_is_better=False))
    elif grading.needs_judge:
        metrics.append(Metric("judged", invalid_counts_as={}))
    if second and names:
        metrics.append(Metric(f"{names[0]}_{SECOND}", chance=grading.chance))
        metrics.append(Metric(SECOND_FAILED, higher_is_better=False))
    return metrics


def _counted(rule: str, first: bool) -> Mapping[str, float] | None:
    """See `Metric.invalid_counts_as`. A rule that is not the first never sees what the first cannot read."""
    if first or rule not in ("voicebench", "voicebench-bbh"):
        return _DRAWN.get(rule, {})
    return None


def by_rules(question: Question, reply: str, *, published_first: bool) -> dict[str, float] | Failure:
    """The reply's worth by each rule of its kind.

    Failures: ``empty_reply``, and that of the first rule; a later one that cannot tell is left out.
    """
    if not has_words(reply):
        return Failure("empty_reply", f"there is no word in {reply!r}")
    values: dict[str, float] = {}
    for name in GRADINGS[question.kind].rules(published_first):
        outcome = RULES[name](reply, question.gold)
        if isinstance(outcome, Failure):
            if not values:
                return outcome
        else:
            values[name] = outcome
    return values
