"""Registry files say where everything comes from; a mistake in one is named, never guessed around."""

import re
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from speechzoo.errors import SpeechzooError
from speechzoo.registry import (
    HubSource,
    PathSource,
    load_registry,
    read_registry,
    shipped_registry,
    unpinned,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def model(fields: str) -> str:
    return f"models: {{m: {{adapter: a, summary: s, licence: MIT, {fields}}}}}"


def data(fields: str) -> str:
    return f"data: {{d: {{summary: s, licence: MIT, citation: c, {fields}}}}}"


def hub(revision: str) -> str:
    return model(f"sources: [{{hub: org/repo, revision: {revision}}}]")


def wheel(requirement: str, file: str) -> str:
    files = f"{{{file}: {{member: m, sha256: {'b' * 64}}}}}"
    return model(f"sources: [{{wheel: {requirement}, sha256: {'a' * 64}, files: {files}}}]")


def write(folder: Path, text: str | bytes, name: str = "registry.yaml") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def error_of(file: Path) -> str:
    with pytest.raises(SpeechzooError) as caught:
        read_registry(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("modles: {}", ["modles: Extra inputs"]),
        (model("dype: float32"), ["models.m.dype: Extra inputs"]),
        (model("dtype: float8"), ["models.m.dtype:", "'float32'"]),
        (
            model("environment: {requirements: [a==1, --pre]}"),
            ["requirements.1:", "'--pre' is no requirement"],
        ),
        (model('environment: {python: "3.9", requirements: []}'), ["environment.python:", "3.11 or later"]),
        (model("environment: {python: 3.11, requirements: []}"), ["environment.python:", "valid string"]),
        (model("environment: {python: '3.12'}"), ["environment.requirements: Field required"]),
        (model("capabilities: [sing]"), ["models.m.capabilities.0:", "score-under-audio"]),
        ("models: {m: {adapter: a, summary: s}}", ["models.m.licence: Field required"]),
        ("models: {m: nothing}", ["models.m:"]),
        ("[]", ["dictionary"]),
        ("just words", ["dictionary"]),
        (hub("main"), ["models.m.sources.0.revision:", "'main' is no 40-digit commit hash; a branch"]),
        (hub(COMMIT[8:16]), ["models.m.sources.0.revision:", "40"]),
        (hub(COMMIT.upper()), ["models.m.sources.0.revision:"]),
        (hub(f"{COMMIT}, brnach: x"), ["models.m.sources.0.brnach: Extra inputs"]),
        (
            model("sources: [{url: http://x}]"),
            ["models.m.sources.0: a source has one of the keys hub"],
        ),
        (model("sources: [org/repo]"), ["models.m.sources.0: a source has one of the keys hub"]),
        (wheel("name==1.0", "../out"), ["models.m.sources.0.files.../out", "leaves its folder"]),
        (wheel("name==1.0", "/out"), ["'/out' leaves its folder"]),
        (wheel("name>=1.0", "out"), ["models.m.sources.0.wheel:"]),
        (wheel("--extra-index-url==evil.com", "out"), ["models.m.sources.0.wheel:"]),
        (wheel("name==1.0", "out").replace("b" * 64, "b" * 63), ["files.out.sha256:"]),
        (model("sources: [{path: ., into: a/../../b}]"), ["models.m.sources.0.into:", "leaves"]),
        (data("files: {../x: " + "a" * 64 + "}"), ["'../x' leaves its folder"]),
        (data("files: {x: 12}"), ["data.d.files.x:"]),
        ("data: {d: {summary: s, licence: MIT}}", ["data.d.citation: Field required"]),
    ],
)
def test_a_mistake_is_named_with_its_path(tmp_path: Path, text: str, told: list[str]) -> None:
    """Otherwise a typo would be ignored, or a branch or a path outside accepted without a word."""
    message = error_of(write(tmp_path, text))
    assert all(words in message for words in told), message


def test_a_mistake_in_a_source_is_told_once(tmp_path: Path) -> None:
    """Otherwise one wrong revision would be told as ten missing and extra keys of other kinds of source."""
    lines = error_of(write(tmp_path, hub("main"))).splitlines()
    assert len(lines) == 2, lines


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path: Path) -> None:
    """Otherwise the second of two models of one name would win silently."""
    text = "models:\n  m: {adapter: a, summary: s, licence: l}\n\n  m: {adapter: b, summary: s, licence: l}\n"
    message = error_of(write(tmp_path, text))
    assert "key 'm' stands twice" in message and "line 4" in message
    nested = "models:\n  m:\n    adapter: a\n    adapter: b\n"
    assert "line 4" in error_of(write(tmp_path, nested))


