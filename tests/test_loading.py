"""Names become components: typed, complete, and told apart by everything that can change a result."""

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pluggy
import pytest

from speechzoo import weights
from speechzoo.catalogue import Catalogue
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import Component, load
from speechzoo.plugins import Plugin, Plugins
from speechzoo.registry import (
    DataEntry,
    HubSource,
    ModelEntry,
    PathSource,
    Registry,
    ServiceEntry,
)
from speechzoo.setup import LoadOptions, Setup
from speechzoo.specs import Capability, ModelSpec, Parameter, ServiceSpec, Spec, TaskSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Made:
    """What the specs below make; it keeps what it was made with."""

    def __init__(self, setup: Setup, **parameters: object) -> None:
        self.setup, self.parameters = setup, parameters


class Strict:
    def __init__(self, setup: Setup, *, order: int) -> None:
        self.order = order


HERE = f"{__name__}:Made"
PARAMETERS = {
    "beams": Parameter(1, "of the search"),
    "warmth": Parameter(0.5, "of replies"),
    "fast": Parameter(False, "or good"),
    "ties": Parameter("half", "how to count", choices=("half", "right", "wrong")),
    "language": Parameter("en", "spoken"),
}
LLM = ModelSpec(
    "llm", HERE, "an LLM", frozenset({Capability.TEXT_IN, Capability.TEXT_OUT, Capability.STREAM}), PARAMETERS
)
CHAIN = ModelSpec("chain", HERE, "a chain", parts={"ear": "small-ear", "llm": "tiny"})
EAR = ServiceSpec("ear", "transcriber", HERE, "an ear", parameters={"beams": Parameter(1, "of the search")})
VOICE = ServiceSpec("voice", "voice", HERE, "a voice", requires=("no-such-package-xyz", "also-missing"))
QUIZ = TaskSpec("quiz", HERE, "a quiz", data="questions")
SPECS = (LLM, CHAIN, EAR, VOICE, QUIZ)


def plugins(specs: tuple[Spec, ...] = SPECS, version: str = "1.0") -> Plugins:
    plugin = Plugin("p", f"fake {version}", specs)
    by_kind = {(type(spec).__name__.removesuffix("Spec").lower(), spec.name): spec for spec in specs}
    return Plugins((plugin,), pluggy.PluginManager("speechzoo"), dict.fromkeys(by_kind, plugin), by_kind)


def entry(adapter: str, **fields: Any) -> ModelEntry:
    return ModelEntry(adapter=adapter, summary="s", licence="MIT", **fields)


def catalogue(
    folder: Path = Path(), models: Mapping[str, ModelEntry] | None = None, specs: tuple[Spec, ...] = SPECS
) -> Catalogue:
    ears = {
        name: ServiceEntry(adapter="ear", summary="s", licence="MIT", parameters={"beams": beams})
        for name, beams in {"small-ear": 1, "big-ear": 5}.items()
    }
    data = DataEntry(summary="s", licence="MIT", citation="c", sources=(PathSource(path="data"),))
    registry = Registry(
        models={
            "tiny": entry("llm", parameters={"beams": 2}),
            "narrow": entry("llm", capabilities={"text-in", "speech-out"}),
            "far": entry("llm", sources=(HubSource(hub="o/far", revision=COMMIT),)),
            **(models or {}),
        },
        services=ears,
        data={"questions": data},
        aliases={"best": "tiny", "ear": "big-ear", "ask": "quiz"},
        origins={("data", "questions"): folder / "registry.yaml"},
    )
    return Catalogue(plugins(specs), registry)


def test_defaults_entry_and_settings_are_laid_over_each_other() -> None:
    """Otherwise a run would use other parameters than it reports."""
    component = catalogue().model("best", {"warmth": 1, "language": 5, "fast": True})
    assert component.name == "tiny"
    assert component.parameters == {
        "beams": 2,
        "warmth": 1.0,
        "fast": True,
        "ties": "half",
        "language": "5",
    }
    assert type(component.parameters["warmth"]) is float
    assert component.changed == {"fast": True, "language": "5", "warmth": 1.0}
    # What the name alone stands for has two beams: the default is a change here.
    assert catalogue().model("tiny", {"beams": 1}).changed == {"beams": 1}
    assert catalogue().model("tiny", {"beams": 2}).changed == {}


