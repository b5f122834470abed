"""From an arena's folder to its report: needs neither task nor judge, and of the runs only their grades."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechzoo import SpeechzooError, __version__
from speechzoo.gap.wording import number
from speechzoo.run.records import JudgementRecord, Results, usage_of
from speechzoo.run.results import read_results
from speechzoo.run.store import read_lines

from speechzoo_arena import records
from speechzoo_arena.agreement import PEOPLE, verdicts_of
from speechzoo_arena.arena_file import ArenaFile, read_arena
from speechzoo_arena.arena_findings import (
    ArenaReport,
    Board,
    Cost,
    Coverage,
    JointBoard,
    PrintedRow,
    PrintedTable,
    RubricFinding,
    ShownDialogue,
    ShownMeeting,
    ShownVote,
)
from speechzoo_arena.arena_tables import points_interval
from speechzoo_arena.boards import boards, controls
from speechzoo_arena.contest import judged_differently
from speechzoo_arena.entries import DialogueRecord
from speechzoo_arena.intervals import MOST_UNDEFINED
from speechzoo_arena.joint_board import TOGETHER, joint_board
from speechzoo_arena.judge_findings import JudgeFinding, LeanFinding, Measured
from speechzoo_arena.judges import measure_judges
from speechzoo_arena.orders import both_orders
from speechzoo_arena.play import JUDGEMENTS
from speechzoo_arena.published import DIMENSIONS, published_results
from speechzoo_arena.ratings import RESAMPLES
from speechzoo_arena.records import Failed, Verdict, Vote, distinct, failures
from speechzoo_arena.trends import Grades, grades_of, rubrics, trends

DIALOGUES = "dialogues.jsonl"
NOT_IN_TEXT = ("paralinguistic", "ambient")
"""Dimensions that a transcript holds next to nothing of."""
PAPER = "2508.18240"
SIGNIFICANT = 0.05
MOST_DIFFERING = 1 / 2
"""A judge whose verdicts depend on the order more often than that tells little."""
UNCOMPARED = (
    "The runs were graded by different judges: their grades are not held against battles, nor by turn."
)
_NOTES = (
    "Ratings are Bradley-Terry's with ties as an outcome of their own (Davidson 1970), mean 1000, 400 points "
    "for odds of ten to one between a win and a loss. Both orders of a battle are merged to one result, a "
    "tie where they differ; what was judged once more counts for self-consistency alone.",
    f"Intervals are 95 % percentile intervals over {RESAMPLES:,} resamples of clusters of dialogues. A "
    "difference is settled if its interval lies off 0 and p, adjusted for all pairs (Holm), is below 0.05.",
    "More battles: so many further ones between the two, each on a new dialogue, after which a lead of this "
    "size, if it is the true one, would be settled in 80 % of cases, at the level that Holm asks "
    "of the next pair.",
    "Elo is computed as MTalk-Bench does (K = 4, from 1000, each order by itself, in order of completion). "
    "Each dimension has ratings of its own, and those of all together are their mean. "
    "The same battles in another order give other ratings: it is there to stand beside published ones.",
)

_JOINT_NOTE = (
    "People and judge together: one Bradley-Terry model with common strengths; ties (Davidson 1970) and the "
    "effect of the place (Davidson and Beaver 1977) are each rater's own. Each order counts by itself, a "
    "pair on a dialogue as one opinion of a rater; people have half the weight, all judges the other half. "
    "Whether a judge sees the same strengths as people is a score test over clusters of dialogues, adjusted "
    "for all judges (Holm). A rater of ties alone, or of winners in one place alone, adds nothing."
)


@dataclass(frozen=True)
class _Runs:
    """What is left of the runs behind an arena."""

    results: Mapping[str, Results]
    notes: tuple[str, ...]


def arena_report(folder: Path, further: Sequence[Path] = (), prior: float | None = None) -> ArenaReport:
    """The report on an arena, finished or not.

    Args:
        folder: the arena's.
        further: folders with more votes on the same battles, of other judges or people.
        prior: standard deviation in points of a normal prior on ratings; None for none.

    Raises:
        StoreError: a folder is no arena, or damaged.
        SpeechzooError: two verdicts are on one thing, or a model and a person share a name.
    """
    arena = read_arena(folder)
    seed = arena.options.seed
    dialogues = {own.id: own for own in read_lines(folder / DIALOGUES, DialogueRecord)}
    votes, notes = _votes(arena, dialogues, folder, further)
    raters = _raters(votes)
    played, repeated = _played(arena, votes), _repeated(arena, votes)
    unfinished = tuple(_unfinished(arena, votes, played, repeated))
    first = {name: [vote for vote in own if not vote.repeat] for name, own in raters.items()}
    runs = _read_runs(arena, folder)
    apart = judged_differently(runs.results)
    graded = {} if apart else {name: grades_of(run, arena.condition) for name, run in runs.results.items()}
    found = tuple(boards(first, prior=prior, seed=seed))
    joint = joint_board(first, seed=seed)
    judges = measure_judges(votes, seed=seed) if votes else None
    clusters = {own.id: own.cluster for own in dialogues.values()}
    return ArenaReport(
        speechzoo=__version__,
        headline=_headline(found, joint),
        arena=arena,
        prior=prior,
        played=played,
        repeated=repeated,
        unfinished=unfinished,
        warnings=(*unfinished, *_warnings(arena, dialogues, votes, found, judges)),
        boards=found,
        joint=joint,
        controls=tuple(controls(first, prior=prior, seed=seed)),
        judges=judges,
        rubrics=_rubrics(first, graded, runs, seed),
        trends=tuple(trends(graded, clusters, seed=seed)),
        uncompared=UNCOMPARED if apart else "",
        coverage=tuple(_coverage(arena, dialogues, votes)),
        costs=tuple(_costs(arena, folder, raters)),
        published=_published(arena),
        dialogues={own.id: _shown(own) for own in dialogues.values()},
        meetings=tuple(_meetings(votes)),
        notes=(
            *_NOTES,
            *([_JOINT_NOTE] if joint else []),
            *_prior_note(prior),
            *arena.notes,
            *notes,
            *runs.notes,
        ),
    )


def _votes(
    arena: ArenaFile, dialogues: Mapping[str, DialogueRecord], folder: Path, further: Sequence[Path]
) -> tuple[list[Vote], list[str]]:
    """All votes on what this arena holds, in order of completion; what is about something else is counted."""
    systems = {system.name for system in arena.systems}
    found: list[Vote] = []
    notes = []
    for place in dict.fromkeys([folder, *further]):
        path = place / records.FILE
        if not path.exists() and place != folder:
            raise SpeechzooError(f"{place} holds no votes: there is no {records.FILE} in it")
        own = list(read_lines(path, Vote))
        fitting = [
            vote for vote in own if {vote.first, vote.second} <= systems and vote.dialogue in dialogues
        ]
        same = [_same_replies(vote, dialogues[vote.dialogue]) for vote in fitting]
        kept = [vote for vote, is_same in zip(fitting, same, strict=True) if is_same is not False]
        unknown = [
            vote
            for vote, is_same in zip(fitting, same, strict=True)
            if is_same is None and vote.verdict is not None
        ]
        for count, about in (
            (len(own) - len(fitting), "are about other systems or dialogues: left out"),
            (len(fitting) - len(kept), "rest on other replies of these systems: left out"),
            (len(unknown), "do not say which replies they rest on: taken by the systems' names"),
        ):
            if count:
                notes.append(f"{count} votes in {place} {about}.")
        found += kept
    found.sort(key=lambda vote: vote.created)
    return distinct(found, ", ".join(map(str, [folder, *further]))), notes


def _same_replies(vote: Vote, dialogue: DialogueRecord) -> bool | None:
    """Whether the vote is on the replies that are here; None where one of them is not known."""
    here = [dialogue.digests.get(name) for name in (vote.first, vote.second)]
    if vote.replies is None or None in here:
        return None
    return here == [vote.replies.first, vote.replies.second]


def _raters(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """Each model by itself, by name, then all people together."""
    raters: dict[str, list[Vote]] = {
        name: [] for name in sorted({own.judge for own in votes if own.kind == "model"})
    }
    for vote in votes:
        raters.setdefault(_rater(vote), []).append(vote)
    return raters


def _rater(vote: Vote) -> str:
    return vote.judge if vote.kind == "model" else PEOPLE


def _read_runs(arena: ArenaFile, folder: Path) -> _Runs:
    results, notes = {}, []
    for system in arena.systems:
        path = folder / system.folder
        try:
            results[system.name] = read_results(path)
        except SpeechzooError as error:
            notes.append(f"The run of {system.name} cannot be read, so its grades are not shown: {error}")
    return _Runs(results, tuple(notes))


def _headline(found: Sequence[Board], joint: JointBoard | None) -> str:
    if joint is not None and joint.trusted:
        return _best(joint, f"{TOGETHER}, {joint.verdicts} verdicts")
    if not found:
        return "No verdicts yet"
    rated = (own for own in found if not own.group and own.standings and own.standings[0].rating)
    board = next(rated, found[0])
    if not board.standings:
        return f"{board.rater} decided no battle"
    return _best(board, f"{board.rater}, {board.battles} battles")


def _best(board: Board | JointBoard, by: str) -> str:
    best = board.standings[0]
    together = [row.system for row in board.standings if row.rank and row.rank.value == 1]
    if best.rating is None:
        return f"No finite ratings from {by}"
    settled = sum(pair.settled for pair in board.pairs)
    if len(together) > 1:
        return f"{' and '.join(together)} are rated alike, by {by}"
    spread = f" ({points_interval(best.rating)})" if best.rating.low is not None else ""
    told = f"{best.system} is rated highest, {best.rating.value:.0f} points{spread}, by {by}"
    return f"{told}; {settled} of {len(board.pairs)} differences are settled"


def _played(arena: ArenaFile, votes: Sequence[Vote]) -> int:
    """Battles that were put to the arena's judge in all orders; a failure is an outcome, too."""
    put = Counter(
        (vote.dialogue, vote.pair) for vote in votes if vote.judge == arena.judge.name and not vote.repeat
    )
    orders = 2 if arena.options.orders == "both" else 1
    return sum(count >= orders for count in put.values())


