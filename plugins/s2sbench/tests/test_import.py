"""Results of the reference code become a run like any other."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from speechzoo import SpeechzooError

from speechzoo_s2sbench.data import S2SBENCH
from speechzoo_s2sbench.results import find_results, read_results

Speechzoo = Callable[..., Any]
Losses = Sequence[tuple[int | str, str | None, float | None]]

# The reference scorers were run on these: stories 0.5, means 1.75 and 1.80; choices 5/6, 1.00 and 1.35.
STORIES: Losses = [
    (0, None, 2.0),
    (1, None, 2.5),
    (2, None, 3.0),
    (3, None, 3.0),
    ("4_a", None, 1.0),
    ("5_b", None, 0.5),
    (7, None, 1.2),
    (6, None, 1.0),
]
LEFT_OVER = (8, None, 9.9)
ANSWERS = {"q1": "B", "q2": "A", "q3": "D"}
CHOICES: Losses = [
    ("q1", "A", 2.0),
    ("q2", "A", 1.0),
    ("q3", "A", 1.0),
    ("q1", "B", 1.0),
    ("q2", "B", 1.5),
    ("q3", "B", 1.5),
    ("q1", "C", 1.0),
    ("q2", "C", 2.0),
    ("q3", "C", 2.0),
    ("q1", "D", 0.5),
    ("q2", "D", 1.1),
]


def write_results(file: Path, losses: Losses) -> Path:
    """As the reference writes them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"uttid": uttid, "key": key, "loss": [loss], "ppl": [2.7]} for uttid, key, loss in losses]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def data(tmp_path: Path, write_wav: Callable[[Path, int], None]) -> Path:
    """The records of the test vectors, one wav each."""
    root = tmp_path / "data"
    stories = [
        {"uttid": uttid, "first": f"Context {int(str(uttid)[0]) // 2}.", "last": f"End {uttid}."}
        for uttid, _, _ in STORIES
    ]
    choices = [
        {"uttid": uttid, "first": "题干", **{letter: f"{letter}。" for letter in "ABCD"}, "answer": answer}
        for uttid, answer in ANSWERS.items()
    ]
    for name, rows in (("sstorycloze", stories), ("scmmlu", choices)):
        subset = S2SBENCH[name]
        file = root / subset.records
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        for number, row in enumerate(rows):
            write_wav(root / subset.audio / f"{row['uttid']}.wav", number)
    return root


def stages(run: Path) -> dict[str, Any]:
    found = json.loads((run / "report.json").read_text())
    return {stage["name"]: stage for stage in found["stages"]}


def test_story_results_have_the_references_accuracy(speechzoo: Speechzoo, data: Path, tmp_path: Path) -> None:
    """Otherwise old results could not stand beside new ones."""
    results = write_results(tmp_path / "results/sStory_s2t/ckpt_1_2_3/result.jsonl", [*STORIES, LEFT_OVER])
    done = speechzoo(
        "s2sbench-import", "--data", str(data), "--speech", "results", "--name", "old", "--out", "run",
        "--subset", "sstorycloze",
    )  # fmt: skip
    told = "accuracy 50.00% of 4 comparisons, mean loss of the right 1.7500, of the wrong 1.8000"
    assert f"reference scorer, s2t sstorycloze: {told}" in done.stdout
    stage = stages(tmp_path / "run")["S"]
    assert (stage["estimate"]["value"], stage["valid"], stage["ties"]) == (0.5, 4, 1)
    notes = json.loads((tmp_path / "run/report.json").read_text())["run"]["notes"]
    assert any(f"imported from {results.relative_to(tmp_path)}" in note for note in notes)
    assert any("1 losses belong to no item" in note for note in notes)


