"""From text items to a folder of spoken ones."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from speechzoo import AudioClip, Failure, ItemError, SpeechzooError
from speechzoo.catalogue import Catalogue
from speechzoo.channel import Channel, through
from speechzoo.loading import Component
from speechzoo.run.describe import digest
from speechzoo.run.progress import Progress
from speechzoo.specs import JsonObject

from speechzoo_synth.folder import Folder
from speechzoo_synth.gate import AS_IT_IS, Gate, Recording, record, ways_of
from speechzoo_synth.items import Fields, TextItem
from speechzoo_synth.orders import Assign, Order, assigned, draw
from speechzoo_synth.reading import read_aloud, unspeakable
from speechzoo_synth.sources import Source

UNINTELLIGIBLE = "unintelligible"
UNHEARD = "unheard through the channel"
PACKAGES = ("speechzoo-synth", "speechzoo", "num2words")

LeftOut = dict[str, str]
"""Id, reason and stage of what is not spoken: ``text`` for good, ``speech`` until another try."""


@dataclass(frozen=True)
class Settings:
    """What decides a data set besides its source and who speaks and listens.

    Attributes:
        voices: by name.
        channels: what befalls the clips.
        assign: voices and channels in ``turn``, or ``each`` for every item.
        read_options: lettered options are spoken after the question.
        language: of all texts, ISO 639-1.
        longest: seconds that a text may take, by estimate.
        limit: so many items, drawn by the seed; None for all.
        seed: of every choice.
        gate: the highest word error rate that is not made again.
        licence: of the texts.
        fields: of the source.
    """

    voices: tuple[str, ...]
    channels: tuple[Channel, ...]
    assign: Assign
    read_options: bool
    language: str
    longest: float
    limit: int | None
    seed: int
    gate: float
    licence: str
    fields: Fields


@dataclass(frozen=True)
class Plan:
    """What is to be spoken, and what cannot be.

    Attributes:
        documents: that were drawn.
        orders: one for each clip.
        left_out: with the reasons.
    """

    documents: int
    orders: Sequence[Order]
    left_out: Sequence[LeftOut]


def plan(items: Sequence[TextItem], settings: Settings) -> Plan:
    """Which items are spoken, how they are read, by which voice and through which channel.

    Raises:
        SpeechzooError: two clips would have one id.
    """
    drawn = draw(items, settings.limit, settings.seed)
    written = {item.id: item.with_options() if settings.read_options else item.question for item in drawn}
    reasons = {name: unspeakable(text, settings.language, settings.longest) for name, text in written.items()}
    speakable = [item for item in drawn if reasons[item.id] is None]
    choices = assigned(speakable, settings.voices, settings.channels, settings.assign, settings.seed)
    orders = [
        Order(name, item, written[item.id], read_aloud(written[item.id], settings.language), voice, channel)
        for name, item, voice, channel in choices
    ]
    left_out = [{"id": name, "reason": why, "stage": "text"} for name, why in reasons.items() if why]
    return Plan(len(drawn), orders, left_out)


def describe(
    source: Source, plan: Plan, settings: Settings, catalogue: Catalogue, transcriber: Component
) -> dict[str, Any]:
    """What a manifest says before anything is spoken; equal descriptions mean equal data sets."""
    own = asdict(settings)
    own |= {
        "voices": list(settings.voices),
        "channels": [channel.values for channel in settings.channels],
        "fields": {**own["fields"], "attributes": list(settings.fields.attributes)},
        "transcriber": transcriber.identity(),
        # The rules of reading, measuring and channels are their code.
        "packages": {name: version(name) for name in PACKAGES},
    }
    licence = own.pop("licence")
    return {
        "source": {
            **source.about,
            "items": len(source.items),
            "licence": licence,
            "spoken_sha256": digest([[order.id, order.spoken] for order in plan.orders]),
        },
        "settings": own,
        "voices": {name: _about(catalogue.service(name)) for name in settings.voices},
        "chosen_by": (
            f"Of up to five ways of saying a text, {transcriber.name} chose the one that it understood best, "
            "and flagged what it understood in none: a model that hears with it is favoured."
        ),
    }


def _about(voice: Component) -> JsonObject:
    entry = voice.entry
    return {
        "licence": entry.licence if entry else "unknown",
        "summary": entry.summary if entry else voice.spec.summary,
        "identity": voice.identity(),
    }


def synthesise(
    plan: Plan,
    settings: Settings,
    catalogue: Catalogue,
    gate: Gate,
    folder: Folder,
    about: Mapping[str, Any],
    progress: Progress,
) -> JsonObject:
    """Speaks what can be spoken, writes the folder and returns its manifest.

    What was spoken and heard before is kept beside the fetched files, so that a try which was killed is
    taken up where it was.

    Raises:
        SpeechzooError: nothing could be spoken.
        SetupError: voice or transcriber cannot be loaded.
        StoreError: the folder or the cache cannot be written.
    """
    orders, left_out = plan.orders, list(plan.left_out)
    recordings = _recordings(orders, settings.voices, catalogue, gate, progress)
    audio = _audio(orders, recordings, settings.seed, folder, progress)
    heard = _heard_through_channels(orders, audio, gate, progress)
    rows: list[JsonObject] = []
    for order in orders:
        row = _row(order, recordings[order.voice, order.spoken], audio[order.id], heard.get(order.id), gate)
        if isinstance(row, Failure):
            told = {"reason": row.reason, "stage": "speech", "detail": row.detail}
            left_out.append({"id": order.id, **told})
        else:
            rows.append(row)
    if not rows:
        raise SpeechzooError(f"nothing could be spoken: {told_reasons(left_out)}")
    counts = {"documents": plan.documents, **_counts(rows, left_out, folder), **_first_takes(recordings)}
    return folder.finish(rows, {**about, "counts": counts, "left_out": left_out})


def told_reasons(left_out: Sequence[LeftOut]) -> str:
    """How many were left out for what, the most frequent first."""
    reasons = Counter(one["reason"] for one in left_out).most_common()
    return ", ".join(f"{count} {reason}" for reason, count in reasons)


Recordings = Mapping[tuple[str, str], Recording | Failure]
"""By voice and text."""


def _recordings(
    orders: Sequence[Order], voices: Sequence[str], catalogue: Catalogue, gate: Gate, progress: Progress
) -> Recordings:
    found: dict[tuple[str, str], Recording | Failure] = {}
    for voice in voices:
        texts = [order.spoken for order in orders if order.voice == voice]
        made = record(ways_of(catalogue, voice), texts, gate, progress)
        found |= {(voice, text): recording for text, recording in made.items()}
    return found


def _audio(
    orders: Sequence[Order], recordings: Recordings, seed: int, folder: Folder, progress: Progress
) -> dict[str, AudioClip | Failure]:
    """The clip that each order delivers, on disk."""
    audio: dict[str, AudioClip | Failure] = {}
    progress.stage("writing", len(orders), 0)
    for order in orders:
        made = recordings[order.voice, order.spoken]
        try:
            audio[order.id] = (
                made if isinstance(made, Failure) else folder.add(through(made.clip, order.channel, seed))
            )
        except ItemError as error:
            audio[order.id] = Failure(error.reason, error.detail)
        progress.advance(1)
    return audio


def _heard_through_channels(
    orders: Sequence[Order], audio: Mapping[str, AudioClip | Failure], gate: Gate, progress: Progress
) -> dict[str, str | Failure]:
    """What is heard in the clips that went through a channel, by the orders' ids."""
    clips = {
        order.id: clip
        for order in orders
        if order.channel.values and isinstance(clip := audio[order.id], AudioClip)
    }
    return dict(zip(clips, gate.heard(list(clips.values()), progress), strict=True)) if clips else {}