def _repeated(arena: ArenaFile, votes: Sequence[Vote]) -> int:
    return sum(vote.judge == arena.judge.name and vote.repeat == 1 for vote in votes)


def _unfinished(arena: ArenaFile, votes: Sequence[Vote], played: int, repeated: int) -> Iterator[str]:
    planned = arena.planned
    if planned is None:
        return
    goes_on = "the same command takes the arena up again, under a higher --max-judge-cost if that was its end"
    if played < planned.battles:
        yield f"{played} of {planned.battles} battles were played: {goes_on}."
    # What has no verdict cannot be asked for once more.
    verdicts = sum(own.judge == arena.judge.name and not own.repeat and bool(own.verdict) for own in votes)
    wanted = min(planned.repeats, verdicts) if played >= planned.battles else planned.repeats
    if repeated < wanted:
        yield f"{repeated} of {wanted} verdicts were asked for once more: {goes_on}."


def _warnings(
    arena: ArenaFile,
    dialogues: Mapping[str, DialogueRecord],
    votes: Sequence[Vote],
    found: Sequence[Board],
    judges: Measured | None,
) -> Iterator[str]:
    groups = sorted({own.group for own in dialogues.values()} & set(NOT_IN_TEXT))
    if groups and not arena.judge.hears:
        yield (
            f"{arena.judge.name} does not hear: its verdicts on {' and '.join(groups)} dialogues are from "
            "transcripts alone."
        )
    kin = {own.name: sorted(set(own.parts) & set(arena.judge.parts)) for own in arena.systems}
    if related := [f"{name}: {', '.join(shared)}" for name, shared in kin.items() if shared]:
        yield f"{arena.judge.name} shares models with systems that it judges ({'; '.join(related)})."
    yield from _unheard(votes)
    if failed := failures(votes):
        told = ", ".join(f"{count} {reason}" for reason, count in failed.items())
        yield f"{sum(failed.values())} of {len(votes)} votes have no verdict: {told}."
    for board in found:
        if board.unrated and not board.group:
            decided = any(row.wins for row in board.standings)
            hint = " --prior 200 makes ratings finite, and is told with them." if decided else ""
            yield f"{board.rater}: no ratings. {board.unrated[:1].upper()}{board.unrated[1:]}.{hint}"
        elif board.undefined > MOST_UNDEFINED and not board.group:
            share = number(board.undefined, True)
            yield (
                f"{board.rater}: no intervals, for {share} % of the resamples determine no finite ratings: "
                "too few battles, or one system nearly always wins."
            )
    found_judges = judges.judges if judges else ()
    people = next((own for own in found_judges if own.kind == "human"), None)
    for judge in found_judges:
        yield from _judge_warnings(judge)
        if judge.kind == "model":
            yield from _length_warning(judge, people)


