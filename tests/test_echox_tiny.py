"""The recipe of EchoX-tiny: what is kept out of its texts, Whisper's weights, the whole on a small budget."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import pytest
import soundfile
import torch
from echox_tiny import text
from echox_tiny.adapter import WIDTH, frames_of, new_adapter
from echox_tiny.ctc import distance
from echox_tiny.ears import LAYERS, Ears, whisper_encoder
from echox_tiny.features import extract, read_features
from echox_tiny.folder import Clip, Folder, clip_line, read_clips
from echox_tiny.kept_out import KeptOut, benchmark_texts, words_of
from echox_tiny.labels import Labels
from echox_tiny.match import aligned, last_said, lower_layers
from echox_tiny.speech import speak
from echox_tiny.text import write_wordnet
from echox_tiny.training import LOWER
from echox_tiny.windows import FRAMES, pack
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from speechzoo_echox.assembly import AUDIO, TRAINED, label_head
from transformers import LlamaForCausalLM

from speechzoo import Setup, loading
from speechzoo.catalogue import open_catalogue
from speechzoo.lm import load_model

EXAMPLES = Path(__file__).parent.parent / "examples"

GLOSS = "00001740 29 v 01 tell 0 000 01 + 02 00 | to say; {examples}  "


def wordnet_of(folder: Path, sentences: list[str]) -> Path:
    """A WordNet of one synset, in the format of wndb(5WN)."""
    folder.mkdir()
    examples = "; ".join(f'"{sentence}"' for sentence in sentences)
    (folder / "data.verb").write_text(GLOSS.format(examples=examples) + "\n")
    for part in ("noun", "adj", "adv"):
        (folder / f"data.{part}").write_text("  1 a line of the licence\n")
    return folder


def test_every_text_of_the_benchmarks_is_kept_out() -> None:
    """Otherwise: a model is trained on what it is measured with, and its curve says nothing."""
    kept_out, texts = KeptOut(), list(benchmark_texts())
    long = [own for own in texts if len(words_of(own)) >= 3]
    assert len(long) > 900
    for own in long:
        assert own in kept_out
        assert f"He said: {own.upper().replace(',', ' -')} And so on." in kept_out
    assert "The goalie made a brilliant save." not in kept_out


def test_no_sentence_of_a_benchmark_comes_through(tmp_path: Path) -> None:
    """Otherwise: the filter is right and nobody asks it."""
    story = next(text for text in benchmark_texts() if text.startswith("Jack was riding his bike"))
    theirs = story.split(". ")[0]
    ours = ["the goalie made a brilliant save", "an adviser helped students select their courses"]
    write_wordnet(Folder(tmp_path), wordnet_of(tmp_path / "wordnet", [theirs, *ours]), seed=0)
    clips = read_clips(Folder(tmp_path).text("wordnet"))
    written = " ".join(clip.spoken + clip.rest for clip in clips)
    assert "brilliant save" in written and "select their courses" in written
    assert "Jack" not in written


@pytest.mark.slow
@pytest.mark.stack
def test_stories_are_written_and_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a model that is to follow stories is trained without any, or on the same ones twice."""
    loading.fetch(open_catalogue().model("smollm2-135m"), print)
    monkeypatch.setattr(text, "_BATCH", 12)
    nouns = "".join(f"{noun} n 5 2 @ ~ 5 4 00001740\n" for noun in ("dog", "house", "river", "rarely"))
    (tmp_path / "index.noun").write_text(f"  1 a line of the licence\n{nouns}rare n 1 1 @ 1 1 00001740\n")
    assert "rare" not in text.nouns(tmp_path)
    folder = Folder(tmp_path)
    folder.text("smollm2").parent.mkdir()
    text.write_stories(folder, tmp_path, 2, "cpu", seed=0)
    first = read_clips(folder.text("smollm2"))
    text.write_stories(folder, tmp_path, 3, "cpu", seed=0)
    clips = read_clips(folder.text("smollm2"))
    assert clips[:2] == first and len({clip.spoken for clip in clips}) == 3
    for clip in clips:
        assert text.three_sentences(clip.spoken + clip.rest) is not None


def test_edits_are_counted() -> None:
    """Otherwise: the token error of a training is not one."""
    assert distance([1, 2, 3], [1, 2, 3]) == 0
    assert distance([1, 3], [1, 2, 3]) == 1
    assert distance([], [1, 2]) == distance([1, 2], []) == 2
    assert distance([4, 2, 3, 5], [1, 2, 3]) == 2


