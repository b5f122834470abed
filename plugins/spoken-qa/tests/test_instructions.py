"""IFEval's instructions, by the checkers of a library."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from speechzoo import ItemError, SetupError

from speechzoo_spoken_qa import instructions
from speechzoo_spoken_qa.grading import by_rules
from speechzoo_spoken_qa.questions import Question
from speechzoo_spoken_qa.rules import RULES, Gold, Instruction

nltk = pytest.importorskip("nltk")
pytest.importorskip("langdetect")
pytest.importorskip("lm_eval")

NO_COMMA = Instruction("punctuation:no_comma", {})
TWO_SENTENCES = Instruction(
    "length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}
)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only place where NLTK looks for its data."""
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    instructions._checkers.cache_clear()
    instructions._checked.cache_clear()
    yield tmp_path
    instructions._checkers.cache_clear()


@pytest.fixture
def sentence_model(nowhere: Path) -> None:
    """A model of sentences that knows no abbreviations."""
    folder = nowhere / instructions.SENTENCE_MODEL
    folder.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (folder / name).touch()


def gold(*wanted: Instruction) -> Gold:
    return Gold(instructions=wanted)


@pytest.mark.usefixtures("sentence_model")
def test_strict_and_loose_by_prompt_and_by_instruction() -> None:
    """Otherwise the board's column could not be made."""
    reply, wanted = "Sure, here it is:\nHello there. Good day.", gold(NO_COMMA, TWO_SENTENCES)
    values = {name: RULES[f"ifeval-{name}"](reply, wanted) for name in (
        "prompt-strict", "prompt-loose", "instruction-strict", "instruction-loose"
    )}  # fmt: skip
    assert values == {
        "prompt-strict": 0.0, "prompt-loose": 1.0, "instruction-strict": 0.5, "instruction-loose": 1.0
    }  # fmt: skip
    assert RULES["ifeval"](reply, wanted) == pytest.approx(2.5 / 4)


@pytest.mark.usefixtures("sentence_model")
def test_languages_are_told_the_same_each_time() -> None:
    """Otherwise grading a run again could change its figures: the library guesses by chance unless seeded."""
    german = gold(Instruction("language:response_language", {"language": "de"}))
    short = gold(Instruction("language:response_language", {"language": "en"}))
    assert RULES["ifeval"]("Das ist ein kurzer deutscher Satz.", german) == 1.0
    assert len({RULES["ifeval"]("No man is an island", short) for _ in range(20)}) == 1


@pytest.mark.usefixtures("sentence_model")
def test_a_check_that_would_draw_its_argument_is_refused() -> None:
    """Otherwise the library would ask for a language, or a number of words, drawn at random."""
    with pytest.raises(ItemError, match=r"incomplete_instruction: .* lacks language"):
        RULES["ifeval"]("Hello", gold(Instruction("language:response_language", {})))
    with pytest.raises(ItemError, match="unknown_instruction"):
        RULES["ifeval"]("Hello", gold(Instruction("poetry:rhymes", {})))


@pytest.mark.usefixtures("sentence_model")
def test_a_reply_is_checked_once_strictly_and_once_loosely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise grading takes four times as long: each level would ask for the same again."""
    checkers, asked = instructions._checkers(), []
    for name in ("strict", "loose"):
        own = getattr(checkers, f"test_instruction_following_{name}")
        count = lambda *a, own=own, name=name: asked.append(name) or own(*a)  # noqa: E731
        monkeypatch.setattr(checkers, f"test_instruction_following_{name}", count)
    question = Question("q", "instructions", "Say it.", None, gold(NO_COMMA, TWO_SENTENCES))
    values = by_rules(question, "Never asked before. No comma.", published_first=False)
    assert values["ifeval"] == 1.0 and len(values) == 5  # type: ignore[index]
    assert sorted(asked) == ["loose", "strict"]


@pytest.mark.usefixtures("nowhere")
def test_missing_data_are_named_and_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise grading would reach for the network in the middle of a run."""
    monkeypatch.setattr(nltk, "download", lambda *a, **k: pytest.fail("the network was asked"))
    with pytest.raises(SetupError, match=r"nltk\.downloader punkt_tab"):
        RULES["ifeval"]("Hello", gold(NO_COMMA))