@pytest.mark.parametrize(
    ("lacking", "told", "accuracy"),
    [
        (None, "83.33% of 6 comparisons, mean loss of the right 1.0000, of the wrong 1.3500", 5 / 6),
        ("D", "80.00% of 5 comparisons, mean loss of the right 1.0000, of the wrong 1.4000", 4 / 5),
    ],
)
def test_choice_results_have_the_references_accuracy(
    speechzoo: Speechzoo, data: Path, tmp_path: Path, lacking: str | None, told: str, accuracy: float
) -> None:
    """Otherwise a missing option or a repeated line would change a published figure."""
    lines = [("q1", "A", 0.1), *(line for line in CHOICES if line[:2] != ("q2", lacking))]
    results = write_results(tmp_path / "somewhere.jsonl", lines)
    done = speechzoo(
        "s2sbench-import", "--data", str(data), "--text", str(results), "--name", "old", "--out", "run",
        "--subset", "scmmlu",
    )  # fmt: skip
    assert f"reference scorer, t2t scmmlu: accuracy {told}" in done.stdout
    stage = stages(tmp_path / "run")["T"]
    assert stage["estimate"]["value"] == pytest.approx(accuracy)
    assert (stage["valid"], stage["invalid"], stage["ties"]) == (2, {"missing_loss": 1}, 1)
    notes = json.loads((tmp_path / "run/report.json").read_text())["run"]["notes"]
    assert any("1 lines repeat a continuation, the last one counts" in note for note in notes)


def test_an_imported_run_is_reported_and_compared(speechzoo: Speechzoo, data: Path, tmp_path: Path) -> None:
    """Otherwise an imported run would end in itself."""
    write_results(tmp_path / "results/sStory_s2t/ckpt/result.jsonl", STORIES)
    better = [(uttid, key, 1.0 + int(str(uttid)[0]) % 2) for uttid, key, _ in STORIES]
    write_results(tmp_path / "results2/sStory_s2t/ckpt/result.jsonl", better)
    common = ("s2sbench-import", "--data", str(data), "--subset", "sstorycloze", "--speech", "results")
    speechzoo(*common, "--text", "results2", "--name", "one", "--out", "one")
    speechzoo(*common, "--name", "two", "--out", "two")
    speechzoo("report", "one")
    found = stages(tmp_path / "one")
    assert [found[name]["estimate"]["value"] for name in "TS"] == [1.0, 0.5]
    speechzoo(
        "eval", "-m", "instrument", "-t", "s2sbench/sstorycloze", "--data", str(data), "--out", "own",
        "--conditions", "s2t",
    )  # fmt: skip
    done = speechzoo("compare", "one", "two", "own")
    assert all(name in done.stdout for name in ("one", "two", "instrument"))


def test_an_option_that_means_do_not_allow_is_told(speechzoo: Speechzoo, data: Path, tmp_path: Path) -> None:
    """Otherwise a mean a token would be reported as another loss."""
    write_results(tmp_path / "results/sStory_s2t/ckpt/result.jsonl", STORIES)
    speechzoo(
        "s2sbench-import", "--data", str(data), "--speech", "results", "--name", "old", "--out", "run",
        "--subset", "sstorycloze", "--set", "normalisation=sum",
    )  # fmt: skip
    assert stages(tmp_path / "run")["S"]["invalid"] == {"no_sums": 4}


def test_losses_that_cannot_be_are_failures_of_their_items(
    speechzoo: Speechzoo, data: Path, tmp_path: Path
) -> None:
    """Otherwise one overflow would fill every mean of the report, or end the import."""
    huge = {0: 10**400, 3: 1e308, "4_a": -1e308}
    losses = [(uttid, key, huge.get(uttid, loss)) for uttid, key, loss in STORIES]
    write_results(tmp_path / "results/sStory_s2t/ckpt/result.jsonl", losses)
    done = speechzoo(
        "s2sbench-import", "--data", str(data), "--speech", "results", "--name", "old", "--out", "run",
        "--subset", "sstorycloze",
    )  # fmt: skip
    stage = stages(tmp_path / "run")["S"]
    assert stage["invalid"] == {"non_finite": 1, "impossible_loss": 2}
    assert (stage["valid"], stage["estimate"]["value"]) == (1, 1.0)
    assert max(map(len, done.stdout.splitlines())) < 200


def test_results_of_part_of_the_subsets_say_what_to_do(
    speechzoo: Speechzoo, data: Path, tmp_path: Path
) -> None:
    """Otherwise two thirds of all items would be invalid without a word why."""
    write_results(tmp_path / "results/sStory_s2t/ckpt/result.jsonl", STORIES)
    arguments = ("s2sbench-import", "--data", str(data), "--name", "old", "--out", "run")
    done = speechzoo(*arguments, "--speech", "results", code=2)
    assert "nothing of zh-sstorycloze, scmmlu" in done.stderr
    assert "--subset sstorycloze" in done.stderr
    assert "--speech, --text or both" in speechzoo(*arguments, code=2).stderr