def test_text_from_the_command_line_is_read_as_its_parameter_says() -> None:
    """Otherwise: Norwegian (no) becomes False, and 007 becomes 7."""
    text = {"beams": "3", "warmth": "1e-3", "fast": "True", "ties": "wrong", "language": "no"}
    assert catalogue().model("tiny", text).parameters == {
        "beams": 3,
        "warmth": 0.001,
        "fast": True,
        "ties": "wrong",
        "language": "no",
    }
    for odd in ("007", "true", "a=b, c|d:e%2C", " 1", ""):
        assert catalogue().model("tiny", {"language": odd}).parameters["language"] == odd


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"beam": 2}, "tiny has no parameter 'beam'; it has: beams, fast, language, ties, warmth"),
        ({"beams": "many"}, "tiny: beams is of type int, not 'many'"),
        ({"beams": 2.5}, "tiny: beams is of type int, not 2.5"),
        ({"beams": True}, "tiny: beams is of type int, not True"),
        ({"warmth": True}, "tiny: warmth is of type float, not True"),
        ({"fast": 1}, "tiny: fast is of type bool, not 1"),
        ({"fast": "yes"}, "tiny: fast is of type bool, not 'yes'"),
        ({"beams": "2.5"}, "tiny: beams is of type int, not '2.5'"),
        ({"warmth": "nan"}, "tiny: warmth is of type float, not 'nan'"),
        ({"warmth": 10**400}, "tiny: warmth is of type float, not 1000"),
        ({"language": False}, "tiny: language is of type str, not False"),
        ({"ties": "third"}, "tiny: ties is one of half, right, wrong, not 'third'"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_there_is(settings: dict[str, Any], told: str) -> None:
    """Otherwise a misspelt parameter would leave the default in force, and the run be wasted."""
    with pytest.raises(SpeechzooError) as caught:
        catalogue().model("tiny", settings)
    assert told in str(caught.value)


def test_a_wrong_parameter_in_a_registry_is_refused_as_well() -> None:
    """Otherwise an entry could promise what its adapter never does."""
    with pytest.raises(SpeechzooError, match="wild has no parameter 'beam'"):
        catalogue(models={"wild": entry("llm", parameters={"beam": 2})}).model("wild")


def test_parts_are_replaced_by_name() -> None:
    """Otherwise nobody could try another recogniser in a cascade."""
    default = catalogue().model("chain")
    assert {role: part.name for role, part in default.parts.items()} == {"ear": "small-ear", "llm": "tiny"}
    other = catalogue().model("chain", {"ear": "big-ear"})
    assert other.parts["ear"].parameters == {"beams": 5}
    assert other.changed == {"ear": "big-ear"}
    assert [one.name for one in other.whole()] == ["chain", "big-ear", "tiny"]
    by_entry = catalogue(models={"duo": entry("chain", parts={"llm": "narrow"})}).model("duo")
    assert [one.name for one in by_entry.whole()] == ["duo", "small-ear", "narrow"]
    with pytest.raises(SpeechzooError, match="ear=nobody: no model or service has this name"):
        catalogue().model("chain", {"ear": "nobody"})
    with pytest.raises(SpeechzooError, match="chain has no parameter 'eye'; it has: ear, llm"):
        catalogue().model("chain", {"eye": "big-ear"})


def test_parameters_of_parts_are_set_by_their_path() -> None:
    """Otherwise: trying a beam of five in a cascade needs a registry entry of one's own."""
    usual = catalogue().model("chain")
    wide = catalogue().model("chain", {"ear.beams": "5", "llm.language": "no"})
    assert wide.parts["ear"].parameters == {"beams": 5}
    assert wide.changed == {"ear.beams": 5, "llm.language": "no"}
    assert wide.identity() != usual.identity()
    assert catalogue().model("chain", {"ear.beams": "1"}).changed == {}
    other = catalogue().model("chain", {"ear": "big-ear", "ear.beams": "1"})
    assert other.changed == {"ear": "big-ear", "ear.beams": 1}
    nested = catalogue(models={"outer": entry("chain", parts={"llm": "chain"})})
    deep = nested.model("outer", {"llm.ear.beams": "7"})
    assert deep.changed == {"llm.ear.beams": 7}
    assert {path: value for path, value, _ in deep.settable()}["llm.ear.beams"] == 7
    assert deep.takes("llm.ear.beams") and deep.takes("ear") and not deep.takes("beams")
    with pytest.raises(SpeechzooError, match="small-ear has no parameter 'beam'; it has: beams"):
        catalogue().model("chain", {"ear.beam": "5"})


def test_a_part_is_replaced_only_by_its_like() -> None:
    """Otherwise: a voice put where the transcriber belongs fails after the models are loaded."""
    with pytest.raises(SpeechzooError, match="chain: ear=voice is a voice, it has to be a transcriber"):
        catalogue().model("chain", {"ear": "voice"})
    with pytest.raises(SpeechzooError, match="chain: llm=big-ear is a transcriber, it has to be a model"):
        catalogue().model("chain", {"llm": "big-ear"})
    # What is replaced need not be installed.
    lost = replace(CHAIN, parts={"ear": "not-here", "llm": "tiny"})
    assert catalogue(specs=(LLM, lost, EAR)).model("chain", {"ear": "big-ear"}).parts["ear"].name == "big-ear"


def test_a_model_that_is_a_part_of_itself_is_refused() -> None:
    """Otherwise one wrong line in a registry would end every command with a RecursionError."""
    loop = {"one": entry("chain", parts={"llm": "two"}), "two": entry("chain", parts={"llm": "one"})}
    with pytest.raises(SpeechzooError, match="model one -> model two -> model one: it is a part of itself"):
        catalogue(models=loop).model("one")
    twice = {"one": entry("chain", parts={"ear": "small-ear", "other": "small-ear"})}
    assert len(list(catalogue(models=twice).model("one").whole())) == 4


def test_an_entry_narrows_what_its_adapter_can_do() -> None:
    """Otherwise a checkpoint would be asked for what it never learnt."""
    assert catalogue().model("narrow").capabilities == {Capability.TEXT_IN}
    assert catalogue().model("tiny").capabilities == LLM.capabilities
    assert catalogue().service("small-ear").capabilities == frozenset()


def test_names_that_are_not_there_are_answered_with_those_that_are() -> None:
    """Otherwise a typo would cost a search through the documentation."""
    known = catalogue()
    with pytest.raises(
        SpeechzooError, match="no model is called 'tinny'; there are: chain, far, narrow, tiny"
    ):
        known.model("tinny")
    with pytest.raises(
        SpeechzooError, match="no service is called 'eye'; there are: big-ear, small-ear, voice"
    ):
        known.service("eye")
    with pytest.raises(SpeechzooError, match="brings the task 'quizz'; there are: quiz"):
        known.task("quizz")
    with pytest.raises(SpeechzooError, match=r"nothing is called 'x'.*tiny.*big-ear.*quiz"):
        known.any("x")
    assert [one.kind for one in known.any("ask")] == ["task"]
    assert [one.name for one in known.any("best")] == ["tiny"]


def test_an_adapter_can_be_looked_at_by_its_name() -> None:
    """Otherwise: nobody learns what ADAPTER in ADAPTER@FOLDER may be, nor its parameters."""
    known = catalogue()
    assert known.adapters() == {
        "model": {"llm": ["far", "narrow", "tiny"]},
        "service": {"ear": ["big-ear", "small-ear"]},
    }
    (llm,) = known.any("llm")
    assert llm.entry is None and llm.parameters["beams"] == 1
    assert "llm" not in known.names()["model"]


def test_an_adapter_alone_is_no_model() -> None:
    """Otherwise a list would call it ready, and a run would fail after loading everything else."""
    bare = ModelSpec("bare", HERE, "an adapter", needs_files=True)
    there = catalogue(specs=(*SPECS, bare))
    assert there.adapters()["model"]["bare"] == []
    assert "bare" not in there.names()["model"]
    with pytest.raises(
        SetupError, match="bare drives checkpoints and has none by itself: --model bare@FOLDER"
    ):
        there.model("bare").require()
    own = catalogue(specs=(*SPECS, bare), models={"trained": entry("bare")})
    assert own.adapters()["model"]["bare"] == ["trained"]
    own.model("trained").require()


def test_a_checkpoint_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a model in training would need a registry entry for every step."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "step@100"
    folder.mkdir()
    (folder / "weights").write_text("one")
    component = catalogue().model("llm@step@100", {"beams": 3})
    assert component.folder == folder and component.parameters["beams"] == 3
    assert len(component.revision) == 16 and not component.missing_files()
    (folder / "weights").write_text("another")
    assert catalogue().model("llm@step@100").revision != component.revision
    assert catalogue().any("llm@step@100")[0].folder == folder
    hub = catalogue().model(f"llm@org/repo@{COMMIT}")
    assert hub.missing_files() and hub.revision
    for name, told in {
        "llm@nowhere": "neither a folder",
        "llm@": "neither a folder",
        "llm@org/repo@main": "40-digit commit hash",
        "lllm@step@100": "brings the model 'lllm'; there are: chain, llm",
    }.items():
        with pytest.raises(SpeechzooError) as caught:
            catalogue().model(name)
        assert told in str(caught.value)


def test_a_folder_is_read_only_when_its_revision_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: list and show take minutes beside a checkpoint of 20 GB."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows").write_text("one")
    monkeypatch.setattr(weights, "folder_revision", lambda folder: "read")
    component = catalogue(tmp_path).task("quiz")
    assert component.pinned is None and "revision" not in vars(component)
    assert component.identity()["revision"] == "read"
    assert pickle.loads(pickle.dumps(component)).revision == "read"  # noqa: S301