@pytest.mark.stack
def test_the_converted_encoder_is_whispers(tmp_path: Path) -> None:
    """Otherwise: the model hears with other ears than those that it was trained with."""
    import ctranslate2
    from speechzoo_echox.converted_whisper import convert
    from speechzoo_echox.whisper import Whisper

    component = open_catalogue().service("whisper-tiny")
    loading.fetch(component, print)
    home = open_catalogue().service("whisper-tiny").folder
    assert home is not None
    convert(home / "model.bin", tmp_path)
    ears = Whisper(Setup("whisper-tiny", tmp_path))
    sound = np.sin(np.arange(48_000) ** 1.3 / 60).astype(np.float32)
    bands = ears.log_mel(sound)
    there = ctranslate2.models.Whisper(str(home), compute_type="float32")
    theirs = np.array(there.encode(ctranslate2.StorageView.from_array(bands[None].numpy())))[0]
    ours = ears.encode(bands).detach().numpy()
    assert np.abs(theirs).max() > 1
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.stack
def test_rare_words_are_spelled_in_labels_that_are_often_heard() -> None:
    """Otherwise: labels are taught that occur once, or a clip's labels spell another text than is said."""
    loading.fetch(open_catalogue().model("smollm2-135m"), print)
    home = open_catalogue().model("smollm2-135m").folder
    assert home is not None
    texts = ["The garden is quiet."] * 20 + ["The gardener is quick."]
    labels = Labels.of(texts, home / "tokenizer.json")
    spelled = {
        own: [(labels.tokenizer.decode([token]), start, end) for token, start, end in labels.spell(own)]
        for own in texts
    }
    often, rare = spelled.values()
    assert [piece for piece, _, _ in often] == ["The", " garden", " is", " quiet", "."]
    assert " gardener" not in [piece for piece, _, _ in rare] and len(rare) > len(often)
    for own, pieces in spelled.items():
        assert [own[start:end] for _, start, end in pieces] == [piece for piece, _, _ in pieces]
        assert "".join(piece for piece, _, _ in pieces) == own
    # What is left is often, or cannot be spelled shorter.
    known = [labels.tokenizer.decode([token]) for token in labels.tokens]
    assert all(len(piece) == 1 or sum(own.count(piece) for own in texts) >= 20 for piece in known)
    assert {labels.label(token) for token in labels.tokens} == set(range(1, len(labels)))


@pytest.mark.stack
def test_what_is_heard_is_put_beside_the_tokens_that_are_said() -> None:
    """Otherwise: the LLM is taught that a word means its neighbour."""
    loading.fetch(open_catalogue().model("smollm2-135m"), print)
    home = open_catalogue().model("smollm2-135m").folder
    assert home is not None
    labels = Labels.of(["The garden is quiet."] * 20 + ["qwertyuiop"], home / "tokenizer.json")
    the, garden, is_, quiet, stop = (
        labels.label(token) for token, _, _ in labels.spell("The garden is quiet.")
    )

    def words(heard: list[int]) -> list[tuple[int, str]]:
        ids = labels.tokenizer.encode("The garden is quiet.", add_special_tokens=False).ids
        pairs = aligned(labels, "The garden is quiet.", heard)
        return [(place, labels.tokenizer.decode([ids[token]])) for place, token in pairs]

    whole = [(1, "The"), (2, " garden"), (4, " is"), (5, " quiet"), (6, ".")]
    assert words([0, the, garden, 0, is_, quiet, stop, 0]) == whole
    # A word that is heard wrong stands for what is said; one that is not heard, for nothing.
    assert words([0, the, stop, 0, is_, quiet, stop, 0]) == whole
    assert words([the, is_, quiet, stop]) == [(0, "The"), (1, " is"), (2, " quiet"), (3, ".")]
    # Of a word in two pieces, the last is where the LLM has read it.
    spelled = [labels.label(token) for token, _, _ in labels.spell("The pet is quiet.")]
    assert len(spelled) > 5
    there = [place for place, _ in aligned(labels, "The pet is quiet.", spelled)]
    assert there == [0, *range(len(spelled) - 4, len(spelled))]
    # A blank says again what was said last, and so does a piece of a word that has not ended.
    assert last_said(labels, "The garden is quiet.", [0, the, 0, garden, 0, is_]) == [-1, 0, 0, 1, 1, 2]
    assert last_said(labels, "The pet is quiet.", spelled)[: there[1] + 1] == [0] * there[1] + [1]


