"""Where the key comes from, and that it goes to the server and nowhere else."""

import logging
import os
import subprocess
import sys
import traceback

import pytest
from speechzoo_openai.connection import Connection

from plugins.openai.tests.protocol import KEY, MODEL
from speechzoo import ReplyAsk, SetupError, user

MODELS = ["openai-chat-audio", "openai-realtime"]
WRONG = "sk-wrong-9876543210"


def options(**changed):
    usual = {
        "model": MODEL,
        "base_url": "https://api.example.org/v1",
        "key_variable": "OPENAI_API_KEY",
        "timeout": 5.0,
        "retries": 0,
        "parallel": 1,
    }
    return {**usual, **changed}


def test_without_a_key_the_variable_is_named(monkeypatch):
    """Otherwise a new user does not know where the key goes."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SetupError, match="environment variable OPENAI_API_KEY"):
        Connection.open("one", **options())
    with pytest.raises(SetupError, match="GEMINI_API_KEY"):
        Connection.open("one", **options(key_variable="GEMINI_API_KEY"))


def test_a_key_that_was_copied_badly_is_told(monkeypatch):
    """Otherwise the user sees a fault of encoding, of every item."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-12…89")
    with pytest.raises(SetupError, match="OPENAI_API_KEY is no key") as caught:
        Connection.open("one", **options())
    assert "sk-12" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_a_server_on_this_machine_needs_none(monkeypatch, host):
    """Otherwise whoever serves a model of one's own has to invent a key."""
    monkeypatch.delenv("OPENAI_API_KEY")
    assert Connection.open("one", **options(base_url=f"http://{host}/v1")).key == ""


def test_a_key_can_be_done_without_and_is_then_not_sent(monkeypatch):
    """Otherwise OpenAI's key goes to every server that somebody tries."""
    assert Connection.open("one", **options(key_variable="")).key == ""


@pytest.mark.parametrize("name", MODELS)
def test_a_keyless_server_is_not_given_one(server, realtime_server, made, name):
    """As above, on the wire."""
    own = realtime_server if name == "openai-realtime" else server
    with pytest.raises(SetupError):  # the server wants one, and gets none
        made(name, own, key_variable="").reply([ReplyAsk((user("a"),))])
    own.keyless = True
    [answer] = made(name, own, key_variable="").reply([ReplyAsk((user("a"),))])
    assert answer.text


@pytest.mark.parametrize("value", [KEY, "AIzaSyA-123", "AIzaSyA123"])
def test_a_key_in_the_place_of_its_variable_is_refused_and_not_repeated(value):
    """Otherwise it is in the log, and the user never knows that it was written down."""
    with pytest.raises(SetupError, match=r"run\.json") as caught:
        Connection.open("one", **options(key_variable=value))
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1",
        "",
        "ftp://example.org",
        f"https://user:{KEY}@example.org/v1",
        f"https://example.org/v1?key={KEY}",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url):
    """A password in an address would be in every report."""
    with pytest.raises(SetupError, match="base_url") as caught:
        Connection.open("one", **options(base_url=url))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_no_error_and_no_log_shows_the_key(server, realtime_server, made, name, monkeypatch, caplog):
    """Whoever sends us a log of all that happened sends no key with it, whatever the server repeats."""
    caplog.set_level(logging.DEBUG)
    own = realtime_server if name == "openai-realtime" else server
    made(name, own).reply([ReplyAsk((user("a"),))])
    monkeypatch.setenv("OPENAI_API_KEY", WRONG)
    model = made(name, own)
    with pytest.raises(SetupError, match="Incorrect API key") as caught:
        model.reply([ReplyAsk((user("a"),))])
    # What the server itself writes down is its own affair.
    logged = [record.getMessage() for record in caplog.records if not record.name.endswith("server")]
    written = "".join([*traceback.format_exception(caught.value), *logged, repr(vars(model))])
    assert caplog.records
    assert KEY not in written
    assert WRONG not in written


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("key", [KEY, WRONG])
def test_a_run_leaves_no_key_anywhere(server, realtime_server, name, key, tmp_path):
    """Runs are shared and papers carry signatures."""
    own = realtime_server if name == "openai-realtime" else server
    command = [sys.executable, "-m", "speechzoo", "eval", "--model", name, "--task", "spoken-qa-mini"]
    command += ["--conditions", "t2t,s2t", "--limit", "2", "--out", str(tmp_path / "run")]
    for setting in (f"base_url={own.base_url}", f"model={MODEL}", "retries=0"):
        command += ["--set", setting]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENAI_API_KEY": key, "OPENAI_LOG": "debug"},
        cwd=tmp_path,
    )
    assert done.returncode == (0 if key == KEY else 3), done.stderr
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 2
    assert "OPENAI_API_KEY" in done.stdout + done.stderr + b"".join(written).decode("utf-8", "replace")
    assert not [1 for text in (*written, done.stdout.encode(), done.stderr.encode()) if key.encode() in text]
