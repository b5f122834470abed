"""The plan: stable, complete, packed to a budget, honest about what cannot be asked."""

import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo import AudioClip, Capability, Condition, Item, ItemError, ReplyAsk, ScoreAsk, raw, user
from speechzoo.asks import DialogueAsk, MultiScoreAsk, continuations_of, dialogue_of
from speechzoo.dialogue import clips_of
from speechzoo.errors import SpeechzooError
from speechzoo.run.plan import Plan, Work, ask_all, choose_items, clips_in_memory, lacking, make_plan, pack
from speechzoo.run.records import Key, Role, RunItem
from speechzoo.task import Metric


class Sums:
    """Twelve items; under speech each has a clip, some of them broken."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy"),)

    def __init__(self, clips: list[Path]) -> None:
        self._clips = clips

    def items(self) -> list[Item]:
        return [Item(f"i{n}", {"n": n}) for n in range(len(self._clips))]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        part = AudioClip.from_file(self._clips[item.data["n"]]) if condition.speech_in else item.id
        return ScoreAsk(raw("context ", part), (" a", " b"))

    def grade(self, item: Item, condition: Condition, answer: object) -> object:
        raise AssertionError("planning grades nothing")


def plan_of(task: Sums) -> Plan:
    items = task.items()
    return make_plan(
        ask_all(task, items, task.conditions), items, {"model": task.conditions}, seed=0, priors=["model"]
    )


def shown_by(plan: Plan) -> list[RunItem]:
    return list(plan.shown(lambda work: work.digest))


@pytest.fixture
def sums(tmp_path: Path) -> Sums:
    from speechzoo_instrument_parts import tone

    paths = []
    for n in range(12):
        path = tmp_path / f"{n}.flac"
        path.write_bytes(tone(n / 12).encoded() if n != 3 else b"<html>not found</html>")
        paths.append(path)
    return Sums(paths)


def test_a_broken_clip_costs_its_item_and_no_other(instrument: object, sums: Sums) -> None:
    """Otherwise: one bad file stops a run of thousands, or is scored as silence."""
    plan = plan_of(sums)
    failure = plan.failures[Key(role="model", item="i3", condition=Condition.S2T)]
    assert failure.reason == "not_audio" and "3.flac" in failure.detail and "HTML" in failure.detail
    asked = Counter((w.key.condition, w.key.variant) for w in plan.works)
    assert asked[Condition.T2T, ""] == 12 and asked[Condition.S2T, ""] == 11
    assert shown_by(plan)[3].failures == {Condition.S2T: (failure.reason, failure.detail)}


def test_the_probe_asks_with_silence_and_with_anothers_audio(instrument: object, sums: Sums) -> None:
    """Otherwise: a model that never hears the audio gets a number all the same."""
    plan = plan_of(sums)
    clip_of = {
        (w.key.item, w.key.variant): clips_of(dialogue_of(w.ask))[0]
        for w in plan.works
        if w.key.condition == Condition.S2T and w.key.variant != "prior"
    }
    own = {item: clip.digest for (item, variant), clip in clip_of.items() if variant == ""}
    swapped = {item: clip.digest for (item, variant), clip in clip_of.items() if variant == "swapped"}
    assert len(swapped) == 11
    assert all(digest != own[item] and digest in own.values() for item, digest in swapped.items())
    silent = [clip for (_, variant), clip in clip_of.items() if variant == "silence"]
    assert len(silent) == 11 and all(not clip.samples().any() for clip in silent)


def test_the_prior_has_no_context(instrument: object, sums: Sums) -> None:
    """Otherwise: nobody sees that the endings alone give the answers away."""
    priors = [w for w in plan_of(sums).works if w.key.variant == "prior"]
    # Under speech there is none for the item that cannot be asked there.
    assert Counter(w.key.condition for w in priors) == {Condition.T2T: 12, Condition.S2T: 11}
    assert all(w.ask == ScoreAsk((), (" a", " b")) for w in priors)


def test_every_system_that_can_has_a_prior_of_its_own(instrument: object, sums: Sums) -> None:
    """Otherwise: a score corrected for the endings' own likelihood cannot be had of the base or a rival."""
    items = sums.items()
    asks = ask_all(sums, items, sums.conditions)
    systems: dict[Role, tuple[Condition, ...]] = {
        "model": sums.conditions, "base": (Condition.T2T,), "rival": sums.conditions
    }  # fmt: skip
    plan = make_plan(asks, items, systems, seed=0, priors=["base", "rival"])
    priors = Counter((w.key.role, w.key.condition) for w in plan.works if w.key.variant == "prior")
    assert priors == {("base", "t2t"): 12, ("rival", "t2t"): 12, ("rival", "s2t"): 11}


