"""Makes runs for tests: invented answers, graded as a task would grade them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from speechzoo.asks import (
    Answer,
    ContinuationScore,
    DialogueAnswer,
    Failure,
    ReplyAnswer,
    ScoreAnswer,
)
from speechzoo.audio import AudioClip
from speechzoo.run.records import (
    Key,
    MetricInfo,
    Result,
    Results,
    Role,
    RunFile,
    RunItem,
    ShownAsk,
    SystemInfo,
    TaskInfo,
    Variant,
)
from speechzoo.specs import Condition
from speechzoo.task import Grade

ACCURACY = MetricInfo(name="accuracy", chance=0.5, higher_is_better=True, low=0.0, high=1.0)
JUDGE = MetricInfo(name="judge", chance=None, higher_is_better=True, low=1.0, high=10.0)
ERROR_RATE = MetricInfo(name="error_rate", chance=None, higher_is_better=False, low=0.0, high=None)

Stage = tuple[Role, Condition]
T0: Stage = ("base", Condition.T2T)
T: Stage = ("model", Condition.T2T)
TS: Stage = ("model", Condition.T2S)
S: Stage = ("model", Condition.S2T)
SS: Stage = ("model", Condition.S2S)
CT: Stage = ("rival", Condition.T2T)
C: Stage = ("rival", Condition.S2T)


def run_file(
    name: str = "tiny-speech-lm", metrics: Iterable[MetricInfo] = (ACCURACY,), **changes: Any
) -> RunFile:
    """A run.json."""

    def system(own_name: str, summary: str) -> SystemInfo:
        return SystemInfo(
            identity={
                "name": own_name,
                "revision": "3f1c0e6b2a77d910",
                "parameters": {"beam": 5},
                "parts": {},
            },
            summary=summary,
            licence="Apache-2.0",
            changed={"beam": 5},
            dtype="float32",
        )

    run = RunFile(
        speechzoo="0.1.0",
        created="2025-05-06T07:08:09+00:00",
        fingerprint="9a1b2c3d4e5f6071",
        signature=f"task:s2sbench-mini|model:{name}|revision:3f1c0e6b|conditions:t2t,s2t,s2s|set:beam=5|seed:0",
        task=TaskInfo(
            identity={"name": "s2sbench-mini", "data": "0f0f0f0f"},
            version="1",
            summary="Which ending belongs to the story?",
            licence="CC-BY-4.0",
            citation="arXiv:2505.14438",
            changed={},
            metrics=tuple(metrics),
        ),
        systems={
            "model": system(name, "a small speech LLM"),
            "base": system("tiny-lm", "its base text LLM"),
            "rival": system("cascade", "speech recognition, then the base LLM"),
        },
        conditions=(Condition.T2T, Condition.S2T),
        limit=None,
        seed=0,
        device="cpu",
        environment={"python": "3.11.2", "numpy": "2.4.6"},
        notes=("a run on one core",),
    )
    return run.model_copy(update=changes)


def item(name: str, cluster: str | None = None, **attributes: str | int | float) -> RunItem:
    """An item that can be asked as text and as speech."""
    story = f"Story {name}: Mia planted a seed and watered it every day."
    ends = (" It grew into a sunflower.", " She sold her car.")
    clip = f"clips/{name}.wav"
    return RunItem(
        id=name,
        cluster=cluster or name,
        attributes=attributes,
        asks={
            Condition.T2T: ShownAsk(text=story, continuations=ends),
            Condition.S2T: ShownAsk(text="[audio]", continuations=ends, clips=(clip,), spoken=story),
            Condition.S2S: ShownAsk(text="[audio]", clips=(clip,), spoken=story),
        },
    )


def with_speech_continuations(own: RunItem) -> RunItem:
    """The same item, with conditions in which spoken continuations are scored over speech tokens."""
    spoken = {"spoken_continuations": ("a.wav", "b.wav")}
    text, heard = own.asks[Condition.T2T], own.asks[Condition.S2T]
    asks = {Condition.T2S: text.model_copy(update=spoken), Condition.S2S: heard.model_copy(update=spoken)}
    return own.model_copy(update={"asks": {**own.asks, **asks}})


def with_seconds(own: RunItem, seconds: float) -> RunItem:
    """The same item, its clips so long."""
    asks = {c: a.model_copy(update={"seconds": seconds} if a.clips else {}) for c, a in own.asks.items()}
    return own.model_copy(update={"asks": asks})


def with_values(made: Mapping[Key, Result], metric: str, values: Mapping[str, float]) -> dict[Key, Result]:
    """The same stage, whose grades have one more metric on the items named."""
    found = {}
    for key, result in made.items():
        outcome = result.outcome
        if isinstance(outcome, Grade) and key.item in values:
            outcome = replace(outcome, values={**outcome.values, metric: values[key.item]})
        found[key] = replace(result, outcome=outcome)
    return found


def scores(margin: float, heard: str | None = None) -> ScoreAnswer:
    """Right ending first; ``margin`` in nats a token between the two."""
    return ScoreAnswer(
        (ContinuationScore(-12.0, 6), ContinuationScore(-12.0 - 6 * margin, 6)), heard, {"score": 0.2}
    )


def graded(margin: float) -> Grade:
    return Grade({"accuracy": float(margin > 0)}, tie=margin == 0, details={"margin": float(margin)})


def put(
    key: Key, answer: Answer | Failure, outcome: Grade | Failure, wer: float | None = None
) -> tuple[Key, Result]:
    truncated = isinstance(answer, ReplyAnswer) and answer.truncated
    return key, Result(key, answer, outcome, wer, truncated)


def scored(
    stage: Stage,
    margins: Mapping[str, float | str],
    variant: Variant = "",
    wers: Mapping[str, float] | None = None,
) -> dict[Key, Result]:
    """One stage of pairwise scores; a word in place of a margin is the reason of a failure."""
    made = {}
    for name, margin in margins.items():
        key = Key(role=stage[0], item=name, condition=stage[1], variant=variant)
        if isinstance(margin, str):
            failure = Failure(margin, f"{name} could not be scored")
            made.update([put(key, failure, failure)])
        else:
            wer = wers[name] if wers else None
            heard = "Mia planted a sea and watered it every day." if wers else None
            made.update([put(key, scores(margin, heard), graded(margin), wer)])
    return made


def valued(
    stage: Stage, values: Mapping[str, float], weight: float = 1.0, metric: str = "accuracy"
) -> dict[Key, Result]:
    """One stage of replies with these values."""
    made = {}
    for name, value in values.items():
        key = Key(role=stage[0], item=name, condition=stage[1])
        made.update([put(key, ReplyAnswer(f"reply to {name}"), Grade({metric: value}, weight))])
    return made


def talked(
    stage: Stage,
    dialogues: Mapping[str, Sequence[float | str]],
    name: str = "accuracy",
    weights: Mapping[str, float] | None = None,
) -> dict[Key, Result]:
    """One stage of dialogues with a value of each turn; a word is the reason why it failed."""
    made = {}
    for item, turns in dialogues.items():
        key = Key(role=stage[0], item=item, condition=stage[1])
        replies = [Failure(own) if isinstance(own, str) else ReplyAnswer(f"worth {own}") for own in turns]
        told = [{} if isinstance(own, str) else {name: own} for own in turns]
        grade = Grade({"accuracy": 1.0}, weights[item] if weights else 1.0, by_turn=told)
        made.update([put(key, DialogueAnswer(tuple(replies)), grade)])
    return made


def results(
    items: Iterable[RunItem],
    *stages: Mapping[Key, Result],
    run: RunFile | None = None,
    folder: Path = Path("run"),
) -> Results:
    """A run's folder as if read; its conditions are the model's that have results."""
    answered = {key: result for stage in stages for key, result in stage.items()}
    conditions = dict.fromkeys(k.condition for k in answered if k.role == "model" and not k.variant)
    own = run or run_file()
    if conditions:
        own = own.model_copy(update={"conditions": tuple(conditions)})
    return Results(folder, own, {i.id: i for i in items}, answered)


def tone(path: Path, hertz: float = 440.0, seconds: float = 0.6) -> AudioClip:
    """A clip on disk."""
    times = np.arange(round(seconds * 16_000)) / 16_000
    clip = AudioClip.from_samples((0.3 * np.sin(2 * math.pi * hertz * times)).astype(np.float32), 16_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip.encoded())
    return AudioClip.from_file(path)


def full_run(folder: Path, n: int = 80) -> Results:
    """Every stage, probe and prior: a model that hears, and loses some of what it hears."""
    generator = np.random.default_rng(1)
    names = [f"story-{place:03d}" for place in range(n)]
    clips = [tone(folder / "clips" / f"{name}.wav", 300 + 5 * place) for place, name in enumerate(names)]
    items = [
        item(name, voice=["ana", "joe", "li"][place % 3], words=int(generator.integers(20, 90)))
        for place, name in enumerate(names)
    ]
    items = [_with_clip(own, str(clip.data)) for own, clip in zip(items, clips, strict=True)]
    text = dict(zip(names, generator.normal(0.8, 0.8, n), strict=True))
    wers = {name: float(generator.choice([0, 0, 0.05, 0.2, 0.5])) for name in names}
    speech: dict[str, float | str] = {
        name: text[name] - 1.6 * wers[name] + generator.normal(-0.15, 0.35) for name in names
    }
    speech |= {names[3]: "too_long", names[9]: "non_finite", names[11]: "too_long"}
    spoken = _spoken(folder, names, speech)
    probed = [name for name in names[:20] if not isinstance(speech[name], str)]
    return results(
        items,
        scored(T0, {name: margin + generator.normal(0.2, 0.2) for name, margin in text.items()}),
        scored(T, text),
        scored(S, speech, wers=wers),
        spoken,
        scored(C, {name: margin - 0.8 * wers[name] for name, margin in text.items()}, wers=wers),
        scored(S, {name: generator.normal(0, 1) for name in probed}, "swapped"),
        scored(S, {name: generator.normal(0, 0.5) for name in probed}, "silence"),
        scored(T, {name: generator.normal(0.1, 1) for name in names}, "prior"),
        folder=folder,
    )


def _with_clip(own: RunItem, path: str) -> RunItem:
    asks = {c: a.model_copy(update={"clips": (path,)}) if a.clips else a for c, a in own.asks.items()}
    return own.model_copy(update={"asks": asks})


def _spoken(folder: Path, names: list[str], speech: Mapping[str, float | str]) -> dict[Key, Result]:
    made = {}
    for place, name in enumerate(names):
        key = Key(role="model", item=name, condition=Condition.S2S)
        margin = speech[name]
        if isinstance(margin, str):
            made.update([put(key, Failure(margin, "no answer"), Failure(margin, "no answer"))])
            continue
        clip = tone(folder / "audio" / f"{name}.flac", 200 + 3 * place)
        answer = ReplyAnswer(
            "It grew into a sunflower.", clip, truncated=place % 17 == 0, timings={"reply": 1.2}
        )
        right = margin > 0 and place % 7 > 0
        made.update([put(key, answer, Grade({"accuracy": float(right)}, details={"transcript": "it grew"}))])
    return made


def with_model_name(made: Results, name: str, folder: str) -> Results:
    """The same run of another model."""
    return replace(
        made, folder=Path(folder), run=run_file(name).model_copy(update={"conditions": made.run.conditions})
    )


def names(n: int) -> list[str]:
    return [f"i{place:03d}" for place in range(n)]


def some(n: int, right: int) -> dict[str, float | str]:
    """The first ``right`` of n items right."""
    return {name: 1.0 if place < right else -1.0 for place, name in enumerate(names(n))}
