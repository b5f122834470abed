"""The store: what counts as done survives, what is damaged is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.errors import StoreError
from speechzoo.run.records import AnswerRecord, Key
from speechzoo.run.store import Store, from_line, read_lines, to_line
from speechzoo.specs import Condition


def record(name: str, **answer: object) -> AnswerRecord:
    key = Key(role="model", item=name, condition=Condition.T2T)
    return AnswerRecord(key=key, basis="b", answer={"kind": "score", **answer})


@given(st.text(), st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False)))
def test_a_line_comes_back_as_it_was(name: str, answer: dict[str, object]) -> None:
    """Otherwise: an answer with odd characters is read back as another one."""
    written = record(name, text=answer)
    line = to_line(written)
    assert line.count(b"\n") == 1
    assert AnswerRecord.model_validate_json(from_line(line.rstrip(b"\n"))) == written
    assert json.loads(line)["key"]["item"] == name


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(position: int, change: int) -> None:
    """Otherwise: a flipped bit on a disk becomes a score in a paper."""
    line = bytearray(to_line(record("item", text="some answer")).rstrip(b"\n"))
    line[position % len(line)] ^= change
    with pytest.raises(ValueError):
        from_line(bytes(line))


def test_a_cut_tail_is_dropped_and_said(tmp_path: Path) -> None:
    """Otherwise: a run killed while writing can never be resumed."""
    with Store(tmp_path) as store:
        store.add_answers([record("a"), record("b")])
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes() + to_line(record("c"))[:-20])
    assert [r.key.item for r in read_lines(path, AnswerRecord)] == ["a", "b"]
    with Store(tmp_path) as store:
        assert any("cut short" in notice for notice in store.notices)
        store.add_answers([record("d")])
        assert [r.key.item for r in store.answers()] == ["a", "b", "d"]


def test_damage_in_the_middle_names_file_line_and_byte(tmp_path: Path) -> None:
    """Otherwise: damaged results are skipped or mixed in silently."""
    with Store(tmp_path) as store:
        store.add_answers([record("a"), record("b"), record("c")])
    path = tmp_path / "answers.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b'"b"', b'"x"', 1) + lines[2])
    with pytest.raises(StoreError, match=rf"answers.jsonl, line 2 \(byte {len(lines[0])}\)"):
        list(read_lines(path, AnswerRecord))


def test_a_second_run_is_refused_by_pid_and_host(tmp_path: Path) -> None:
    """Otherwise: two runs interleave their answers in one file."""
    holder = (
        "import sys, pathlib; from speechzoo.run.store import Store\n"
        "with Store(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        with pytest.raises(StoreError, match=rf"in use by process {process.pid} on \S+"):
            Store(tmp_path)
        process.kill()
    with Store(tmp_path) as store:
        assert any(f"process {process.pid}" in notice for notice in store.notices)


def test_a_full_disk_is_a_clean_error_and_loses_nothing(tmp_path: Path) -> None:
    """Otherwise: a full disk at night costs the answers of the day."""
    child = (
        "import resource, signal, sys, pathlib\n"
        "from speechzoo.run.store import Store\n"
        "from speechzoo.run.records import AnswerRecord\n"
        "from speechzoo.errors import StoreError\n"
        "record = AnswerRecord.model_validate_json(sys.argv[2])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with Store(pathlib.Path(sys.argv[1])) as store:\n"
        "    store.add_answers([record])\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "    try:\n"
        "        for _ in range(10): store.add_answers([record])\n"
        "    except StoreError as error: print(error)\n"
    )
    arguments = [sys.executable, "-c", child, str(tmp_path), record("a").model_dump_json()]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "What was finished before is safe" in done.stdout
    with Store(tmp_path) as store:
        assert len(store.answers()) >= 1


def test_a_folder_that_cannot_be_written_is_a_clean_error(tmp_path: Path) -> None:
    """Otherwise: a read-only output folder ends in a traceback after the model was loaded."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "run")
