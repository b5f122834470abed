from .arms import Arm as Arm
from .model import SpeechzooLM as SpeechzooLM
from .paired import make_run as make_run
from .registration import register as register
from .tasks import as_lm_eval_task as as_lm_eval_task
