"""Where the key comes from, and that it goes to the server and nowhere else."""

import logging
import os
import subprocess
import sys
import traceback

import pytest
from speechzoo_openai.client import Client
from speechzoo_openai.connection import Connection

from plugins.openai.tests.protocol import KEY, MODEL, VARIABLE
from speechzoo import ReplyAsk, Setup, SetupError, user

MODELS = ["openai-chat-audio", "openai-realtime"]
WRONG = "sk-wrong-9876543210"
OPENAI = "https://api.openai.com/v1"
ONE = Setup("one")


def options(**changed):
    usual = {
        "model": MODEL,
        "base_url": OPENAI,
        "timeout": 5.0,
        "retries": 0,
        "parallel": 1,
    }
    return {**usual, **changed}


def test_without_a_key_the_variable_is_named(monkeypatch):
    """Otherwise a new user does not know where the key goes."""
    for given in (None, " "):
        if given is not None:
            monkeypatch.setenv("OPENAI_API_KEY", given)
        with pytest.raises(SetupError, match=r"environment variable OPENAI_API_KEY$"):
            Connection.open(ONE, **options())
    with pytest.raises(SetupError, match="environment variable SPEECHZOO_KEY_MY__HOST_EXAMPLE_ORG:"):
        Connection.open(ONE, **options(base_url="https://My-host.example.org:8000/v1"))


def test_a_key_is_read_from_the_variable_of_its_own_host(monkeypatch):
    """Otherwise a signature or a registry file that names another server is sent the user's key."""
    secrets = {"OPENAI_API_KEY": KEY, "HF_TOKEN": "hf_1", "SPEECHZOO_KEY_API_EXAMPLE_ORG": "sk-example"}
    for variable, secret in secrets.items():
        monkeypatch.setenv(variable, secret)
    assert Connection.open(ONE, **options()).key == KEY
    assert Connection.open(ONE, **options(base_url="https://api.example.org/v1")).key == "sk-example"
    others = ("evil.org", "api.openai.com.evil.org", "xapi.openai.com", "api-openai.com", "api-example.org")
    for host in others:
        with pytest.raises(SetupError, match="environment variable SPEECHZOO_KEY_"):
            Connection.open(ONE, **options(base_url=f"https://{host}/v1"))


@pytest.mark.parametrize("host", ["api_a.org", "api..a.org", "api.openai.com.", "ſ.org", "[fe80::1]"])
def test_a_host_that_could_share_a_variable_is_refused(host):
    """Otherwise whoever owns a name that looks alike is sent the key of the other."""
    with pytest.raises(SetupError, match="host of letters"):
        Connection.open(ONE, **options(base_url=f"https://{host}/v1"))


def test_a_key_goes_over_https_only(monkeypatch):
    """Otherwise a signature that says http shows the key to everybody on the way."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(SetupError, match="https only"):
        Connection.open(ONE, **options(base_url="http://api.openai.com/v1"))


def test_headers_meant_for_openai_go_nowhere_else(monkeypatch):
    """Otherwise a token of the company's gateway is sent to whatever server a signature names."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gateway-secret")
    monkeypatch.setenv("SPEECHZOO_KEY_EVIL_ORG", "")
    with pytest.raises(SetupError, match="unset it") as caught:
        Connection.open(ONE, **options(base_url="https://evil.org/v1"))
    assert "gateway-secret" not in str(caught.value)


def test_the_organisation_is_told_to_openai_alone(monkeypatch):
    """Otherwise any server learns for whom it is asked."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    there = Client(Connection.open(ONE, **options()))
    here = Client(Connection.open(ONE, **options(base_url="http://localhost/v1")))
    found = [(one._openai.organization, one._openai.project) for one in (there, here)]
    assert found == [("org-1", "proj-1"), (None, None)]
    there.close()
    here.close()


@pytest.mark.parametrize("option", ["attention", "device_map"])
def test_what_a_server_ignores_is_refused(option):
    """Otherwise a number is published as that of a setting which nobody applied."""
    with pytest.raises(SetupError, match="--" + option.replace("_", "-")):
        Connection.open(Setup("one", device="cuda", **{option: "eager"}), **options())


def test_a_key_that_was_copied_badly_is_told(monkeypatch):
    """Otherwise the user sees a fault of encoding, of every item."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-12…89")
    with pytest.raises(SetupError, match="OPENAI_API_KEY is no key") as caught:
        Connection.open(ONE, **options())
    assert "sk-12" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_a_server_on_this_machine_needs_none(monkeypatch, host):
    """Otherwise whoever serves a model of one's own has to invent a key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv(VARIABLE)
    assert Connection.open(ONE, **options(base_url=f"http://{host}/v1")).key == ""


def test_another_server_may_need_none(monkeypatch):
    """Otherwise a model of one's own on another machine cannot be asked."""
    monkeypatch.setenv("SPEECHZOO_KEY_GPU__BOX", "")
    assert Connection.open(ONE, **options(base_url="http://gpu-box:8000/v1")).key == ""


@pytest.mark.parametrize("name", MODELS)
def test_a_keyless_server_is_not_given_one(server, realtime_server, made, name, monkeypatch):
    """As above, on the wire."""
    own = realtime_server if name == "openai-realtime" else server
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(SetupError):  # the server wants one, and gets none
        made(name, own).reply([ReplyAsk((user("a"),))])
    own.keyless = True
    [answer] = made(name, own).reply([ReplyAsk((user("a"),))])
    assert answer.text


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1",
        "",
        "ftp://example.org",
        f"https://user:{KEY}@example.org/v1",
        f"https://:{KEY}@example.org/v1",
        f"https://example.org/v1?key={KEY}",
        f"https://example.org/v1#{KEY}",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_repeated(url):
    """A password in an address would be in every report."""
    with pytest.raises(SetupError, match="base_url") as caught:
        Connection.open(ONE, **options(base_url=url))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_no_error_and_no_log_shows_the_key(server, realtime_server, made, name, monkeypatch, caplog):
    """Whoever sends us a log of all that happened sends no key with it, whatever the server repeats."""
    caplog.set_level(logging.DEBUG)
    own = realtime_server if name == "openai-realtime" else server
    made(name, own).reply([ReplyAsk((user("a"),))])
    monkeypatch.setenv(VARIABLE, WRONG)
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
        env={**os.environ, VARIABLE: key, "OPENAI_LOG": "debug"},
        cwd=tmp_path,
    )
    assert done.returncode == (0 if key == KEY else 3), done.stderr
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 2
    assert key == KEY or VARIABLE in done.stderr
    assert not [1 for text in (*written, done.stdout.encode(), done.stderr.encode()) if key.encode() in text]
