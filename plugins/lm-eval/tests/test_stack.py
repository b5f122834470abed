"""The bridge against lm-eval's own class for the same weights."""

import pytest
from lm_eval.api.registry import get_model
from speechzoo.catalogue import open_catalogue

from speechzoo_lm_eval import SpeechzooLM, register

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def ours():
    return SpeechzooLM(model="smollm2-135m")


@pytest.fixture(scope="module")
def theirs():
    register()
    folder = open_catalogue().model("smollm2-135m").folder
    return get_model("hf")(pretrained=str(folder), dtype="float32", device="cpu", batch_size=4)


def responses(results, task):
    return [response[0] for row in results["samples"][task] for response in row["resps"]]


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("chat", [False, True])
def test_log_likelihoods_are_those_of_lm_evals_own_class(ours, theirs, choice, evaluated, chat, shots):
    """Otherwise text-mode figures could not be set beside those that others publish with lm-eval."""
    options = {"apply_chat_template": chat, "fewshot_as_multiturn": chat, "num_fewshot": shots}
    found = [evaluated(lm, choice(), **options) for lm in (theirs, ours)]
    one, two = ([value for value, _ in responses(results, "colours")] for results in found)
    print(f"chat {chat}, {shots} shots: {max(abs(a - b) for a, b in zip(one, two, strict=True)):.1e} nats")
    # With a chat template lm-eval scores the template's last line break as well: some 1e-4 nats here.
    assert two == pytest.approx(one, abs=1e-3)
    accuracies = [[own["results"]["colours"][f"{m},none"] for m in ("acc", "acc_norm")] for own in found]
    assert accuracies[0] == accuracies[1]


def test_replies_are_those_of_lm_evals_own_class(ours, theirs, open_task, evaluated):
    """Otherwise stop strings, limits or the chat template would be other than lm-eval's."""
    found = [evaluated(lm, open_task(), apply_chat_template=True) for lm in (theirs, ours)]
    one, two = (responses(results, "open_colours") for results in found)
    assert one == two