def test_items_that_share_a_recording_are_not_swapped_with_it(instrument: object, tmp_path: Path) -> None:
    """Otherwise: a model that hears well is told that the audio does not reach it."""
    from speechzoo_instrument_parts import tone

    for name in ("one", "two", "three"):
        (tmp_path / name).write_bytes(tone(0.9 if name == "three" else 0.1).encoded())
    task = Sums([tmp_path / "one", tmp_path / "two", tmp_path / "three"])
    plan = plan_of(task)
    clips = {
        (w.key.item, w.key.variant): clips_of(dialogue_of(w.ask))
        for w in plan.works
        if w.key.condition == Condition.S2T
    }
    swapped = {item: own[0] for (item, variant), own in clips.items() if variant == "swapped"}
    assert set(swapped) == {"i0", "i1", "i2"}
    assert all(clip.digest != clips[item, ""][0].digest for item, clip in swapped.items())


class SpokenEnds:
    """Six items with two spoken endings each, each after a recording of its own."""

    version = "1"
    conditions = (Condition.S2T,)
    metrics = (Metric("accuracy"),)

    def __init__(self, broken: Path | None = None) -> None:
        self._broken = broken

    def items(self) -> list[Item]:
        return [Item(f"i{n}", {"n": n}) for n in range(6)]

    def ask(self, item: Item, condition: Condition) -> MultiScoreAsk:
        from speechzoo_instrument_parts import tone

        pitches = [item.data["n"] / 12, item.data["n"] / 12 + 0.5]
        starts: list[AudioClip] = [tone(pitch) for pitch in pitches]
        ends: list[AudioClip] = [tone(pitch, seconds=0.4) for pitch in pitches]
        if self._broken is not None and item.id == "i2":
            ends[1] = AudioClip.from_file(self._broken)
        return MultiScoreAsk(tuple(ScoreAsk(raw("so: ", a), (b,)) for a, b in zip(starts, ends, strict=True)))

    def grade(self, item: Item, condition: Condition, answer: object) -> object:
        raise AssertionError("planning grades nothing")


def plan_of_speech(task: SpokenEnds) -> Plan:
    items = task.items()
    return make_plan(
        ask_all(task, items, task.conditions), items, {"model": task.conditions}, seed=0, priors=["model"]
    )


def test_spoken_endings_are_counted_kept_and_shown(instrument: object) -> None:
    """Otherwise: a batch of scored speech does not fit the card, and a report cannot play the endings."""
    plan = plan_of_speech(SpokenEnds())
    (work,) = (w for w in plan.works if w.key.item == "i1" and not w.key.variant)
    ends = [clip for clip in continuations_of(work.ask) if isinstance(clip, AudioClip)]
    # 2 x 4 characters are 2 tokens; 2 x 0.3 s and 2 x 0.4 s at 12.5 tokens a second are 17.
    assert work.cost == 2 + 17 and len(ends) == 2
    kept = {clip.digest for clip in clips_in_memory(plan)}
    assert {clip.digest for clip in ends} < kept and len(kept) == 6 * 4
    shown = shown_by(plan)[1].asks[Condition.S2T]
    assert shown.spoken_continuations == tuple(f"audio/{clip.digest}.flac" for clip in ends)
    assert shown.continuations == ("a tone", "a tone") and len(shown.clips) == 2