def test_an_entry_that_two_plugins_bring_is_refused_when_it_is_used() -> None:
    """Otherwise: the order of installation decides which checkpoint is measured."""
    known = catalogue()
    files = (Path("one.yaml"), Path("other.yaml"))
    known.registry.conflicts.update(
        dict.fromkeys([("models", "tiny"), ("services", "small-ear"), ("aliases", "ask")], files)
    )
    for use in (
        lambda: known.model("tiny"),
        lambda: known.model("best"),
        lambda: known.service("small-ear"),
        lambda: known.task("ask"),
        lambda: known.any("tiny"),
    ):
        with pytest.raises(
            SetupError, match=r"more than one plugin: one\.yaml, other\.yaml.*--registry FILE"
        ):
            use()
    assert known.model("narrow").name == "narrow"


def test_everything_that_is_missing_is_named_with_its_command() -> None:
    """Otherwise a user would meet the missing pieces one failed run after another."""
    ear = replace(EAR, name="deaf", requires=("no-such-package-xyz", "also-missing"))
    models = {"all": entry("chain", parts={"ear": "deaf", "llm": "far"})}
    component = catalogue(models=models, specs=(*SPECS, ear)).model("all")
    with pytest.raises(SetupError) as caught:
        component.require()
    assert str(caught.value).splitlines() == [
        "deaf needs packages: pip install no-such-package-xyz also-missing",
        "far is not fetched: speechzoo fetch far",
    ]
    catalogue().model("tiny").require()


