"""What the tests share: a toy model, tasks that lie on disk or in memory, and nothing from any network."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager
from speechzoo.plugins import discover
from torch.utils import collect_env

SITE = Path(__file__).parent / "site"
CHOICES = ["blue", "green", "white", "black"]
ROWS = [
    {"thing": thing, "question": f"What colour is {thing}?", "choices": CHOICES, "answer": answer}
    for answer, thing in enumerate(["the sky", "grass", "snow", "coal"])
]
CHOICE = {
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_choice": "choices",
    "doc_to_target": "answer",
    "metric_list": [
        {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
    ],
}
OPEN = {
    "output_type": "generate_until",
    "test_split": "test",
    "doc_to_text": "question",
    "doc_to_target": "{{choices[answer]}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 16},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
Row = Mapping[str, Any]
MakeTask = Callable[..., ConfigurableTask]


def _dataset(rows: Sequence[Row], **_: object) -> dict[str, Dataset]:
    return {"test": Dataset.from_list([dict(row) for row in rows])}


def make_task(name: str, config: Row, rows: Sequence[Row] = ROWS, **changes: Any) -> ConfigurableTask:
    return ConfigurableTask(
        config={"task": name, "custom_dataset": partial(_dataset, rows), **config, **changes}
    )


@pytest.fixture
def choice() -> MakeTask:
    return partial(make_task, "colours", CHOICE)


@pytest.fixture
def open_task() -> MakeTask:
    return partial(make_task, "open_colours", OPEN)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment in which the toy is installed, also for child processes."""
    environment = {
        "SPEECHZOO_PLUGINS": "toy,lm-eval,s2sbench,spoken-qa,mtalk-bench,cascade",
        "SPEECHZOO_CACHE": str(tmp_path / "cache"),
        # As the command sets them; here they are taken back after the test.
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
    }
    monkeypatch.syspath_prepend(str(SITE))
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    discover.cache_clear()
    path = os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH", "")]))
    yield {**os.environ, "PYTHONPATH": path}
    discover.cache_clear()


# lm-eval asks pip for every package with each evaluation, which takes a second or three.
told_once = cache(collect_env.get_pretty_env_info)


@pytest.fixture(autouse=True)
def one_look_at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_env, "get_pretty_env_info", told_once)


Evaluated = Callable[..., dict[str, Any]]


@pytest.fixture
def evaluated() -> Evaluated:
    """``simple_evaluate`` without lm-eval's own tasks, which take a minute to be listed."""

    def run(lm: Any, *tasks: ConfigurableTask, **options: Any) -> dict[str, Any]:
        manager = TaskManager(include_defaults=False)
        found = simple_evaluate(lm, tasks=[*tasks], task_manager=manager, bootstrap_iters=0, **options)
        assert found is not None
        return dict(found)

    return run


@pytest.fixture
def task_folder(tmp_path: Path) -> Path:
    """``colours`` and ``open_colours`` as files: the data, and a YAML each."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for name, config in (("colours", CHOICE), ("open_colours", OPEN)):
        about = {
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}},
        }
        # JSON is YAML.
        (folder / f"{name}.yaml").write_text(json.dumps({"task": name, **about, **config}))
    return folder