class Lengths(SpokenEnds):
    """One item of two contexts, or one of two clips that are both heard."""

    def items(self) -> list[Item]:
        return [Item("contexts", {}), Item("score", {}), Item("reply", {})]

    def ask(self, item: Item, condition: Condition) -> MultiScoreAsk | ScoreAsk | ReplyAsk:  # type: ignore[override]
        from speechzoo_instrument_parts import tone

        short, long = tone(0.1, seconds=0.5), tone(0.2, seconds=0.75)
        if item.id == "contexts":
            return MultiScoreAsk((ScoreAsk(raw(short), (" a",)), ScoreAsk(raw(long), (" b",))))
        return ScoreAsk(raw(short, long), (" a",)) if item.id == "score" else ReplyAsk((user(short, long),))


def test_an_item_is_as_long_as_what_is_heard_at_once(instrument: object) -> None:
    """Otherwise: two renderings of one story count as a story of twice the length."""
    shown = {item.id: item.asks[Condition.S2T].seconds for item in shown_by(plan_of_speech(Lengths()))}
    assert shown == {"contexts": 0.75, "score": 1.25, "reply": 1.25}


class Talks(SpokenEnds):
    """A dialogue of two turns."""

    def ask(self, item: Item, condition: Condition) -> DialogueAsk:  # type: ignore[override]
        return DialogueAsk((user("Slowly, please."), user("Now fast.")))


def test_turns_are_shown_apart() -> None:
    """Otherwise: a report runs what a user says in two turns together to one sentence."""
    assert shown_by(plan_of_speech(Talks()))[0].asks[Condition.S2T].text == "Slowly, please.\n\nNow fast."


def test_a_broken_ending_is_found_before_a_model_is_loaded(instrument: object, tmp_path: Path) -> None:
    """Otherwise: an ending that is no audio costs a night before it is noticed."""
    (tmp_path / "end.flac").write_text("version https://git-lfs.github.com/spec/v1")
    plan = plan_of_speech(SpokenEnds(tmp_path / "end.flac"))
    (failure,) = plan.failures.values()
    assert failure.reason == "not_audio" and "end.flac" in failure.detail and "git-lfs" in failure.detail
    assert {w.key.item for w in plan.works} == {"i0", "i1", "i3", "i4", "i5"}


def test_every_context_of_a_pair_is_silenced_and_swapped(instrument: object) -> None:
    """Otherwise: the probe leaves one context of a pair audible, and a deaf model seems to hear."""
    plan = plan_of_speech(SpokenEnds())
    asks = {(w.key.item, w.key.variant): w.ask for w in plan.works}
    for n in range(6):
        own = asks[f"i{n}", ""]
        silent, swapped = asks[f"i{n}", "silence"], asks[f"i{n}", "swapped"]
        assert all(not clip.samples().any() for clip in clips_of(dialogue_of(silent)))
        heard = {clip.digest for clip in clips_of(dialogue_of(own))}
        assert heard.isdisjoint(clip.digest for clip in clips_of(dialogue_of(swapped)))
        assert continuations_of(silent) == continuations_of(swapped) == continuations_of(own)
        assert asks[f"i{n}", "prior"] == ScoreAsk((), continuations_of(own))


class Stubborn(Sums):
    """Raises for some items, in ways a task may."""

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        if item.id == "i0":
            raise ItemError("no_text", "nothing to ask")
        if item.id == "i1":
            raise KeyError("text")
        return super().ask(item, condition)


def test_an_item_that_cannot_be_asked_fails_alone_also_the_first(instrument: object, sums: Sums) -> None:
    """Otherwise: one bad row at the head of the data stops the run with a traceback."""
    task = Stubborn(sums._clips)
    plan = plan_of(task)
    reasons = {key.item: failure.reason for key, failure in plan.failures.items() if key.condition == "t2t"}
    assert reasons == {"i0": "no_text", "i1": "ask_error"}
    assert sum(w.key.condition == Condition.T2T and not w.key.variant for w in plan.works) == 10


def test_capabilities_are_asked_of_every_item(instrument: object, sums: Sums) -> None:
    """Otherwise: a model is given what it cannot do from the second item on, and is graded on it."""
    items = sums.items()
    asks = ask_all(sums, items, sums.conditions)
    able = {Capability.TEXT_IN, Capability.SCORE_UNDER_TEXT}
    assert lacking(asks, Condition.T2T, able) == set()
    assert lacking(asks, Condition.S2T, able) == {Capability.AUDIO_IN, Capability.SCORE_UNDER_AUDIO}