def test_a_package_is_asked_for_only_if_it_is_missing() -> None:
    """Otherwise users of a broken plugin would be told to install what they have."""
    entries = {
        "absent": entry("magic", package="no-such-package-xyz[cuda]"),
        "present": entry("magic", package="speechzoo[lm]"),
        "unnamed": entry("magic"),
    }
    known = catalogue(models=entries)
    with pytest.raises(SetupError, match=r"pip install no-such-package-xyz\[cuda\]"):
        known.model("absent")
    for name in ("present", "unnamed"):
        with pytest.raises(SpeechzooError, match="no installed plugin brings the model 'magic'"):
            known.model(name)


def test_data_of_a_task_lie_beside_the_registry_that_names_them(tmp_path: Path) -> None:
    """Otherwise a plugin's data would be looked for in the user's folder."""
    (tmp_path / "data").mkdir()
    task = catalogue(tmp_path).task("ask")
    assert (task.name, task.folder) == ("quiz", tmp_path / "data")
    assert catalogue(tmp_path / "elsewhere").task("quiz").missing_files()
    lost = replace(QUIZ, name="lost", data="nothing")
    with pytest.raises(SetupError, match="'lost' needs the data set 'nothing', which no registry names"):
        catalogue(specs=(lost,)).task("lost")


EXAM = TaskSpec("exam", HERE, "an exam", subsets=("maths", "history"), parts={"voice": ""})


def test_a_subset_is_a_task_of_its_own() -> None:
    """Otherwise the scores of one subset would be filed as those of the whole."""
    there = catalogue(specs=(*SPECS, EXAM))
    whole, maths = there.task("exam"), there.task("exam/maths")
    assert (whole.name, whole.parameters) == ("exam", {"subset": ""})
    assert (maths.name, maths.parameters) == ("exam/maths", {"subset": "maths"})
    assert load(maths).parameters == {"subset": "maths"}
    assert whole.identity() != maths.identity()
    for wrong in ("exam/latin", "exam/"):
        with pytest.raises(SpeechzooError, match=r"exam has no subset .*; it has: maths, history"):
            there.task(wrong)
    with pytest.raises(SpeechzooError, match="quiz has no subset 'maths'; it has: none"):
        there.task("quiz/maths")


