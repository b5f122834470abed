"""Against all recorded outputs of the authors' code, loaded and asked as by a user.

SPEECHZOO_GOLDEN=FOLDER python -m pytest plugins/echox -m golden
"""

import json
import shutil
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from speechzoo_echox.audio_adapter import first_of_runs
from speechzoo_echox.decoding import decode, likeliest
from speechzoo_echox.echox import EchoX
from speechzoo_echox.whisper import Whisper

from speechzoo import AudioClip, Message, Setup, lm

pytestmark = pytest.mark.golden
CASES = ("audio_2s1", "audio_7s3", "text_only", "multi_turn", "two_audios")


def close(ours, recorded, tolerance) -> None:
    assert ours.shape == recorded.shape
    assert float((ours - recorded).abs().max()) <= tolerance


@pytest.fixture(scope="module")
def recorded(golden):
    return json.loads((golden / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tensors(golden):
    return {**load_file(golden / "golden.safetensors"), **load_file(golden / "common.safetensors")}


@pytest.fixture(scope="module")
def model(golden, tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    for path in (golden / "checkpoint" / "EchoX-8B").iterdir():
        shutil.copyfile(path, folder / path.name)
    packed = load_file(folder / "packed.safetensors")
    (folder / "packed.safetensors").unlink()
    whole = {name: tensor for name, tensor in packed.items() if ":" not in name}
    for name in (key.removeprefix("rows:") for key in packed if key.startswith("rows:")):
        rows = packed[f"rows:{name}"]
        whole[name] = torch.zeros(int(packed[f"full_rows:{name}"]), rows.shape[1])
        whole[name][packed[f"row_ids:{name}"].long()] = rows
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    ears = Setup("ears", golden / "checkpoint" / "whisper-large-v3")
    setup = Setup("golden", folder, parts={"whisper": lambda: Whisper(ears)})
    return EchoX(setup, answer_bos=False, max_unit_tokens=40)


def dialogue(golden, recorded, case):
    turns = recorded["inputs"][case]["prompt"][0]["conversations"]
    clips = [[AudioClip.from_file(golden / t["audio"])] if "audio" in t else [] for t in turns]
    return tuple(
        Message(t["from"], (*clip, *([t["value"]] if t["value"] else [])))
        for t, clip in zip(turns, clips, strict=True)
    )


@torch.inference_mode()
@pytest.mark.parametrize("case", CASES)
def test_everything_from_the_clip_to_the_speech(golden, recorded, tensors, model, case):
    """Any difference here is a difference from the published model, whatever it says."""
    told, llm, ears = recorded["inputs"][case], model._lm, model._lm.ears
    context = dialogue(golden, recorded, case)

    def saved(key):
        return tensors[f"{case}.{key}"]

    clips = [clip for message in context for clip in message.clips]
    for i, clip in enumerate(clips):
        log_mel = ears.log_mel(clip.samples(16_000))
        close(log_mel, tensors[told["log_mel"][i].split(":")[1]], 1e-4)
        encoded = ears.whisper.encode(log_mel)
        close(encoded, saved(f"tower_out.{i}"), 2e-5)
        frames = ears.adapter.adapted(encoded)
        close(frames, saved(f"adapter_out.{i}"), 2e-5)
        labels = ears.adapter.labels(frames)
        assert torch.equal(labels, saved(f"ctc_argmax.{i}"))
        assert torch.equal(first_of_runs(labels), saved(f"shrink_mask.{i}"))
        close(ears(log_mel), saved(f"lbm_out.{i}"), 2e-5)

    given = llm.embed_context(context, True, lm.hear(llm, [context]))
    seen = ~given.isinf().all(-1)
    assert torch.equal(seen, saved("expanded_attention_mask") if clips else torch.ones_like(seen))
    close(given[seen], saved("inputs_embeds")[seen], 1e-4)
    states, _ = llm.states(given[None], None, torch.arange(len(given))[None], None)
    # What a token that nobody may look at would itself have said is not computed.
    last = seen[-8:]
    close(states[0, -8:][last], saved("last_hidden")[last], 1e-4)
    logits = llm.head(states[0, -8:])[last]
    close(logits[:, tensors["lm_head_row_ids"]], saved("logits_used_rows")[last], 1e-4)
    close(logits.logsumexp(-1), saved("logits_logsumexp")[last], 1e-4)

    steps = list(islice(decode(llm, [given], likeliest), 12))
    ids, own = [int(token) for token, _ in steps], torch.cat([state for _, state in steps])
    assert ids == told["greedy_ids"]
    close(own, saved("step_hidden"), 1e-4)
    close(llm.period_scores(own), saved("period_cosine"), 1e-4)

    speaker = model._speaker
    prompt = speaker.echo.prompt(own)
    close(prompt, saved("t2u.adapted_embeds"), 1e-4)
    [unit_tokens] = speaker.unit_tokens([prompt])
    assert unit_tokens == saved("t2u.output_ids").tolist()
    units = speaker.units(unit_tokens)
    assert units == [int(unit) for unit in told["units"].split()]
    samples = (speaker.vocoder(units).numpy() * 32_767).astype(np.int16)
    assert np.abs(samples.astype(int) - saved("speech_int16").numpy()).max() <= 2


@torch.inference_mode()
@pytest.mark.parametrize("case", ["h1", "h5", "h24", "h60"])
def test_units_of_given_states(recorded, tensors, model, case):
    """Segments of one token and of sixty become the same units as with the authors."""
    speaker = model._speaker
    prompt = speaker.echo.prompt(tensors[f"units.{case}.hidden"])
    close(prompt, tensors[f"units.{case}.adapted_embeds"], 1e-4)
    states, _ = speaker.echo.states(prompt[None], None, torch.arange(len(prompt))[None], None)
    close(states[0], tensors[f"units.{case}.prompt_last_hidden"], 1e-4)
    used = speaker.echo.head(states[0, -1])[tensors["t2u_lm_head_row_ids"]]
    close(used, tensors[f"units.{case}.first_logits_used_rows"], 1e-4)
    [ids] = speaker.unit_tokens([prompt])
    assert ids == tensors[f"units.{case}.output_ids"].tolist()
    assert speaker.units(ids) == [int(unit) for unit in recorded["unit_cases"][case]["units"].split()]


@torch.inference_mode()
def test_the_vocoder(recorded, tensors, model):
    """Sound, durations and what negative units do."""
    told, vocoder = recorded["vocoder"], model._speaker.vocoder
    embedded = vocoder.dict(torch.tensor(told["units"]))
    close(vocoder.dur_predictor(embedded), tensors["vocoder.log_duration"], 1e-4)
    assert torch.equal(vocoder.dur_predictor.frames(embedded), tensors["vocoder.durations"])
    close(vocoder(told["units"]), tensors["vocoder.wav_with_duration"], 1e-4)
    close(vocoder(told["units"], durations=False), tensors["vocoder.wav_without_duration"], 1e-4)
    removed = vocoder(told["negative_codes"], durations=False)
    close(removed, tensors["vocoder.wav_negative_codes_removed"], 1e-4)


def test_the_tokenizer(recorded, model):
    """One other token and every later number differs."""
    for text, ids in recorded["tokenizer_cases"].items():
        if text != "<audio_patch>":
            assert [model._lm.tokens.bos, *model._lm.ids(text)] == ids
