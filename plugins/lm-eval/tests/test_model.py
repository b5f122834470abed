"""A speechzoo model as a model of lm-eval."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lm_eval.api.instance import Instance
from speechzoo import SpeechzooError

from speechzoo_lm_eval import SpeechzooLM, register, speaking

SPEECH = {"mode": "speech", "voice": "toy-voice"}


def seen(log):
    """What the toy read, with what it heard in angle brackets, ask by ask."""
    return [line[1:-1].encode().decode("unicode_escape") for line in log.read_text().splitlines()]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def toy_lm(log):
    def make(**arguments):
        return SpeechzooLM(model="toy", **{"set.log": str(log), **arguments})

    return make


def test_both_modes_answer_through_lm_eval(toy_lm, choice, open_task, evaluated):
    """Otherwise no task of lm-eval could be run at all."""
    for lm in (toy_lm(), toy_lm(**SPEECH)):
        found = evaluated(lm, choice(), open_task(), apply_chat_template=True)
        assert found["results"]["colours"]["acc,none"] == 1.0
        assert found["results"]["open_colours"]["exact_match,none"] == 1.0


def test_a_model_that_does_not_hear_loses_in_speech_mode_alone(toy_lm, choice, evaluated):
    """Otherwise speech mode would let the model read, and every gap would be zero."""
    text, speech = toy_lm(**{"set.deaf": True}), toy_lm(**{"set.deaf": True}, **SPEECH)
    scores = [
        evaluated(lm, choice(), apply_chat_template=True)["results"]["colours"]["acc,none"]
        for lm in (text, speech)
    ]
    assert scores == [1.0, 0.25]


def test_one_ask_holds_all_options_of_a_document(toy_lm, choice, evaluated, log):
    """Otherwise the audio would be encoded again for each option."""
    evaluated(toy_lm(**SPEECH), choice(), apply_chat_template=True)
    assert len(seen(log)) == 4


@pytest.mark.parametrize(
    ("spoken", "told"),
    [
        ("last_user", "BE BRIEF.Q grass.green.<Q snow>"),
        ("all_user", "BE BRIEF.<Q grass>.green.<Q snow>"),
        ("everything", "<BE BRIEF>.<Q grass>.<green>.<Q snow>"),
        ("field:thing", "BE BRIEF.Q grass.green.Q <snow>"),
    ],
)
def test_policies_speak_what_they_name(toy_lm, log, spoken, told):
    """Otherwise shots or instructions would be heard that should be read, and gaps be of something else."""
    lm = toy_lm(spoken=spoken, **SPEECH)
    messages = [("system", "BE BRIEF."), ("user", "Q grass."), ("assistant", "green."), ("user", "Q snow")]
    prompt = lm.apply_chat_template([{"role": role, "content": text} for role, text in messages])
    request = Instance("loglikelihood", {"thing": "snow"}, (prompt, "white"), 0, ("t", 0, 1))
    lm.loglikelihood([request])
    # How a pause is written is the reader's matter.
    assert seen(log)[0].replace(".", "") == told.replace(".", "")


def test_a_field_that_is_not_in_the_prompt_is_no_silent_text(toy_lm):
    """Otherwise a document would be read in speech mode and count as heard."""
    lm = toy_lm(spoken="field:thing", failures="mark", **SPEECH)
    prompt = lm.apply_chat_template([{"role": "user", "content": "Q"}])
    lm.loglikelihood([Instance("loglikelihood", {"thing": "snow"}, (prompt, "white"), 0, ("t", 0, 1))])
    assert dict(lm.failures()) == {"field_not_found": 1}


def test_shots_stay_turns(toy_lm, choice, evaluated, log):
    """Otherwise examples would be spoken together with the question."""
    evaluated(toy_lm(**SPEECH), choice(), apply_chat_template=True, fewshot_as_multiturn=True, num_fewshot=1)
    assert all(one.count("<") == 1 and one.count("Question") == 2 for one in seen(log))


def test_speech_without_turns_is_refused(toy_lm, choice, evaluated):
    """Otherwise a prompt without a chat template would be read though speech was asked for."""
    with pytest.raises(SpeechzooError, match="--apply_chat_template"):
        evaluated(toy_lm(**SPEECH), choice())


@pytest.mark.parametrize("mode", [{}, {**SPEECH, "spoken": "everything"}])
def test_white_space_at_a_prompts_end_belongs_to_the_continuation(toy_lm, log, mode):
    """Otherwise continuations would be split otherwise in one mode than in the other, or than by lm-eval."""
    lm = toy_lm(**mode)
    [(value, greedy)] = lm.loglikelihood(
        [Instance("loglikelihood", {}, ("snow is ", "white"), 0, ("t", 0, 1))]
    )
    assert value == pytest.approx(-len(" white") / 10)
    assert greedy is False
    assert seen(log)[0].strip("<>") == "snow is"


def test_what_an_answer_begins_with_is_not_scored(toy_lm):
    """Otherwise gen_prefix would add the same nats to every option, and acc_norm be another's."""
    lm = toy_lm()
    prompt = lm.apply_chat_template(
        [{"role": "user", "content": "snow"}, {"role": "assistant", "content": "It is "}], False
    )
    request = Instance("loglikelihood", {}, (prompt, "white"), 0, ("t", 0, 1))
    # "It is white" has the colour, "It is" has not: their difference is what the toy makes of "white".
    assert lm.loglikelihood([request])[0][0] == pytest.approx(-len(" white") / 10 + 5)