def _unheard(votes: Sequence[Vote]) -> Iterator[str]:
    people = [own for own in votes if own.kind == "human" and own.verdict is not None]
    if unheard := sum(own.heard is None or not own.heard.whole for own in people):
        yield f"{unheard} of {len(people)} votes of people do not say that all was heard to its end."


def _judge_warnings(judge: JudgeFinding) -> Iterator[str]:
    lean = judge.position
    if lean is not None and lean.p < SIGNIFICANT:
        side = "first" if lean.difference.value > 0 else "second"
        won = number(max(lean.share.value, 1 - lean.share.value), True)
        yield f"{judge.judge} leans to who is heard {side}: {won} % of its verdicts with a winner."
    differing = (judge.reversed or 0.0) + (judge.half or 0.0)
    if differing > MOST_DIFFERING:
        yield (
            f"{judge.judge} contradicts itself when the order is turned round, in "
            f"{number(differing, True)} % of {judge.both_orders} battles."
        )


def _length_warning(judge: JudgeFinding, people: JudgeFinding | None) -> Iterator[str]:
    """By seconds where they are known, else by words."""
    length = next((own for own in judge.lengths if own.lean is not None), None)
    if length is None or length.lean is None or length.lean.p >= SIGNIFICANT:
        return
    longer = length.lean.difference.value > 0
    theirs = next((own.lean for own in people.lengths if own.unit == length.unit), None) if people else None
    measure = "would people?"
    if theirs is not None:
        measure = f"people do in {_side(theirs, longer)} %."
    side = "longer" if longer else "shorter"
    yield (
        f"{judge.judge} gives the win to the {side} replies in {_side(length.lean, longer)} % of its "
        f"verdicts with a winner; {measure}"
    )


