"""The published data sets: where each lies in its folder, and what its columns mean."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from speechzoo import SpeechzooError

from speechzoo_spoken_qa.golds import LETTERS, read_answers, read_instructions, read_letter, read_options
from speechzoo_spoken_qa.questions import Kind, Loaded, Question
from speechzoo_spoken_qa.rules import Gold
from speechzoo_spoken_qa.tables import Row, read_rows

VOICEBENCH_OPTIONS = 4
_BBH_TASK = re.compile(r"(sports_understanding|hyperbaton|navigate|web_of_lies)")


@dataclass(frozen=True)
class DataSet:
    """One published set.

    Attributes:
        files: a pattern of Parquet or CSV files below the folder of the data; ``{region}`` is filled in.
        kind: how replies are graded.
        question: columns of which the first that is there holds the question's text.
        gold: likewise what replies are held against; none where nothing is.
        audio: the column of the audio.
        by: a column that results are broken down by, if there is one.
        language: spoken in it; None if it is mixed or unknown.
    """

    files: str
    kind: Kind
    question: tuple[str, ...] = ("prompt",)
    gold: tuple[str, ...] = ()
    audio: str = "audio"
    by: str = ""
    language: str | None = "en"


def _open_audio(
    subset: str, kind: Kind, question: str, gold: str = "", language: str | None = "en"
) -> DataSet:
    files, golds = f"eval_datas/{subset}/{subset}.csv", (gold,) if gold else ()
    return DataSet(files, kind, (question,), golds, audio="audio_filename", language=language)


_TEST = "data/test-*.parquet"
BENCHMARKS: Mapping[str, Mapping[str, DataSet]] = {
    "llama-questions": {"": DataSet(_TEST, "answers", ("Questions", "Question"), ("Answer", "answer"))},
    "web-questions": {"": DataSet(_TEST, "answers", ("question",), ("answers",))},
    "trivia-qa": {"": DataSet(_TEST, "answers", ("question",), ("answer", "answers"))},
    "alpaca-eval": {"": DataSet(_TEST, "rating_10", ("instruction",))},
    "openaudiobench": {
        "reasoning_qa": _open_audio("reasoning_qa", "verdict", "Prompt", "参考答案", language=None),
        "llama_questions": _open_audio("llama_questions", "answers", "Questions", "Answer"),
        "web_questions": _open_audio("web_questions", "answers", "question", "answers"),
        "trivia_qa": _open_audio("trivia_qa", "answers", "question", "answer_normalized_aliases"),
        "alpaca_eval": _open_audio("alpaca_eval", "rating_10", "instruction"),
    },
    "voicebench": {
        "openbookqa": DataSet("openbookqa/test-*.parquet", "options", gold=("reference",)),
        "mmsu": DataSet("mmsu/*.parquet", "options", gold=("reference",), by="category"),
        "sd-qa": DataSet("sd-qa/{region}-*.parquet", "answers", gold=("reference",)),
        "bbh": DataSet("bbh/test-*.parquet", "yes_no", gold=("reference",)),
        "ifeval": DataSet("ifeval/test-*.parquet", "instructions"),
        "advbench": DataSet("advbench/test-*.parquet", "refusal"),
        "alpacaeval": DataSet("alpacaeval/test-*.parquet", "rating_5"),
        "alpacaeval_full": DataSet("alpacaeval_full/test-*.parquet", "rating_5"),
        "commoneval": DataSet("commoneval/test-*.parquet", "rating_5"),
        "wildvoice": DataSet("wildvoice/test-*.parquet", "rating_5"),
    },
}  # fmt: skip
"""By task, then subset; the columns are those that the published code reads."""


def read_benchmark(name: str, folder: Path, subset: str = "", region: str = "usa") -> Loaded:
    """The questions of a published benchmark, or of one of its subsets.

    Args:
        name: of `BENCHMARKS`.
        folder: in the published layout.
        subset: "" for all.
        region: of sd-qa's speakers, or ``all``.

    Raises:
        SpeechzooError: a file is missing or damaged, or a row has nothing that replies could be held against.
    """
    sets = BENCHMARKS[name]
    wanted = {subset: sets[subset]} if subset else sets
    found = [_read(own or name, bool(own), one, folder, region) for own, one in wanted.items()]
    return Loaded(
        tuple(question for loaded in found for question in loaded.questions),
        tuple(note for loaded in found for note in loaded.notes),
    )


def _read(name: str, is_subset: bool, one: DataSet, folder: Path, region: str) -> Loaded:
    pattern = one.files.replace("{region}", "*" if region == "all" else region)
    files = sorted(folder.glob(pattern))
    if not files:
        alone = "; a subset can be run alone: --task NAME/SUBSET" if is_subset else ""
        raise SpeechzooError(f"{folder} holds no {pattern}: the rows of {name}{alone}")
    columns = list(dict.fromkeys([*one.question, *one.gold, *_OTHERS, one.audio, *filter(None, [one.by])]))
    numbers: Counter[str] = Counter()
    questions = []
    for row in (row for file in files for row in read_rows(file, columns)):
        numbers[row.split] += 1
        part = () if row.split in ("test", name) else (row.split,)
        place = "-".join((name, *part, f"{numbers[row.split]:04}"))
        shown = {"subset": name} if is_subset else {}
        questions.append(_question(place, one, row, shown))
    return Loaded(tuple(questions), tuple(_notes(name, one, questions)))


_OTHERS = ("id", "instruction_id_list", "kwargs")


def _question(place: str, one: DataSet, row: Row, shown: dict[str, str]) -> Question:
    text = row.text(one.question)
    try:
        gold = _GOLDS[one.kind](row, one, text)
    except ValueError as error:
        raise row.error(str(error)) from error
    attributes = {**shown, **({one.by: str(row.values[one.by])} if one.by in row.values else {})}
    if "{region}" in one.files:
        attributes["region"] = row.split
    if gold.subset:
        attributes["task"] = gold.subset
    clip = row.clip(one.audio, text, one.language)
    return Question(place, one.kind, text, clip, gold, attributes=attributes)


def _answers(row: Row, one: DataSet, text: str | None) -> Gold:
    return Gold(answers=read_answers(_wanted(row, one)))


def _options(row: Row, one: DataSet, text: str | None) -> Gold:
    options = read_options(text or "")
    correct = read_letter(_wanted(row, one))
    if correct < len(options):
        return Gold(options=options, correct=correct)
    if correct >= VOICEBENCH_OPTIONS:
        raise ValueError(f"the right option is {LETTERS[correct]}, the question names {len(options)} options")
    # Letters are heard and found even where the text does not tell what they stand for.
    return Gold(options=("",) * VOICEBENCH_OPTIONS, correct=correct)


def _yes_no(row: Row, one: DataSet, text: str | None) -> Gold:
    name = str(row.values.get("id", ""))
    if not (task := _BBH_TASK.search(name)):
        raise ValueError(f"id names no task of BBH that is known: {name!r}")
    return Gold(read_answers(_wanted(row, one)), options=read_options(text or ""), subset=task[1])


def _instructions(row: Row, one: DataSet, text: str | None) -> Gold:
    values = row.values
    return Gold(instructions=read_instructions(values.get("instruction_id_list"), values.get("kwargs")))


def _nothing(row: Row, one: DataSet, text: str | None) -> Gold:
    return Gold()


_GOLDS: Mapping[Kind, Callable[[Row, DataSet, str | None], Gold]] = {
    "answers": _answers,
    "options": _options,
    "yes_no": _yes_no,
    "instructions": _instructions,
    "refusal": _nothing,
    "verdict": _answers,
    "rating_5": _nothing,
    "rating_10": _nothing,
}


def _wanted(row: Row, one: DataSet) -> object:
    if not any(name in row.values for name in one.gold):
        there = ", ".join(row.values) or "none"
        raise ValueError(
            f"there is no column {' or '.join(map(repr, one.gold))}; of those known there are: {there}"
        )
    return row.first(one.gold)


def _notes(name: str, one: DataSet, questions: list[Question]) -> Iterator[str]:
    if not questions:
        yield f"{name}: the files hold no rows."
    for what, lacking in (
        ("text of the question, so they are not asked as text", [q for q in questions if q.text is None]),
        ("audio", [q for q in questions if q.clip is None]),
        (
            "options that can be told apart",
            [q for q in questions if q.kind == "options" and "" in q.gold.options],
        ),
    ):
        if lacking:
            which = ", ".join(question.id for question in lacking[:10])
            yield f"{name}: {len(lacking)} of {len(questions)} rows have no {what} ({which})."