def test_a_label_is_likely_only_if_its_vector_is_near() -> None:
    """Otherwise: frames are told apart by vectors that their own head can read, and the LLM cannot."""
    torch.manual_seed(0)
    table = torch.randn(300, 64)
    adapter = new_adapter(table, heads=4, spelled=torch.arange(200))
    optimizer = torch.optim.Adam([own for own in adapter.parameters() if own.requires_grad], lr=1e-3)
    clip, labels = torch.randn(200, 2 * WIDTH), torch.arange(200)
    for _ in range(60):
        (frames,) = frames_of(adapter, [clip])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(adapter.audio_feature_head(frames), labels).backward()
        optimizer.step()
    right = (adapter.labels(frames) == labels).float().mean()
    rows = adapter.audio_feature_head.weight
    near = torch.nn.functional.cosine_similarity(frames, rows)
    assert right > 0.95 and near.mean() > 0.7
    torch.testing.assert_close(rows, label_head(table, torch.arange(200)))


@pytest.mark.stack
def test_the_lower_layers_are_the_llms() -> None:
    """Otherwise: what is heard is brought near to something that the LLM never computes."""
    home = open_catalogue().model("smollm2-135m").folder
    loading.fetch(open_catalogue().model("smollm2-135m"), print)
    llm = cast(LlamaForCausalLM, load_model(home, Setup("smollm2-135m", home))).model
    ids = torch.arange(100, 109)[None]
    with torch.inference_mode():
        states = llm(ids, output_hidden_states=True).hidden_states
        ours = lower_layers(llm)(inputs_embeds=llm.embed_tokens(ids)).last_hidden_state
        theirs = llm.layers[LOWER].input_layernorm(states[LOWER])
    assert len(llm.layers) == 30 and ours.std() > 0.1
    torch.testing.assert_close(ours, theirs)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, list[Clip]]:
    """Clips with their sound and features; one of them is held out."""
    folder = Folder(tmp_path_factory.mktemp("spoken"))
    texts = (
        "The dog next door barked at the moon all night. Nobody slept.",
        "She smiled. Then it rained for days.",
    )
    clips = [Clip(f"wordnet-{place:05}", texts[place % 2], " So we left.") for place in range(42, 49)]
    folder.text("wordnet").parent.mkdir()
    folder.text("wordnet").write_text("".join(map(clip_line, clips)))
    speak(folder, len(clips), seed=0)
    extract(folder, len(clips), "cpu")
    return folder, clips


@pytest.mark.stack
def test_letters_are_where_they_are_heard(spoken: tuple[Folder, list[Clip]]) -> None:
    """Otherwise: frames are taught other words than those that sound in them, and nothing is learned."""
    folder, clips = spoken
    found = read_features(folder, clips)
    assert [own.clip for own in found] == clips
    late = []
    for own in found:
        start, end = longest_pause(folder.sound(own.clip))
        second = own.clip.spoken.index(". ") + 2
        late.append(float(own.times[second]) - end * FRAMES)
        assert own.times[second - 2] < end * FRAMES
        # No letter in the silence before and after.
        assert 0 <= own.times[0] < start * FRAMES
        assert end * FRAMES < own.times[-1] <= len(own.frames)
    # The voice never says a clip twice the same way; a word of one clip may be found half a second late.
    assert abs(median(late)) < 4 and max(map(abs, late)) < 15


@pytest.mark.stack
def test_ears_that_have_learned_nothing_hear_what_the_features_are(spoken: tuple[Folder, list[Clip]]) -> None:
    """Otherwise: Whisper is trained on other frames than are heard later, or a clip on its neighbour's."""
    folder, clips = spoken
    windows = list(pack(folder, clips))
    (alone,) = (clip for clip in clips if clip.held_out)
    assert [alone] in windows and max(map(len, windows)) > 2
    assert [clip for window in windows for clip in window] == clips
    settings = LoraConfig(r=2, target_modules=list(LAYERS))
    ears = Ears(folder, get_peft_model(whisper_encoder(folder, torch.device("cpu")), settings))
    with torch.inference_mode():
        heard = ears(clips)
    for own, frames in zip(read_features(folder, clips), heard, strict=True):
        assert frames.abs().max() > 1
        torch.testing.assert_close(frames, own.frames.float(), atol=2e-2, rtol=2e-3)


