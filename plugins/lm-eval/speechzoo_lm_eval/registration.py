"""Makes ``speechzoo`` a model name of lm-eval."""

# First of all: a registry that holds anything is never filled with lm-eval's own names.
import lm_eval.models  # noqa: F401
from lm_eval.api.registry import model_registry

NAME = "speechzoo"
TARGET = "speechzoo_lm_eval.model:SpeechzooLM"


def register() -> None:
    """Lets ``simple_evaluate(model="speechzoo", model_args={"model": NAME, ...})`` find the class.

    lm-eval looks at no entry points, so its plain command line cannot find it: ``speechzoo lm-eval`` does.
    """
    if NAME not in model_registry:
        model_registry.register(NAME, target=TARGET)