def test_no_prompt_is_scored_without_audio(toy_lm, log):
    """Otherwise acc_mutual_info would fail in speech mode, or have silence for its prior."""
    lm = toy_lm(**SPEECH)
    [(value, _)] = lm.loglikelihood([Instance("loglikelihood", {}, ("", "white"), 0, ("t", 0, 1))])
    assert value == pytest.approx(-5.5)
    assert seen(log) == [""]


def test_stop_strings_and_limits_are_the_tasks(toy_lm, open_task, evaluated):
    """Otherwise replies would be graded with what a model says after its answer."""
    lm = toy_lm()
    rows = [{"question": "the long sky", "choices": ["blue"], "answer": 0}]
    stopped = evaluated(lm, open_task(rows=rows), apply_chat_template=True)
    [[exchange]] = lm.documents.values()
    assert stopped["samples"]["open_colours"][0]["resps"] == [["blue"]]
    assert (exchange.ask.max_tokens, exchange.answer.truncated) == (16, False)
    lm = toy_lm()
    evaluated(lm, open_task(rows=rows, generation_kwargs={"until": ["@"]}), apply_chat_template=True)
    [[exchange]] = lm.documents.values()
    assert (exchange.ask.max_tokens, exchange.answer.truncated) == (256, True)


def test_spoken_replies_are_transcribed(toy_lm, open_task, evaluated):
    """Otherwise the text beside a spoken reply would be graded, and speaking never cost anything."""
    lm = toy_lm(output="speech", transcriber="toy-ears")
    found = evaluated(lm, open_task(), apply_chat_template=True)
    assert [row["resps"] for row in found["samples"]["open_colours"]] == [[["blue"]]] * 4
    assert found["results"]["open_colours"]["exact_match,none"] == 0.25


def test_spoken_replies_are_heard_in_their_language(toy_lm, open_task, evaluated):
    """Otherwise German replies would be transcribed as English and speaking be blamed for it."""
    lm = toy_lm(output="speech", transcriber="toy-ears", language="de")
    found = evaluated(lm, open_task(), apply_chat_template=True)
    assert [row["resps"] for row in found["samples"]["open_colours"]] == [[["blau"]]] * 4


def test_what_cannot_be_asked_is_refused(toy_lm, choice, open_task, evaluated):
    """Otherwise lm-eval would print a figure for something that never was measured."""
    with pytest.raises(SpeechzooError, match="output=text"):
        evaluated(toy_lm(output="speech", transcriber="toy-ears"), choice(), apply_chat_template=True)
    with pytest.raises(SpeechzooError, match="gen_prefix"):
        evaluated(toy_lm(), open_task(gen_prefix="It is"), apply_chat_template=True)
    with pytest.raises(SpeechzooError, match="do_sample"):
        evaluated(toy_lm(), open_task(generation_kwargs={"until": ["."], "do_sample": True}))
    with pytest.raises(SpeechzooError, match="mode=speech"):
        toy_lm(**SPEECH).loglikelihood_rolling([])
    with pytest.raises(SpeechzooError, match=r"score-under-text.*answers=generated"):
        evaluated(SpeechzooLM(model="mute"), choice())
    with pytest.raises(SpeechzooError, match=r"spokn.*There are: model, mode"):
        SpeechzooLM(model="toy", spokn="everything")
    with pytest.raises(SpeechzooError, match="field:NAME"):
        SpeechzooLM(model="toy", spoken="nothing")