def test_one_checkpoint_of_several_has_to_be_named(tmp_path: Path) -> None:
    """Otherwise the losses of two checkpoints could be mixed."""
    for name in ("ckpt_1_1_1", "ckpt_1_2_1"):
        write_results(tmp_path / f"zh_story/{name}/result.jsonl", STORIES)
    with pytest.raises(SpeechzooError, match=r"ckpt_1_1_1, ckpt_1_2_1.*--checkpoint"):
        find_results(tmp_path, S2SBENCH, None)
    found = find_results(tmp_path, S2SBENCH, "ckpt_1_2_1")
    assert found == {"zh-sstorycloze": tmp_path / "zh_story/ckpt_1_2_1/result.jsonl"}
    with pytest.raises(SpeechzooError, match=r"has none of .*sStory_s2t/ckpt_9/result\.jsonl"):
        find_results(tmp_path, S2SBENCH, "ckpt_9")


def test_a_single_file_needs_a_subset_unless_its_folder_tells(tmp_path: Path) -> None:
    """Otherwise Chinese losses could be taken for English ones: both have numbers for ids."""
    placed = write_results(tmp_path / "zh_story/ckpt/result.jsonl", STORIES)
    assert find_results(placed, S2SBENCH, None) == {"zh-sstorycloze": placed}
    loose = write_results(tmp_path / "result.jsonl", STORIES)
    with pytest.raises(SpeechzooError, match="--subset, one of sstorycloze, zh-sstorycloze, scmmlu"):
        find_results(loose, S2SBENCH, None)


def test_a_file_of_another_data_set_is_refused(tmp_path: Path) -> None:
    """Otherwise Chinese losses would pass for English ones: both have numbers for ids."""
    chinese = write_results(tmp_path / "zh_story/ckpt/result.jsonl", STORIES)
    english = {"sstorycloze": S2SBENCH["sstorycloze"]}
    with pytest.raises(
        SpeechzooError, match=r"results of zh-sstorycloze .*not of sstorycloze;.*--subset zh-"
    ):
        find_results(chinese, english, None)
    elsewhere = write_results(tmp_path / "mine/ckpt/result.jsonl", STORIES)
    assert find_results(elsewhere, english, None) == {"sstorycloze": elsewhere}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"uttid": 1', "no JSON"),
        ("[1]", "a result is an object"),
        ('{"uttid": 1.5, "loss": [1]}', "'uttid' must be"),
        ('{"uttid": 1, "key": "E", "loss": [1]}', "'key' is null or one of A, B, C, D"),
        ('{"uttid": 1, "loss": [1, 2]}', "'loss' must be a list of one number"),
        ('{"uttid": 1, "loss": "1"}', "'loss' must be a list of one number"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    """Otherwise a cut or foreign file would be imported in part."""
    file = tmp_path / "result.jsonl"
    file.write_text('{"uttid": 0, "key": null, "loss": [1.0], "ppl": [Infinity]}\n' + line + "\n")
    with pytest.raises(SpeechzooError) as caught:
        read_results(file)
    assert str(caught.value).startswith(f"{file}:2: ") and told in str(caught.value)


def test_missing_and_overflowing_numbers_are_read(tmp_path: Path) -> None:
    """Otherwise one item that went wrong years ago would keep all others from being imported."""
    file = tmp_path / "result.jsonl"
    file.write_text(
        '{"uttid": 0, "key": null, "loss": [null], "ppl": [Infinity]}\n'
        '{"uttid": 1, "key": null, "loss": [NaN], "ppl": [NaN]}\n'
        '{"uttid": 2, "key": null}\n'
        '{"uttid": 3, "key": null, "loss": 2}\n'
    )
    with file.open("a") as more:
        more.write(f'{{"uttid": 4, "loss": [1{"0" * 400}]}}\n{{"uttid": 5, "loss": -1{"0" * 400}}}\n')
    *losses, large, small = [line.loss for line in read_results(file).lines]
    assert (large, small) == (math.inf, -math.inf)
    assert losses[0] is None and losses[1] != losses[1] and losses[2:] == [None, 2.0]
