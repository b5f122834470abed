"""What goes between a run and its workers arrives as it was sent, and is never more than data."""

import json
from pathlib import Path

import numpy as np
import pytest

from speechzoo import (
    AudioClip,
    ContinuationScore,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    assistant,
    raw,
    system,
    user,
)
from speechzoo.asks import Answer, Ask, MultiScoreAsk, ask_digest, replies_of
from speechzoo.audio import silence
from speechzoo.dialogue import clips_of
from speechzoo.recipe import Recipe
from speechzoo.run.wire import (
    answer_from_json,
    answer_to_json,
    ask_from_json,
    ask_to_json,
    content_from_json,
    content_to_json,
)

CLIP = AudioClip.from_bytes(silence(0.2).encoded(), transcript="nothing \N{BLACK STAR}", language="zh")
SCORE = ScoreAsk(raw("a \N{BLACK STAR}\n", CLIP), (" b", CLIP), chat=True)


def asks(folder: Path) -> list[Ask]:
    path = folder / "clip.flac"
    path.write_bytes(CLIP.encoded())
    kept = AudioClip.from_file(path, transcript="kept")
    return [
        SCORE,
        MultiScoreAsk((SCORE, ScoreAsk((), (" c",)))),
        ReplyAsk((system("s"), user("u", kept), assistant(CLIP), user("v")), speech=True, max_tokens=7),
        DialogueAsk((user(kept), user("w")), (system("s"),), speech=True, max_tokens=9, history="speech"),
    ]


def sent(message: object) -> dict[str, object]:
    told: dict[str, object] = json.loads(json.dumps(message))
    return told


def test_asks_arrive_as_they_were_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a model in an environment of its own is asked something else than its rival beside it."""
    for ask in asks(tmp_path):
        arrived = ask_from_json(sent(ask_to_json(ask)))
        assert type(arrived) is type(ask)
        assert ask_digest(arrived) == ask_digest(ask)
    reply, there = asks(tmp_path)[2], ask_from_json(sent(ask_to_json(asks(tmp_path)[2])))
    assert isinstance(reply, ReplyAsk) and isinstance(there, ReplyAsk)
    assert (there.speech, there.max_tokens, [m.role for m in there.dialogue]) == (
        True,
        7,
        ["system", "user", "assistant", "user"],
    )
    told = [(clip.data, clip.transcript, clip.language) for clip in clips_of(reply.dialogue)]
    assert [(clip.data, clip.transcript, clip.language) for clip in clips_of(there.dialogue)] == told
    # A worker may be somewhere else.
    monkeypatch.chdir(tmp_path)
    (near,) = clips_of(
        ask_from_json(sent(ask_to_json(ReplyAsk((user(AudioClip.from_file("clip.flac")),))))).dialogue  # type: ignore[union-attr]
    )
    assert near.data == tmp_path / "clip.flac"


ANSWERS: list[Answer | Failure] = [
    ScoreAnswer(
        (ContinuationScore(-1 / 3, 2, 5), ContinuationScore(-1e-300, 1)), "heard", {"score": 0.1}, means=True
    ),
    ReplyAnswer("text \N{BLACK STAR}", None, True, None, {"a": 1.5}, {"model": "m", "input_tokens": 3}),
    DialogueAnswer((ReplyAnswer(None), Failure("too_long", "why"))),
    Failure("model_error", "line\nline"),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_answers_arrive_to_the_last_bit(answer: Answer | Failure) -> None:
    """Otherwise: scores of two environments differ because of the way they came."""
    assert answer_from_json(sent(answer_to_json(answer, content_to_json)), content_from_json) == answer


def test_speech_comes_with_its_content(tmp_path: Path) -> None:
    """Otherwise: a spoken reply is lost with the folder that its worker kept it in."""
    path = tmp_path / "reply.flac"
    path.write_bytes(CLIP.encoded())
    answer = DialogueAnswer((ReplyAnswer("t", AudioClip.from_file(path)), Failure("no_speech")))
    told = sent(answer_to_json(answer, content_to_json))
    path.unlink()
    (reply,) = replies_of(answer_from_json(told, content_from_json))
    assert reply.clip is not None and reply.clip.digest == CLIP.digest


def test_numbers_of_other_libraries_can_be_sent() -> None:
    """Otherwise: every worker of an adapter that returns numpy's floats is lost."""
    score = ContinuationScore(np.float32(-0.5), np.int64(2))  # type: ignore[arg-type]
    told = sent(answer_to_json(ScoreAnswer((score,), timings={"a": np.float64(1.0)}), content_to_json))
    arrived = answer_from_json(told, content_from_json)
    assert arrived == ScoreAnswer((ContinuationScore(-0.5, 2),), timings={"a": 1.0})


def test_a_worker_cannot_name_a_file_of_ours(tmp_path: Path) -> None:
    """Otherwise: code of a checkpoint has the run read any file of its user into a report."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    told = sent(answer_to_json(ReplyAnswer("t", CLIP), content_to_json))
    told["clip"] = {"path": str(secret), "transcript": None, "language": None}
    with pytest.raises(KeyError, match="content"):
        answer_from_json(told, content_from_json)


def test_recipes_arrive_as_they_were_sent(tmp_path: Path) -> None:
    """Otherwise: a worker makes its model with other parameters than the run records."""
    part = Recipe("ear", "ears:Ear", {"beams": 5, "warm": 0.1, "fast": True, "language": "no"}, tmp_path)
    whole = Recipe("chain", "chains:Chain", {}, None, {"ear": part}, remote_code=True)
    assert Recipe.from_json(sent(whole.to_json())) == whole