@pytest.mark.parametrize("text", [b"models: {\xff}", b"models: [", b"models: !!python/object:os.system {}"])
def test_what_is_no_plain_yaml_is_refused(tmp_path: Path, text: bytes) -> None:
    """Otherwise a registry from elsewhere could run code, or end in a traceback."""
    assert "is not valid" in error_of(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Otherwise a user would not know which of several files is not there."""
    assert "No such file" in error_of(tmp_path / "nowhere.yaml")


def test_yaml_anchors_work(tmp_path: Path) -> None:
    """Otherwise ten checkpoints of a family could not share their lines."""
    text = (
        "models:\n  one: &family {adapter: a, summary: s, licence: MIT}\n"
        "  two:\n    <<: *family\n    size: 7B\n    licence: GPL\n"
    )
    models = read_registry(write(tmp_path, text)).models
    assert (models["two"].adapter, models["two"].size, models["two"].licence) == ("a", "7B", "GPL")


def test_sources_are_read_as_what_they_are(tmp_path: Path) -> None:
    """Otherwise files would be looked for in the wrong place."""
    text = model(f"sources: [{{hub: o/r, revision: {COMMIT}, only: ['*.json']}}, {{path: x, into: y}}]")
    assert read_registry(write(tmp_path, text)).models["m"].sources == (
        HubSource(hub="o/r", revision=COMMIT, only=("*.json",)),
        PathSource(path="x", into="y"),
    )
    assert read_registry(write(tmp_path, "# nothing yet\n")).models == {}


def test_a_source_may_lack_its_commit_and_is_told_apart(tmp_path: Path) -> None:
    """Otherwise a model could not be named before its commit is known, or be taken for pinned."""
    text = model(f"sources: [{{hub: o/r}}, {{hub: o/s, revision: {COMMIT}}}, {{path: x}}]")
    entry = read_registry(write(tmp_path, text)).models["m"]
    assert unpinned(entry) == (HubSource(hub="o/r"),)
    assert [s.revision for s in entry.sources if isinstance(s, HubSource)] == [None, COMMIT]


def test_later_layers_replace_whole_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise half of a shipped entry would stay in a user's own, with the licence of another model."""
    folders = [tmp_path / name for name in ("plugin", "project", "extra")]
    for folder in folders:
        folder.mkdir()
    plugin, project, extra = folders
    entry = "{{adapter: a, summary: {0}, licence: MIT}}"
    write(plugin, f"models: {{x: {entry.format('plugin')}, y: {entry.format('plugin')}}}\naliases: {{z: x}}")
    write(
        project, f"models: {{x: {entry.format('project')}, cascade: {entry.format('own')}}}", "speechzoo.yaml"
    )
    write(extra, f"models: {{y: {entry.format('extra')}}}\naliases: {{z: y, w: cascade}}")
    monkeypatch.chdir(project)
    merged = load_registry([plugin / "registry.yaml"], [Path("../extra/registry.yaml")])
    assert {name: merged.models[name].summary for name in ("x", "y", "cascade")} == {
        "x": "project",
        "y": "extra",
        "cascade": "own",
    }
    assert merged.models["cascade"].parts == {} and merged.models["cascade"].base is None
    assert merged.aliases == {"z": "y", "w": "cascade"}
    assert merged.folder_of("models", "y") == extra
    assert merged.folder_of("models", "x") == project
    assert merged.folder_of("services", "piper-joe") == shipped_registry().parent
    assert merged.conflicts == {}


def test_two_plugins_with_one_name_are_in_conflict_until_a_later_layer_settles_it(tmp_path: Path) -> None:
    """Otherwise: the order of installation decides which checkpoint is measured."""
    entry = "{adapter: a, summary: s, licence: MIT}"
    text = f"models: {{x: {entry}, y: {entry}}}\naliases: {{z: x}}"
    one, other = (write(tmp_path, text, f"{name}.yaml") for name in ("one", "other"))
    merged = load_registry([one, other])
    assert merged.conflicts == dict.fromkeys(
        [("models", "x"), ("models", "y"), ("aliases", "z")], (one, other)
    )
    settled = load_registry([one, other], [write(tmp_path, f"models: {{x: {entry}}}", "own.yaml")])
    assert set(settled.conflicts) == {("models", "y"), ("aliases", "z")}
    # One file that two entry points of a package bring is no conflict.
    assert load_registry([one, one]).conflicts == {}


def shipped_files() -> list[Path]:
    """The registry of speechzoo and those of its plugins that are installed here."""
    files = [shipped_registry()]
    for point in entry_points(group="speechzoo"):
        module = import_module(point.value)
        if point.dist and point.dist.name.startswith("speechzoo-") and hasattr(module, "speechzoo_registry"):
            files.append(module.speechzoo_registry())
    return files


def test_every_shipped_entry_is_complete() -> None:
    """Otherwise a user could not tell what may be done with a model, or how much will be downloaded."""
    for file in shipped_files():
        content = read_registry(file)
        for name, entry in {**content.models, **content.services, **content.data}.items():
            assert entry.licence.strip() and len(entry.summary) > 10, name
        for name, entry in {**content.models, **content.services}.items():
            assert entry.package and re.match(r"speechzoo-\w+", entry.package), name
            # What nobody has looked up has no size either; 'speechzoo pin' tells it.
            assert unpinned(entry) or bool(entry.sources) == bool(entry.download_mb), name


def test_every_name_in_the_shipped_registry_exists() -> None:
    """Otherwise the first command of the readme would fail."""
    registry = load_registry(shipped_files())
    known = {*registry.models, *registry.services}
    for name, entry in registry.models.items():
        assert entry.base is None or entry.base in registry.models, name
        assert set(entry.parts.values()) <= known, name
    assert set(registry.aliases.values()) <= {*known, *registry.data}