def _side(lean: LeanFinding, asked_about: bool) -> str:
    """The share of wins of the side asked about, or of the other, in percent."""
    return number(lean.share.value if asked_about else 1 - lean.share.value, True)


def _rubrics(
    raters: Mapping[str, Sequence[Vote]], graded: Mapping[str, Grades], runs: _Runs, seed: int
) -> tuple[RubricFinding, ...]:
    """By the runs' first metric, where higher is better."""
    run = next(iter(runs.results.values()), None)
    if run is None or not run.run.task.metrics or not run.run.task.metrics[0].higher_is_better:
        return ()
    by = run.judging.judge if run.judging else ""
    return tuple(rubrics(raters, graded, run.run.task.metrics[0].name, by, seed=seed))


def _coverage(
    arena: ArenaFile, dialogues: Mapping[str, DialogueRecord], votes: Sequence[Vote]
) -> Iterator[Coverage]:
    judged = {
        (name, vote.dialogue)
        for vote in votes
        if vote.verdict is not None
        for name in (vote.first, vote.second)
    }
    for group in sorted({own.group for own in dialogues.values()}):
        own = [dialogue for dialogue in dialogues.values() if dialogue.group == group]
        for system in arena.systems:
            name = system.name
            replies = [reply for dialogue in own for reply in dialogue.replies.get(name, ())]
            unusable = sum(name in dialogue.unusable for dialogue in own)
            yield Coverage(
                system=name,
                group=group,
                dialogues=len(own),
                answered=unusable + sum(name in dialogue.replies for dialogue in own),
                silent_turns=sum(reply.text is None and reply.clip is None for reply in replies),
                unusable=unusable,
                absent=dict(Counter(dialogue.absent[name] for dialogue in own if name in dialogue.absent)),
                judged=sum((name, dialogue.id) in judged for dialogue in own),
            )