def test_a_part_without_a_default_is_there_only_if_it_is_set() -> None:
    """Otherwise everybody would have to fetch a voice that only some ask for."""
    there = catalogue(specs=(*SPECS, EXAM))
    assert there.task("exam").parts == {}
    assert there.task("exam").takes("voice") and there.task("exam").takes("voice.speed")
    chosen = there.task("exam", {"voice": "voice"})
    assert chosen.parts["voice"].name == "voice" and chosen.changed == {"voice": "voice"}


def test_a_part_without_a_default_is_of_the_sort_that_its_role_names() -> None:
    """Otherwise: a voice set as the second transcriber fails after every answer is there."""
    exam = replace(EXAM, parts={"second_transcriber": "", "helper": ""})
    there = catalogue(specs=(*SPECS, exam))
    with pytest.raises(SpeechzooError, match="second_transcriber=voice is a voice, it has to be a transcr"):
        there.task("exam", {"second_transcriber": "voice"})
    assert len(there.task("exam", {"second_transcriber": "small-ear", "helper": "voice"}).parts) == 2


def test_a_task_takes_other_data(tmp_path: Path) -> None:
    """Otherwise a benchmark that may not be passed on could not be run from one's own copy."""
    (tmp_path / "data").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rows.jsonl").write_text("{}")
    there = catalogue(tmp_path)
    usual, own = there.task("quiz"), there.task("quiz", data=str(tmp_path / "mine"))
    assert usual.folder == tmp_path / "data" and own.folder == tmp_path / "mine"
    assert usual.revision != own.revision
    hub = there.task("quiz", data=f"o/questions@{COMMIT}")
    assert hub.entry is not None
    assert hub.entry.sources == (HubSource(hub="o/questions", revision=COMMIT, repo_type="dataset"),)
    assert hub.missing_files()
    with pytest.raises(SpeechzooError, match="exam has no data set"):
        catalogue(specs=(*SPECS, EXAM)).task("exam", data=str(tmp_path))


def test_data_that_nobody_may_pass_on_tell_how_to_come_by_them(tmp_path: Path) -> None:
    """Otherwise the error would be a missing file deep inside a task."""
    there = catalogue(tmp_path)
    closed = there.registry.data["questions"].model_copy(
        update={"sources": (), "obtain": "sign up, --data DIR"}
    )
    there.registry.data["questions"] = closed
    with pytest.raises(SetupError, match="quiz has no data here: sign up, --data DIR"):
        there.task("quiz").require()
    there.task("quiz", data=str(tmp_path)).require()