def longest_pause(path: Path) -> tuple[float, float]:
    """Where the longest silence begins and ends that is not at an end of the clip, in s."""
    samples, rate = soundfile.read(path)
    level = np.array([np.abs(part).max() for part in np.array_split(samples, len(samples) * 50 // rate)])
    loud = np.flatnonzero(level > 0.1 * level.max())
    place = int(np.argmax(np.diff(loud)))
    return loud[place] / 50, loud[place + 1] / 50


@pytest.mark.slow
@pytest.mark.stack
def test_the_whole_recipe_from_one_command(tmp_path: Path) -> None:
    """Otherwise: the recipe cannot be followed, or ends in folders that speechzoo cannot evaluate."""
    things = ["dog", "house", "river", "garden", "letter"]
    people = ["teacher", "farmer", "doctor", "child", "soldier", "singer"]
    made = [f"the {who} walked slowly to the old {thing} and sat down" for who in people for thing in things]
    made += [f"every morning a {who} looked at that {thing} with joy" for who in people for thing in things]
    root = tmp_path / "run"
    recipe = [
        "-m", "echox_tiny", "all", str(root), "--wordnet", str(wordnet_of(tmp_path / "wordnet", made)),
        "--stories", "0", "--ctc-steps", "60", "--tune-steps", "12", "--match-steps", "12",
        "--distil-steps", "12", "--lora", "4", "--every", "4",
    ]  # fmt: skip

    def done(command: list[str], folder: Path) -> str:
        ran = subprocess.run(
            [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=900
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    done(recipe, EXAMPLES)
    logs = {
        name: [json.loads(line) for line in (root / f"{name}.jsonl").read_text().splitlines()]
        for name in ("ctc", "tune", "match", "match-lora", "distil", "distil-lora")
    }
    assert [row["step"] for row in logs["ctc"]] == list(range(4, 64, 4))
    assert logs["ctc"][2]["frames"] < logs["ctc"][0]["frames"]
    # With vectors of one length no label is ever certain, so that there is a least loss.
    assert logs["ctc"][-1]["ctc"] < 0.7 * logs["ctc"][4]["ctc"]
    assert logs["ctc"][-1]["held_out_token_error"] < 0.5 * logs["ctc"][0]["held_out_token_error"]
    assert [row["step"] for row in logs["tune"]] == [64, 68, 72]
    assert logs["tune"][-1]["ctc"] < logs["tune"][0]["ctc"]
    for name, first in (("match", 60), ("match-lora", 72)):
        assert [row["step"] for row in logs[name]] == [first + 4, first + 8, first + 12]
        assert logs[name][-1]["held_out_heard"] < logs[name][0]["held_out_heard"]
    # A frozen LLM reads as ever; one that learns to hear does so at a small loss.
    assert "held_out_read" not in logs["match"][-1]
    assert 0 < logs["match-lora"][-1]["held_out_read"] < 0.5 * logs["match-lora"][-1]["held_out_heard"]
    for name, first in (("distil", 72), ("distil-lora", 84)):
        assert [row["step"] for row in logs[name]] == [first + 4, first + 8, first + 12]
        assert logs[name][-1]["kl"] < logs[name][0]["kl"]
    written = (root / "ctc.jsonl").stat().st_mtime_ns
    done(recipe, EXAMPLES)
    hears = ["-m", "echox_tiny", "hears", str(root), "--step", "96", "--lora"]
    assert "own sound above another's" in done(hears, EXAMPLES)
    assert (root / "ctc.jsonl").stat().st_mtime_ns == written
    shipped = tmp_path / "shipped"
    done(["-m", "echox_tiny", "ship", str(root), str(shipped), "--step", "96", "--lora"], EXAMPLES)
    assert (shipped / "weights" / "trained.safetensors").stat().st_size < 12e6
    brought = load_file(shipped / "weights" / TRAINED)
    trained = load_file(root / "lora" / "step-00096" / AUDIO)
    modules = [name for name in brought if name in trained]
    assert len(modules) == len(trained) - 1  # all but the head
    for name in modules:
        torch.testing.assert_close(brought[name].float(), trained[name].float(), rtol=2**-8, atol=1e-6)
    registry = ["--registry", str(shipped / "registry.yaml")]
    scores = {}
    for name, model in {
        "frozen": [f"echox@{root / 'steps/step-00084'}"],
        "trained": [f"echox@{root / 'lora/step-00096'}"],
        "joined": ["echox-tiny", *registry, "--online"],
    }.items():
        done(
            ["-m", "speechzoo", "eval", "--task", "s2sbench-mini", "--conditions", "t2t,s2t", "--limit", "4",
             "--out", str(tmp_path / name), "--model", *model],
            tmp_path,
        )  # fmt: skip
        report = json.loads((tmp_path / name / "report.json").read_text())
        assert report["items_used"] == 4
        cells = {item["id"]: item["cells"] for item in report["items"]}
        scores[name] = [cells[item][stage]["scores"] for item in sorted(cells) for stage in ("T", "S")]
    # What is shipped, and joined with the rest, is what was trained, but for the rounding of its weights, by
    # which a frame or two may get another label.
    for joined, trained, frozen in zip(*(scores[n] for n in ("joined", "trained", "frozen")), strict=True):
        assert joined == pytest.approx(trained, rel=0.03)
        assert joined != pytest.approx(frozen, rel=1e-4)