def _costs(arena: ArenaFile, folder: Path, raters: Mapping[str, Sequence[Vote]]) -> Iterator[Cost]:
    """Of this arena's judge all that it said, of others what their votes tell."""
    for rater, votes in raters.items():
        if rater == PEOPLE:
            continue
        if rater == arena.judge.name:
            usage = usage_of(read_lines(folder / JUDGEMENTS, JudgementRecord))
            tokens, cost = (usage.input_tokens, usage.output_tokens), usage.cost
        else:
            usages = [vote.usage for vote in votes if vote.usage is not None]
            known = [own.cost for own in usages if own.cost is not None]
            tokens = sum(own.input_tokens for own in usages), sum(own.output_tokens for own in usages)
            cost = sum(known) if known else None
        yield Cost(
            judge=rater,
            votes=len(votes),
            failed=failures(votes),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cost=cost,
        )


def _published(arena: ArenaFile) -> PrintedTable | None:
    """Ratings printed of the same data set."""
    if not any(PAPER in own.source for own in arena.published):
        return None
    printed = published_results()
    return PrintedTable(
        source=printed.source,
        rows=tuple(
            PrintedRow(
                evaluator=evaluator,
                system=system,
                values=dict(zip(DIMENSIONS, printed.arena[system][evaluator], strict=True)),
            )
            for evaluator in printed.evaluators
            for system in printed.systems
        ),
        notes=printed.notes,
    )


def _prior_note(prior: float | None) -> Iterator[str]:
    if prior is not None:
        yield (
            "All ratings but those of people and judge together are drawn towards 1000 by a normal prior "
            "with a standard deviation of "
            f"{prior:g} points, whose middle is drawn anew for each resample."
        )


def _shown(own: DialogueRecord) -> ShownDialogue:
    return ShownDialogue(group=own.group, turns=own.turns, replies=own.replies, unusable=own.unusable)


def _meetings(votes: Sequence[Vote]) -> Iterator[ShownMeeting]:
    found: dict[tuple[str, str, str], list[Vote]] = {}
    for vote in votes:
        found.setdefault((vote.dialogue, *vote.pair), []).append(vote)
    for (dialogue, one, two), own in sorted(found.items()):
        results: dict[str, Verdict] = {}
        for rater, theirs in _raters(own).items():
            once = [vote for vote in theirs if not vote.repeat]
            for verdict, _ in verdicts_of(both_orders(once).battles).values():
                results[rater] = verdict
        said = {_as_seen(vote, one) for vote in own if vote.verdict is not None}
        yield ShownMeeting(
            dialogue=dialogue,
            one=one,
            two=two,
            results=results,
            disagree=len(said) > 1,
            votes=tuple(
                ShownVote(
                    rater=vote.judge,
                    first=vote.first,
                    second=vote.second,
                    verdict=vote.verdict,
                    repeat=vote.repeat,
                    reason=vote.reason,
                    failure=_told(vote.outcome) if isinstance(vote.outcome, Failed) else "",
                )
                for vote in own
            ),
        )


def _as_seen(vote: Vote, one: str) -> Verdict | None:
    return vote.verdict if vote.first == one or vote.verdict is None else records.SWAPPED[vote.verdict]


def _told(failed: Failed) -> str:
    return f"{failed.reason}: {failed.detail}" if failed.detail else failed.reason