def test_the_identity_covers_all_that_can_change_a_result(tmp_path: Path) -> None:
    """Otherwise a run would go on with another model and mix the answers of two."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows").write_text("one")
    before = catalogue(tmp_path).task("quiz").identity()
    (tmp_path / "data" / "rows").write_text("another")
    hub = HubSource(hub="o/far", revision=COMMIT[::-1])
    identities = [
        before,
        catalogue(tmp_path).task("quiz").identity(),
        catalogue().model("tiny").identity(),
        catalogue().model("tiny", {"beams": 1}).identity(),
        catalogue().model("chain").identity(),
        catalogue().model("chain", {"ear": "big-ear"}).identity(),
        catalogue(models={"tiny": entry("llm", parameters={"fast": True})}).model("chain").identity(),
        catalogue().model("far").identity(),
        catalogue(models={"far": entry("llm", sources=(hub,))}).model("far").identity(),
        replace(catalogue(), plugins=plugins(version="1.1")).model("tiny").identity(),
    ]
    assert all(identities.count(identity) == 1 for identity in identities)
    assert catalogue().model("best").identity() == catalogue().model("tiny").identity()


OPTIONS = LoadOptions(
    device="cuda:1", dtype="bfloat16", attention="eager", device_map="auto", trust_remote_code=True, seed=7
)


def loaded(component: Component) -> Made:
    made = load(component, OPTIONS)
    assert isinstance(made, Made)
    return made


def test_load_makes_the_class_with_everything_it_is_owed() -> None:
    """Otherwise an adapter would compute in another precision or seed than the run records."""
    chain = loaded(catalogue().model("chain", {"ear": "big-ear"}))
    # The leave to run a checkpoint's code is for adapters that need it alone: transformers would prefer that
    # code to its own, and the numbers would be others.
    owed = replace(OPTIONS, trust_remote_code=False)
    assert (chain.setup.name, chain.setup.load_options()) == ("chain", owed)
    ear = chain.setup.part("ear")
    assert (ear.setup.name, ear.setup.load_options(), ear.parameters) == ("big-ear", owed, {"beams": 5})
    # Else a model that asks for its part at every clip would load it at every clip.
    assert chain.setup.part("ear") is ear
    with pytest.raises(SetupError, match=r"chain has no part 'eye'; its parts are \['ear', 'llm'\]"):
        chain.setup.part("eye")
    with pytest.raises(SetupError, match=r"chain needs files.*ADAPTER@FOLDER"):
        chain.setup.files()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("no_such_module_xyz:Model", "no_such_module_xyz:Model cannot be imported: No module"),
        ("math:Model", "math:Model cannot be imported"),
        ("math", "math cannot be imported"),
        (f"{__name__}:Strict", "does not take the parameters its spec declares: .*'order'"),
    ],
)
def test_a_class_that_does_not_fit_its_spec_is_named(target: str, told: str) -> None:
    """Otherwise the author of a plugin would search speechzoo for the fault."""
    odd = ModelSpec("odd", target, "s", parameters={"beams": Parameter(1, "of the search")})
    with pytest.raises(SetupError, match=told):
        load(catalogue(specs=(odd,)).model("odd"))


def test_a_device_map_beside_the_cpu_is_refused() -> None:
    """Otherwise a model that was to be spread over cards would be computed on the processor for days."""
    with pytest.raises(SpeechzooError, match=r"--device is cpu: say --device cuda, or leave --device-map"):
        LoadOptions(device_map="auto")


def test_code_of_a_checkpoint_runs_only_where_it_is_allowed() -> None:
    """Otherwise: naming a checkpoint is enough to hand one's account to whoever wrote it."""
    runner = ModelSpec("runner", HERE, "s", remote_code=True)
    outer = ModelSpec("outer", HERE, "s", parts={"llm": "runner"})
    there = catalogue(specs=(*SPECS, runner, outer))
    for name in ("runner", "outer"):
        component = there.model(name)
        for refuse in (component.require, lambda component=component: load(component)):
            with pytest.raises(SetupError, match=r"runner runs Python code .* --trust-remote-code"):
                refuse()
        component.require(trust_remote_code=True)
        assert load(component, LoadOptions(trust_remote_code=True)).setup.trust_remote_code == (
            name == "runner"
        )


def test_what_cannot_change_an_answer_is_no_part_of_its_identity() -> None:
    """Otherwise a longer timeout, or a new price, has everything asked and paid for again."""
    parameters = {
        "voice": Parameter("joe", "h"),
        "timeout": Parameter(60.0, "h", decides=False),
    }
    there = catalogue(specs=(*SPECS, ModelSpec("api", HERE, "s", parameters=parameters)))
    usual, patient = there.model("api"), there.model("api", {"timeout": "600"})
    assert patient.parameters["timeout"] == 600.0
    assert (patient.identity(), patient.changed) == (usual.identity(), {})
    other = there.model("api", {"voice": "amy"})
    assert other.identity() != usual.identity()
    assert other.changed == {"voice": "amy"}


def test_a_part_that_is_switched_off_shows_in_the_signature() -> None:
    """Otherwise the line in a paper runs something else."""
    there = catalogue()
    usual = there.model("chain")
    assert "ear" in usual.parts
    without = there.model("chain", {"ear": ""})
    assert "ear" not in without.parts
    assert without.changed == {"ear": ""}


def test_what_has_to_be_set_is_missed_before_anything_is_asked() -> None:
    """Otherwise a night of answers ends with a judge that does not know which model to ask."""
    parameters = {"model": Parameter("", "h", required=True)}
    specs = (
        *SPECS,
        ModelSpec("api", HERE, "s", parameters=parameters),
        ModelSpec("outer", HERE, "s", parts={"llm": "api"}),
    )
    there = catalogue(specs=specs)
    with pytest.raises(SetupError, match="api has no model: set with --set"):
        there.model("outer").require()
    there.model("outer", {"llm.model": "small"}).require()