def _row(
    order: Order,
    made: Recording | Failure,
    clip: AudioClip | Failure,
    through_channel: str | Failure | None,
    gate: Gate,
) -> JsonObject | Failure:
    if isinstance(made, Failure):
        return made
    if isinstance(clip, Failure):
        return clip
    row: JsonObject = {
        "id": order.id,
        "question": order.written,
        "spoken": order.spoken,
        "audio": f"audio/{clip.digest}.flac",
        "voice": order.voice,
        "wer": round(made.wer, 4),
    }
    if order.channel.values:
        # What the channel made of a good clip is a finding; without a rate it is one nobody measured.
        told = through_channel if isinstance(through_channel, str) else None
        rate = None if told is None else round(gate.wer(order.spoken, told), 4)
        row |= {"channel": str(order.channel), "channel_wer": rate}
    item = order.item
    gold: JsonObject = {"options": list(item.options), "correct": item.correct} if item.options else {}
    gold |= {"answers": list(item.answers)} if item.answers else {}
    remade = [f"made again {made.way}"] if made.way != AS_IT_IS else []
    unheard = [UNHEARD] if isinstance(through_channel, Failure) else []
    flags = [*remade, *([UNINTELLIGIBLE] if made.wer > gate.limit else []), *unheard]
    language = {"language": gate.language} if gate.language != "en" else {}
    attributes = {"attributes": dict(item.attributes)} if item.attributes else {}
    return {**row, **gold, **language, **attributes, **({"flags": flags} if flags else {})}


def _counts(rows: Sequence[JsonObject], left_out: Sequence[LeftOut], folder: Folder) -> JsonObject:
    rates = [row["wer"] for row in rows]
    seconds = sum(AudioClip.from_file(folder.path / row["audio"]).seconds for row in rows)
    flags = [flag for row in rows for flag in row.get("flags", [])]
    return {
        "items": len(rows),
        "made_again": sum(flag not in (UNINTELLIGIBLE, UNHEARD) for flag in flags),
        "unintelligible": flags.count(UNINTELLIGIBLE),
        "unheard_through_channel": flags.count(UNHEARD),
        "without_gold": sum("answers" not in row and "options" not in row for row in rows),
        "left_out": len(left_out),
        "seconds": round(seconds, 1),
        "wer_mean": round(statistics.fmean(rates), 4),
        "wer_median": round(statistics.median(rates), 4),
        "wer_highest": max(rates),
        "understood_exactly": sum(rate == 0 for rate in rates),
    }


def _first_takes(recordings: Recordings) -> JsonObject:
    """How well texts were understood before anything was chosen by it."""
    made = [one for one in recordings.values() if isinstance(one, Recording)]
    rates = [one.first_wer for one in made if one.first_wer is not None]
    return {"first_take_wer_mean": round(statistics.fmean(rates), 4) if rates else None}
