"""Plugins are found among installed packages; a broken one is set aside and harms nobody."""

import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.plugins import SWITCH, Plugin, Plugins, discover

GOOD = """
from speechzoo import ModelSpec, TaskSpec, hookimpl

@hookimpl
def speechzoo_models():
    return [ModelSpec(name="{name}-model", target="x:Y", summary="fine")]

@hookimpl
def speechzoo_tasks():
    return [TaskSpec(name="{name}-task", target="x:Y", summary="fine")]
"""


class Site:
    """A folder of installed packages: modules, and the metadata that pip would have written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def install(self, name: str, source: str, *, entry: str | None = None) -> None:
        module = f"fake_{name}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(source)
        metadata = self.folder / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fake-{name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[speechzoo]\n{entry or name} = {module}\n")

    def discover(self) -> Plugins:
        importlib.invalidate_caches()
        discover.cache_clear()
        return discover()

    def only(self) -> Plugin:
        (plugin,) = self.discover().plugins
        return plugin

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """``speechzoo ARGUMENTS`` among all plugins; returns everything it says."""
        env = {key: value for key, value in os.environ.items() if key != SWITCH}
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**env, "PYTHONPATH": str(self.folder), **environment},
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(SWITCH, "good,other,bad,twin")
    made = Site(tmp_path)
    yield made
    discover.cache_clear()
    for module in made.modules:
        sys.modules.pop(module, None)


def hook(name: str, returned: str, imports: str = "Capability, ModelSpec, Parameter, TaskSpec") -> str:
    return (
        "from pathlib import Path\n"
        f"from speechzoo import {imports}, hookimpl\n"
        "@hookimpl\n"
        f"def speechzoo_{name}():\n"
        f"    return {returned}\n"
    )


BROKEN = {
    "raises": ("raise RuntimeError('no licence file')", "RuntimeError: no licence file"),
    "misses a package": ("import no_such_package_xyz", "No module named 'no_such_package_xyz'"),
    "is no Python": ("def broken(:", "SyntaxError"),
    "prints": ("print('hello from me')", "it prints while it is loaded: 'hello from me"),
    "prints to stderr": ("import sys; print('hello', file=sys.stderr)", "it prints while it is loaded"),
    "exits": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "returns None": (hook("models", "None"), "speechzoo_models must return ModelSpecs, got None"),
    "returns a text": (hook("models", "'model'"), "speechzoo_models must return ModelSpecs, got 'm'"),
    "returns another kind": (
        hook("tasks", "[ModelSpec('m', 'x:Y', 's')]"),
        "speechzoo_tasks must return TaskSpecs",
    ),
    "raises in a hook": (hook("models", "1 / 0"), "ZeroDivisionError"),
    "hook takes too much": (
        "from speechzoo import hookimpl\n@hookimpl\ndef speechzoo_models(config): return []",
        "config",
    ),
    "hook is misspelt": (
        "from speechzoo import hookimpl\n@hookimpl\ndef speechzoo_model(): return []",
        "speechzoo_model",
    ),
    "parameters without Parameter": (
        hook("models", "[ModelSpec('m', 'x:Y', 's', parameters={'order': 3})]"),
        "ModelSpec 'm' has fields of a wrong type: parameters",
    ),
    "capabilities as text": (
        hook("models", "[ModelSpec('m', 'x:Y', 's', capabilities={'text-in'})]"),
        "ModelSpec 'm' has fields of a wrong type: capabilities",
    ),
    "requires as text": (
        hook("tasks", "[TaskSpec('t', 'x:Y', 's', requires='piper-tts')]"),
        "TaskSpec 't' has fields of a wrong type: requires",
    ),
    "parts as a list, no name": (
        hook("tasks", "[TaskSpec(None, 'x:Y', 's', parts=['voice'])]"),
        "TaskSpec None has fields of a wrong type: name, parts",
    ),
    "registry as text": (hook("registry", "'registry.yaml'"), "speechzoo_registry must return a Path"),
    "registry missing": (hook("registry", "Path('/nowhere/r.yaml')"), "No such file"),
    "registry invalid": (
        hook("registry", "Path(__file__)"),
        "is not valid",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_plugin_is_set_aside_and_the_others_work(
    site: Site, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Otherwise one bad package among twenty would take the whole command line away."""
    source, told = BROKEN[what]
    site.install("bad", source)
    site.install("good", GOOD.format(name="good"))
    plugins = site.discover()
    (broken,) = plugins.quarantined()
    assert (broken.name, broken.distribution) == ("bad", "fake-bad 1.0")
    assert told in (broken.problem or "")
    assert "Traceback" in broken.traceback
    assert set(plugins.named("model")) == {"good-model"}
    assert set(plugins.named("task")) == {"good-task"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("what", ["parameters without Parameter", "registry invalid"])
def test_a_broken_plugin_never_stops_list(site: Site, what: str) -> None:
    """Otherwise a user could not even see what is installed."""
    source, told = BROKEN[what]
    site.install("bad", source)
    site.install("good", GOOD.format(name="good"))
    listed = site.run("list")
    assert "good-model" in listed and "cascade" in listed
    assert "1 broken plugin(s) set aside: see 'speechzoo plugins'" in listed
    shown = site.run("plugins", "--strict", code=3)
    assert "bad (fake-bad 1.0): broken" in shown
    assert told in shown and "| Traceback (most recent call last):" in shown


def test_a_sound_installation_passes_strict(site: Site) -> None:
    """Otherwise nobody could check an installation in a script."""
    site.install("good", GOOD.format(name="good"))
    assert "good (fake-good 1.0)\n" in site.run("plugins", "--strict", **{SWITCH: "good"})
    assert "no plugins are installed" in site.run("plugins", "--strict", **{SWITCH: ""})


def test_a_warning_at_import_is_no_print(site: Site) -> None:
    """Otherwise a deprecation in some library would set a good plugin aside."""
    site.install("good", "import warnings\nwarnings.warn('old')\n" + GOOD.format(name="good"))
    assert site.only().problem is None


def test_two_packages_with_one_name_are_both_named_and_neither_is_used(site: Site) -> None:
    """Otherwise the order of installation would decide which model was measured."""
    site.install("good", GOOD.format(name="same"))
    site.install("other", GOOD.format(name="same"))
    plugins = site.discover()
    assert plugins.quarantined() == []
    for find, name in ((plugins.model, "same-model"), (plugins.task, "same-task")):
        with pytest.raises(SetupError, match=r"fake-good 1\.0, fake-other 1\.0.*Uninstall one") as caught:
            find(name)
        assert name in str(caught.value)
    assert plugins.named("model") == {}
    assert "fake-good 1.0, fake-other 1.0" in site.run("show", "same-model", code=3)
    told = site.run("plugins", "--strict", code=3)
    assert "conflict: model 'same-model' is brought by fake-good 1.0 and fake-other 1.0" in told


def test_switching_one_of_two_off_ends_their_conflict(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the advice of the error message would be wrong."""
    site.install("good", GOOD.format(name="same"))
    site.install("other", GOOD.format(name="same"))
    monkeypatch.setenv(SWITCH, " other ")
    plugins = site.discover()
    assert plugins.owner(plugins.model("same-model")).distribution == "fake-other 1.0"
    monkeypatch.setenv(SWITCH, "")
    assert site.discover().plugins == ()


def test_two_entry_points_of_one_name_live_side_by_side(site: Site) -> None:
    """Otherwise a second package's plugin would silence the first one's listeners."""
    listener = (
        "from speechzoo import hookimpl\n@hookimpl\ndef speechzoo_sample_done(record): record['{}'] = 1\n"
    )
    site.install("good", listener.format("good"), entry="twin")
    site.install("other", listener.format("other"), entry="twin")
    plugins = site.discover()
    assert plugins.quarantined() == []
    record: dict[str, int] = {}
    plugins.emit("speechzoo_sample_done", record=record)
    assert record == {"good": 1, "other": 1}


@pytest.mark.parametrize("fault", ["raise RuntimeError('disk full')", "raise SystemExit(0)"])
def test_a_listener_that_fails_is_dropped_and_the_others_hear(
    site: Site, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a progress bar's fault would end a run of ten hours."""
    begin = "from speechzoo import hookimpl\n@hookimpl\ndef speechzoo_sample_done(record): "
    site.install("bad", begin + f"record.append('bad'); {fault}\n")
    site.install("good", begin + "record.append('good')\n")
    site.install("other", begin + "record.append('other')\n")
    plugins, heard = site.discover(), []
    with caplog.at_level(logging.WARNING):
        plugins.emit("speechzoo_sample_done", record=heard)
        plugins.emit("speechzoo_sample_done", record=heard)
    assert sorted(heard) == ["bad", "good", "good", "other", "other"]
    (warning,) = caplog.messages
    assert "fake-bad 1.0: bad" in warning and "speechzoo_sample_done" in warning


def test_a_missing_name_points_to_the_broken_plugin_that_may_have_brought_it(site: Site) -> None:
    """Otherwise a user would look for a typo when a dependency was missing."""
    site.install("bad", "import no_such_package_xyz")
    with pytest.raises(SpeechzooError, match="there are: none") as caught:
        site.discover().model("wanted")
    assert "'bad' (fake-bad 1.0) is quarantined: ModuleNotFoundError" in str(caught.value)
    assert "quarantined" in site.run("show", "wanted", code=2)


def test_a_plugin_adds_a_command(site: Site) -> None:
    """Otherwise packages could not bring tools of their own; a broken one must say whose it is."""
    command = "import click\n@click.command()\ndef hello(): click.echo('hello')\n"
    spec = "[CommandSpec('{0}', 'fake_good:{0}', 's') for _ in '1']"
    site.install("good", hook("commands", spec.format("hello"), "CommandSpec") + command)
    site.install("other", hook("commands", spec.format("absent"), "CommandSpec"))
    assert site.run("hello") == "hello\n"
    assert "conflict" not in site.run("plugins", "--strict")
    assert "fake_good:absent cannot be imported" in site.run("absent", code=3)


def test_a_command_of_a_core_commands_name_is_told(site: Site) -> None:
    """Otherwise: the author of a plugin wonders why the own command never runs."""
    site.install("good", hook("commands", "[CommandSpec('list', 'fake_good:list', 's')]", "CommandSpec"))
    told = site.run("plugins", "--strict", code=3)
    assert "conflict: command 'list' is speechzoo's own; the one of fake-good 1.0 is not used" in told
    assert "models:" in site.run("list")


def test_two_registries_of_plugins_with_one_entry_are_told_when_it_is_used(site: Site) -> None:
    """Otherwise: the order of installation decides which checkpoint is measured."""
    for name in ("good", "other"):
        file = site.folder / f"{name}.yaml"
        file.write_text(f"models: {{mine: {{adapter: text-llm, summary: {name}, licence: MIT}}}}")
        site.install(name, hook("registry", f"Path({str(file)!r})"))
    told = site.run("show", "mine", code=3)
    assert "good.yaml" in told and "other.yaml" in told and "Traceback" not in told
    assert "cascade" in site.run("list")


def test_only_eval_tells_that_a_run_is_finished(site: Site, instrument: dict[str, str]) -> None:
    """Otherwise: a plugin that announces results announces one again for every look at a report."""
    heard = site.folder / "heard"
    site.install(
        "good",
        "from pathlib import Path\nfrom speechzoo import hookimpl\n"
        "@hookimpl\ndef speechzoo_run_finished(folder, report):\n"
        f"    with Path({str(heard)!r}).open('a') as file: file.write('finished ')\n",
    )
    environment = {"PYTHONPATH": f"{site.folder}{os.pathsep}{instrument['PYTHONPATH']}"}
    environment[SWITCH] = "good,instrument"
    run = ("-m", "instrument", "-t", "arithmetic", "--limit", "2", "--conditions", "t2t", "--out", "run")
    site.run("eval", *run, **environment)
    site.run("report", "run", **environment)
    assert heard.read_text() == "finished "