def test_clips_from_memory_are_found_to_be_kept(instrument: object, sums: Sums) -> None:
    """Otherwise: a report cannot play what was asked."""
    from speechzoo_instrument_parts import Arithmetic

    task = Arithmetic(None, count=3, poison=-1, penalty=0.0, wording="is")
    items = list(task.items())
    plan = make_plan(
        ask_all(task, items, [Condition.S2T]), items, {"model": [Condition.S2T]}, seed=0, priors=["model"]
    )
    kept = {clip.digest for clip in clips_in_memory(plan)}
    shown = {path for item in shown_by(plan) for path in item.asks[Condition.S2T].clips}
    assert shown == {f"audio/{digest}.flac" for digest in kept} and len(shown) == 3


@pytest.mark.parametrize(
    "item",
    [Item(7, {}), Item("", {}), Item("a\ud800", {}), Item("x", {}, None), Item("x", {}, {"n": float("nan")})],
)
def test_a_malformed_item_is_named(item: Item) -> None:
    """Otherwise: a task's slip ends a run with a traceback after the model has answered."""
    with pytest.raises(SpeechzooError, match="item"):
        choose_items([item], None, seed=0)


def test_a_sample_grows_with_its_limit() -> None:
    """Otherwise: raising --limit throws away what was computed."""
    items = [Item(str(n), {}) for n in range(100)]
    ten, fifty = choose_items(items, 10, seed=1), choose_items(items, 50, seed=1)
    assert len(ten) == 10 and {i.id for i in ten} < {i.id for i in fifty}
    assert [i.id for i in fifty] == sorted((i.id for i in fifty), key=int)
    assert {i.id for i in choose_items(items, 10, seed=2)} != {i.id for i in ten}


def test_duplicate_ids_are_refused() -> None:
    """Otherwise: two items share one answer."""
    with pytest.raises(SpeechzooError, match="'x'"):
        choose_items([Item("x", {}), Item("y", {}), Item("x", {})], None, seed=0)


def work(number: int, *, context: str, cost: int) -> Work:
    key = Key(role="model", item=str(number), condition=Condition.T2T)
    return Work(key, ScoreAsk(raw("x"), ("y",)), digest=str(number), context=context, cost=cost)


def total(works: list[Work]) -> int:
    return sum(work.cost for work in works)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 50)), min_size=1, max_size=40),
    st.integers(1, 120),
)
def test_packing_loses_nothing_and_keeps_contexts_together(
    shapes: list[tuple[int, int]], budget: int
) -> None:
    """Otherwise: asks vanish between plan and worker, or one audio is encoded twice."""
    works = [work(n, context=str(context), cost=cost) for n, (context, cost) in enumerate(shapes)]
    batches = pack(works, budget)
    assert sorted(w.digest for b in batches for w in b) == sorted(w.digest for w in works)
    assert all(total(batch) <= budget or len(batch) == 1 for batch in batches)
    for context in {w.context for w in works}:
        homes = [batch for batch in batches if any(w.context == context for w in batch)]
        whole = total([w for w in works if w.context == context])
        # Two pieces of one context that follow each other would not have fitted into one batch.
        assert len(homes) == 1 if whole <= budget else len(homes) <= 2 * whole // budget + 1


def test_thousands_of_asks_without_a_context_are_many_batches() -> None:
    """Otherwise: all asks for a prior are one batch, which outlasts its time limit and is lost in a crash."""
    works = [work(n, context="none", cost=n % 40 + 1) for n in range(5_000)]
    batches = pack([*works, work(-1, context="long", cost=3_000)], 2_048)
    assert [w.digest for w in batches[0]] == ["-1"]
    assert all(total(batch) <= 2_048 for batch in batches[1:])
    assert len(batches) <= 1 + 1.1 * total(works) / 2_048
    sizes = [total(batch) for batch in batches]
    assert sizes == sorted(sizes, reverse=True)


def test_packing_a_large_run_takes_no_time() -> None:
    """Otherwise: a run of a hundred thousand asks starts with minutes of waiting."""
    works = [work(n, context="none" if n % 2 else str(n // 6), cost=n % 40 + 1) for n in range(100_000)]
    began = time.process_time()
    pack(works, 2_048)
    assert time.process_time() - began < 5
