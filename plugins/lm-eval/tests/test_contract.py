"""What of lm-eval the bridge rests on: where a new version fails, read its changes first."""

import inspect
from dataclasses import fields
from importlib.metadata import version

import pytest
from lm_eval._cli.harness import HarnessCLI
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook, CachingLM
from lm_eval.api.registry import model_registry
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import simple_evaluate

from speechzoo_lm_eval import SpeechzooLM, register
from speechzoo_lm_eval.harness import DECIDING, OF_CHAT, REFUSED, parse


def test_the_version_is_one_that_was_looked_at():
    """Otherwise figures could change with a version nobody here has seen: look at it, then add it."""
    assert version("lm-eval") in {"0.4.13"}


def test_a_model_has_three_methods_to_write():
    """Otherwise a fourth kind of request would fail in the middle of a run."""
    assert LM.__abstractmethods__ == {"loglikelihood", "loglikelihood_rolling", "generate_until"}
    assert {"apply_chat_template", "chat_template", "tokenizer_name", "set_cache_hook"} <= set(dir(LM))


def test_a_request_knows_its_document():
    """Otherwise documents could not be paired."""
    assert {"request_type", "doc", "arguments", "idx", "task_name", "doc_id"} <= {
        f.name for f in fields(Instance)
    }
    assert Instance("loglikelihood", {}, ("a", "b"), 0, ("task", 3, 1)).doc_id == 3


def test_lm_evals_cache_is_told_in_this_way(tmp_path):
    """Otherwise answers would be lost when a run with --use_cache is stopped, or be another mode's."""
    assert list(inspect.signature(CacheHook.add_partial).parameters) == ["self", "attr", "req", "res"]
    lm = SpeechzooLM(model="toy")
    cached = CachingLM(lm, str(tmp_path / "cache.db"))
    assert cached.dbdict["speechzoo identity"] == lm.identity
    lm.cache_hook.add_partial("loglikelihood", ("a", "b"), (-1.0, False))
    [answer] = cached.loglikelihood([Instance("loglikelihood", {}, ("a", "b"), 0, ("t", 0, 1))])
    assert answer == (-1.0, False)


def test_the_command_lines_parser_has_the_options_meant():
    """Otherwise an option that decides what is asked would be missing from a run's description."""
    known = set(
        vars(
            HarnessCLI()._parser.parse_args(
                ["run", "--fewshot_as_multiturn", "true", "--apply_chat_template"]
            )
        )
    )
    assert {*DECIDING, *OF_CHAT, *REFUSED, "model", "func"} <= known
    assert parse(["--tasks", "a", "b,c", "-b", "4"], chat=True).tasks == ["a", "b", "c"]


def test_tasks_and_models_can_be_given_as_objects():
    """Otherwise the bridge would have to patch lm-eval."""
    wanted = {"model", "tasks", "task_manager", "apply_chat_template", "fewshot_as_multiturn", "use_cache"}
    assert wanted <= set(inspect.signature(simple_evaluate).parameters)
    assert "config" in inspect.signature(ConfigurableTask.__init__).parameters


def test_both_registries_live_together():
    """Otherwise lm-eval's own models would be unknown once ours is registered."""
    register()
    assert {"speechzoo", "hf", "dummy"} <= set(model_registry)


def test_results_are_shaped_as_the_report_reads_them(choice, evaluated):
    """Otherwise figures would be read from the wrong place."""
    found = evaluated(SpeechzooLM(model="toy"), choice(), apply_chat_template=True)
    assert {"results", "configs", "versions", "samples", "higher_is_better"} <= set(found)
    [first, *_] = found["samples"]["colours"]
    assert {
        "doc_id", "doc_hash", "prompt_hash", "target_hash", "filter", "metrics", "arguments", "target",
        "filtered_resps",
    } <= set(first)  # fmt: skip
    assert (first["metrics"], first["filter"], first["acc"]) == (["acc", "acc_norm"], "none", 1.0)
    assert found["results"]["colours"]["acc,none"] == 1.0
    assert found["higher_is_better"]["colours"] == {"acc": True, "acc_norm": True}
    assert found["configs"]["colours"]["output_type"] == "multiple_choice"


def test_documents_without_an_answer_count_as_the_first_option(choice, evaluated):
    """Otherwise the line above lm-eval's own table would say something wrong of it."""
    rows = [{"question": "poison?", "choices": ["blue", "red"], "answer": gold} for gold in (0, 1, 1)]
    lm = SpeechzooLM(model="toy", failures="mark", **{"set.fault": "overheated"})
    found = evaluated(lm, choice(rows=rows), apply_chat_template=True)
    assert [row["acc"] for row in found["samples"]["colours"]] == [1.0, 0.0, 0.0]
    assert lm.doubts().startswith("there are documents without an answer (3 overheated)")


@pytest.mark.parametrize("multiturn", [True, False])
def test_chat_prompts_come_as_the_model_made_them(choice, evaluated, multiturn):
    """Otherwise turns would be lost, and shots be spoken with the question."""
    lm = SpeechzooLM(model="toy")
    found = evaluated(
        lm, choice(), apply_chat_template=True, fewshot_as_multiturn=multiturn, num_fewshot=1,
        system_instruction="Answer.",
    )  # fmt: skip
    prompt, continuation = found["samples"]["colours"][0]["arguments"][0]
    assert prompt.startswith('{"speechzoo lm-eval": ')
    assert prompt.count('["user"') == (2 if multiturn else 1)
    assert (prompt.count('["system"'), continuation) == (1, "blue")
