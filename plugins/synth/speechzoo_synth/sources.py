"""Where text items come from: a file, an lm-eval task, a data set of the hub."""

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from speechzoo import SetupError, SpeechzooError
from speechzoo.jsonl import Row, read_jsonl
from speechzoo.registry import is_commit
from speechzoo.run.describe import digest

from speechzoo_synth.items import Fields, TextItem, read_items

LM_EVAL = "lm-eval:"
HUB = "hf:"


@dataclass(frozen=True)
class Source:
    """Items, and what a manifest says of where they come from."""

    items: Sequence[TextItem]
    about: Mapping[str, str]


def read_source(name: str, fields: Fields, online: bool) -> Source:
    """The items behind a name: a JSON Lines or Parquet file, a task of lm-eval or a data set of the hub.

    Args:
        name: ``FILE``, ``lm-eval:TASK[@FOLDER]`` or ``hf:OWNER/NAME@COMMIT[/GLOB]``.
        fields: where a row keeps what an item is made of. An lm-eval task says itself, except what is named.
        online: whether the network may be used.

    Raises:
        SpeechzooError: the name is none of these, a file is malformed, or there are no items.
        SetupError: a package or the files are missing here.
    """
    if name.startswith(LM_EVAL):
        rows, about = _lm_eval(name.removeprefix(LM_EVAL), fields.question, online)
        fields = replace(fields, question="")
    elif name.startswith(HUB):
        rows, about = _hub(name.removeprefix(HUB), online)
    else:
        rows, about = _read_file(Path(name)), {"file": Path(name).name}
    if not rows:
        raise SpeechzooError(f"{name} has no items")
    items = read_items(rows, fields)
    return Source(items, {**about, "sha256": digest([asdict(item) for item in items])})


def _read_file(file: Path) -> list[Row]:
    if file.suffix != ".parquet":
        return read_jsonl(file)
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise SetupError("Parquet files need pyarrow: pip install 'speechzoo-synth[parquet]'") from error
    try:
        values = parquet.read_table(file).to_pylist()
    except (OSError, ArrowInvalid) as error:
        raise SpeechzooError(f"{file} cannot be read: {error}") from error
    return [Row(file, number, value) for number, value in enumerate(values, start=1)]


def _hub(name: str, online: bool) -> tuple[list[Row], dict[str, str]]:
    location, _, rest = name.partition("@")
    commit, _, pattern = rest.partition("/")
    if location.count("/") != 1 or not is_commit(commit):
        raise SpeechzooError(
            f"{HUB}{name}: say {HUB}OWNER/NAME@COMMIT, with a 40-digit commit: a branch can move. "
            f"{HUB}OWNER/NAME@COMMIT/data/test-* takes some of its files"
        )
    folder = _snapshot(location, commit, pattern, online)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in (".parquet", ".jsonl")
        and (not pattern or fnmatch.fnmatch(path.relative_to(folder).as_posix(), pattern))
    )
    if not files:
        raise SpeechzooError(f"{HUB}{name}: no Parquet or JSON Lines file {pattern and f'fits {pattern}'}")
    kinds = sorted({_kind(file.relative_to(folder)) for file in files})
    if len(kinds) > 1 and not pattern:
        raise SpeechzooError(
            f"{HUB}{name} has several splits or configurations: {', '.join(kinds)}. "
            f"Say which files: {HUB}{name}/{kinds[0]}*"
        )
    rows = [row for file in files for row in _read_file(file)]
    return rows, {"hub": location, "commit": commit, **({"files": pattern} if pattern else {})}


def _kind(file: Path) -> str:
    """``data/test`` of ``data/test-00000-of-00002.parquet``: folder and name without the number of a part."""
    stem = re.sub(r"[-_.]?\d+(?:-of-\d+)?(?:-[0-9a-f]{16})?$", "", file.stem)
    return (file.parent / stem).as_posix()


def _snapshot(location: str, commit: str, pattern: str, online: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                location,
                repo_type="dataset",
                revision=commit,
                allow_patterns=pattern or ["*.parquet", "*.jsonl"],
                local_files_only=not online,
            )
        )
    except LocalEntryNotFoundError as error:
        raise SetupError(f"{location}@{commit[:8]} is not here: say --online to fetch it") from error
    except Exception as error:  # the hub client raises its own, its HTTP library's and the system's errors
        raise SetupError(f"{location}@{commit[:8]} could not be had: {error}") from error


def _lm_eval(name: str, question: str, online: bool) -> tuple[list[Row], dict[str, str]]:
    task_name, _, folder = name.partition("@")
    if not online:
        # Read when the libraries are imported: an offline command must not wait for a hub.
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    try:
        import lm_eval
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise SetupError("tasks of lm-eval need lm-eval: pip install 'speechzoo-synth[lm-eval]'") from error
    manager = TaskManager(include_path=folder or None, include_defaults=not folder)
    if task_name not in manager.all_subtasks:
        known = ", ".join(manager.all_subtasks) if folder else "see: lm-eval ls tasks"
        raise SpeechzooError(f"lm-eval has no single task {task_name!r}; {known}")
    try:
        task = manager.load(task_name)["tasks"][task_name]
    except Exception as error:  # of a data set's loader: anything
        way_out = "" if online else " Say --online if its data may be downloaded."
        raise SetupError(f"lm-eval cannot load {task_name}: {error}.{way_out}") from error
    about = {"lm_eval_task": task_name, "version": str(task.VERSION), "lm_eval": lm_eval.__version__}
    return list(_documents(task, task_name, question)), about


def _documents(task: Any, name: str, question: str) -> Iterator[Row]:
    for number, document in enumerate(task.eval_docs):
        row = Row(Path(f"{LM_EVAL}{name}"), number, dict(document))
        text = row.text(question) if question else task.doc_to_text(document)
        if not isinstance(text, str):
            raise row.error("its prompt depends on the option; name a column that is spoken with --question")
        own = {"id": f"{name}-{number}", "question": text, **_gold(task, document, row)}
        yield Row(row.file, number, row.values | own)


def _gold(task: Any, document: Mapping[str, Any], row: Row) -> dict[str, Any]:
    target = task.doc_to_target(document)
    if task.OUTPUT_TYPE != "multiple_choice":
        if task.config.doc_to_choice is not None:
            target = _chosen(target, task.doc_to_choice(document), row)
        return {"answers": list(target) if isinstance(target, list) else [str(target).strip()]}
    if isinstance(target, list):
        raise row.error("more than one option is right, which cannot be told apart by one reply")
    options = [option.strip() for option in task.doc_to_choice(document)]
    return {"options": options, "correct": target.strip() if isinstance(target, str) else target}


def _chosen(place: object, choices: Sequence[str], row: Row) -> str:
    """What lm-eval compares a reply with, where the target is the place of its text among choices."""
    if not isinstance(place, int) or not -len(choices) <= place < len(choices):
        raise row.error(f"its target must be a place among {len(choices)} choices, not {place!r}")
    return choices[place]