@pytest.mark.parametrize(
    ("prompt", "options", "told"),
    [
        (
            "What colour is snow?\nAnswer:",
            [" red", " white"],
            "What colour is snow?\nA. red\nB. white\nAnswer:",
        ),
        ("snow?\nA. red\nB. white\nAnswer:", [" A", " B"], "snow?\nA. red\nB. white\nAnswer:"),
    ],
)
def test_choices_can_be_told_from_replies(log, prompt, options, told):
    """Otherwise a model behind a server, which gives no likelihoods, could run no task of choices."""
    lm = SpeechzooLM(model="mute", answers="generated", **{"set.log": str(log)})
    requests = [Instance("loglikelihood", {}, (prompt, one), i, ("t", 0, 1)) for i, one in enumerate(options)]
    assert lm.loglikelihood(requests) == [(-math.inf, False), (0.0, False)]
    assert seen(log) == [told]


def test_options_are_heard_where_the_prompt_is(toy_lm, log):
    """Otherwise what is heard would be without its options, or a column be spoken with them."""
    prompt = "What colour is snow?"
    for spoken, told in (
        ("last_user", "<What colour is snow? A, red. B, white>"),
        ("field:thing", "What colour is <snow>?\nA. red\nB. white"),
    ):
        lm = toy_lm(answers="generated", spoken=spoken, **SPEECH)
        sealed = lm.apply_chat_template([{"role": "user", "content": prompt}])
        requests = [
            Instance("loglikelihood", {"thing": "snow"}, (sealed, one), i, ("t", 0, 1))
            for i, one in enumerate(["red", "white"])
        ]
        assert [value for value, _ in lm.loglikelihood(requests)] == [-math.inf, 0.0]
        assert seen(log)[-1] == told


def test_a_reply_that_names_no_option_is_an_outcome(toy_lm):
    """Otherwise the first option would be drawn where nothing was chosen."""
    lm = toy_lm(answers="generated", failures="mark")
    requests = [Instance("loglikelihood", {}, ("Hm?", one), i, ("t", 0, 1)) for i, one in enumerate("xy")]
    assert all(math.isnan(value) for value, _ in lm.loglikelihood(requests))
    assert dict(lm.failures()) == {"unparsed": 1}


def test_what_no_reply_can_tell_is_refused(toy_lm):
    """Otherwise a model would be given a score of one word that it was never asked for."""
    for arguments, told in (
        (("snow", "white"), "single continuation"),
        (("", "white"), "without their prompt"),
    ):
        with pytest.raises(SpeechzooError, match=told):
            toy_lm(answers="generated").loglikelihood(
                [Instance("loglikelihood", {}, arguments, 0, ("t", 0, 1))]
            )


def test_rolling_scores_a_text_by_itself(toy_lm):
    """Otherwise perplexity tasks could not be run on what the model reads."""
    request = Instance("loglikelihood_rolling", {}, ("green grass",), 0, ("t", 0, 1))
    assert toy_lm().loglikelihood_rolling([request]) == [pytest.approx(-6.1)]


def test_a_failed_ask_is_never_a_number(toy_lm, choice, evaluated):
    """Otherwise an error of the machine would be counted as a wrong answer, or by chance as a right one."""
    rows = [{"question": q, "choices": ["blue", "red"], "answer": 0} for q in ("sky?", "poison?")]
    with pytest.raises(SpeechzooError, match="1 overheated"):
        evaluated(toy_lm(**{"set.fault": "overheated"}), choice(rows=rows), apply_chat_template=True)
    lm = toy_lm(failures="mark", **{"set.fault": "overheated"})
    found = evaluated(lm, choice(rows=rows), apply_chat_template=True)
    assert math.isnan(found["samples"]["colours"][1]["resps"][0][0][0])
    assert found["config"]["speechzoo_documents_without_answer"] == {"overheated": 1}


def test_what_cannot_be_spoken_has_a_reason(toy_lm, choice, evaluated):
    """Otherwise a formula would be garbled by the voice and the loss be the voice's."""
    rows = [
        {"question": q, "choices": ["blue", "red"], "answer": 0} for q in ("the sky?", "$x^2$ in the sky?")
    ]
    lm = toy_lm(failures="mark", **SPEECH)
    evaluated(lm, choice(rows=rows), apply_chat_template=True)
    assert dict(lm.failures()) == {"unspeakable_formula": 1}


@pytest.mark.parametrize("form", ["path", "bytes", "array", "dictionary"])
def test_recordings_of_audio_tasks_are_heard(toy_lm, log, tmp_path, form):
    """Otherwise tasks that come with their own audio could not be run."""
    wave = (0.1 * np.sin(np.arange(8000))).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16_000)
    audio = {
        "path": str(tmp_path / "a.wav"),
        "bytes": (tmp_path / "a.wav").read_bytes(),
        "array": {"array": wave, "sampling_rate": 16_000},
        "dictionary": {"path": None, "bytes": (tmp_path / "a.wav").read_bytes()},
    }[form]
    lm = toy_lm(**SPEECH)
    arguments = ("Listen: <audio> What is it?", "snow", {"audio": [audio]})
    lm.loglikelihood([Instance("loglikelihood", {}, arguments, 0, ("t", 0, 1))])
    assert seen(log) == ["Listen: <None> What is it?"]
    [[exchange]] = lm.documents.values()
    [clip] = exchange.ask.context[0].clips
    assert clip.samples() == pytest.approx(wave, abs=1e-3)
    with pytest.raises(SpeechzooError, match="mode=text cannot read"):
        toy_lm().loglikelihood([Instance("loglikelihood", {}, arguments, 0, ("t", 0, 1))])


def test_lm_evals_cache_serves_this_model_alone(toy_lm, choice, evaluated, tmp_path, log):
    """Otherwise answers of text mode would be served for speech, and the gap be zero."""
    cache = str(tmp_path / "cache-of-lm-eval")
    options = {"use_cache": cache, "apply_chat_template": True}
    first = evaluated(toy_lm(), choice(), **options)
    asked = len(seen(log))
    assert evaluated(toy_lm(), choice(), **options)["results"] == first["results"]
    assert len(seen(log)) == asked
    with pytest.raises(SpeechzooError, match="name another"):
        evaluated(toy_lm(**SPEECH), choice(), **options)


def test_prompts_name_all_that_decides_an_answer(toy_lm):
    """Otherwise caches that know prompts alone would mix modes, policies and voices."""
    changes = [
        {},
        SPEECH,
        {**SPEECH, "spoken": "all_user"},
        {"set.deaf": True},
        {"seed": 1},
        {"language": "de"},
    ]
    prompts = [toy_lm(**one).apply_chat_template([{"role": "user", "content": "Q"}]) for one in changes]
    assert len(set(prompts)) == len(prompts)
    assert all("Q" in json.dumps(json.loads(prompt)["turns"]) for prompt in prompts)


def test_another_way_of_reading_aloud_is_another_prompt(toy_lm, monkeypatch):
    """Otherwise lm-eval's cache would serve answers to what was heard before a reading rule was mended."""
    before = [toy_lm().identity, toy_lm(**SPEECH).identity]
    monkeypatch.setattr(speaking, "version", lambda name: "99")
    assert toy_lm().identity == before[0]
    assert toy_lm(**SPEECH).identity != before[1]


def test_another_model_is_not_the_same_in_another_mode(toy_lm):
    """Otherwise answers of one seed or dtype would be filed under another."""
    with pytest.raises(SpeechzooError, match="another seed it is not the same model"):
        toy_lm().under(seed=1)


def test_lm_eval_makes_it_by_name(choice, evaluated):
    """Otherwise 'hf' or 'speechzoo' would be unknown in one process with the other."""
    from lm_eval.api.registry import get_model

    register()
    register()
    assert get_model("speechzoo") is SpeechzooLM
    assert get_model("dummy").__name__ == "DummyLM"
    arguments = {"model": "toy", "mode": "text"}
    found = evaluated(
        "speechzoo", choice(), model_args=arguments, batch_size="auto", apply_chat_template=True
    )
    assert found["results"]["colours"]["acc,none"] == 1.0


def test_answers_are_taken_up_from_the_record(choice, evaluated, log, tmp_path):
    """Otherwise a run that was stopped would ask everything again."""
    arguments = {"model": "toy", "set.log": str(log), "output": "speech", "transcriber": "toy-ears"}
    request = Instance("generate_until", {}, ("sky", {"until": ["\n"]}), 0, ("t", 0, 1))
    first = SpeechzooLM(record=tmp_path / "record", **arguments)
    assert first.generate_until([request]) == ["blue"]
    again = SpeechzooLM(record=tmp_path / "record", **arguments)
    assert again.generate_until([request]) == ["blue"]
    assert len(seen(log)) == 1
    [[exchange]] = again.documents.values()
    assert Path(exchange.answer.clip.data).is_relative_to(tmp_path / "record")
