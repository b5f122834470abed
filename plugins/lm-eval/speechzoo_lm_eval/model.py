"""Any speechzoo model as a model of lm-evaluation-harness."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook
from speechzoo import AudioClip, Failure, ItemError, ReplyAnswer, ScoreAnswer, ScoreAsk, SpeechzooError
from speechzoo.asks import Answer, Ask
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.progress import progress_display
from speechzoo.cli.wanted import Wanted, dtype_of
from speechzoo.loading import Component
from speechzoo.run.describe import digest
from speechzoo.run.listen import hear
from speechzoo.run.progress import Progress
from speechzoo.setup import LoadOptions

from speechzoo_lm_eval.answers import Answerer
from speechzoo_lm_eval.asking import (
    DocumentKey,
    Exchange,
    Group,
    document_of,
    group_of,
    limited,
    log_likelihoods,
    reply_ask,
    score_ask,
)
from speechzoo_lm_eval.choosing import chosen, naming, refusal
from speechzoo_lm_eval.context import Context, clip_of, mark, seal, texts_aloud, unseal, with_audio
from speechzoo_lm_eval.generation import DEFAULT_LENGTH, Limits, cut
from speechzoo_lm_eval.settings import Settings
from speechzoo_lm_eval.speaking import reader, speak_texts

OF_ASKING = {"mode", "spoken", "voice", "language", "output", "transcriber", "answers", "failures"}
"""What can change without the model being loaded anew."""

Result = tuple[float, bool] | float | str
IDENTITY = "speechzoo identity"
NOT_GREEDY = False
"""What is said of every continuation: no speechzoo model tells whether greedy decoding would give it."""


def required(catalogue: Catalogue, sort: str, name: str) -> Component:
    """A service that is there, such as a ``voice``.

    Raises:
        SpeechzooError: nothing has that name, it is of another sort, or what it needs is missing.
    """
    component = catalogue.service(name)
    if component.sort != sort:
        raise SpeechzooError(f"{name} is a {component.sort}, it has to be a {sort}")
    component.require()
    return component


class SpeechzooLM(LM):  # type: ignore[misc]
    """Scores and replies of a speechzoo model, which reads prompts or hears them.

    Prompts come as envelopes that `apply_chat_template` made, so that turns stay turns: what is spoken are
    the texts that the policy ``spoken`` names. Continuations are split from their prompts in the same way in
    both modes: by lm-eval's rule, white space at a prompt's end belongs to the continuation.

    ``is_greedy`` is always False: no model here tells. A metric that rests on it, such as ``acc`` of an
    output type ``loglikelihood``, means nothing.

    Args:
        answerer: a model that another object has in use; None makes one.
        catalogue: what names mean; None looks at what is installed.
        record: a folder that answers are kept in, and taken up from.
        arguments: see `Settings`.

    Attributes:
        documents: what was asked and answered in the last evaluation, by task and document.
        has_spoken: in it texts of prompts were spoken; those of audio tasks have recordings of their own.

    Raises:
        SpeechzooError: an argument is none, or a name is unknown.
    """

    MULTIMODAL = True

    def __init__(
        self,
        *,
        answerer: Answerer | None = None,
        catalogue: Catalogue | None = None,
        record: Path | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.settings = Settings.read(arguments)
        self.documents: dict[DocumentKey, list[Exchange]] = {}
        self.has_spoken = False
        self._called: set[str] = set()
        self._device = self.settings.device
        self._catalogue = catalogue or open_catalogue()
        self.answerer = answerer or self._new_answerer(record)
        names = self.settings
        self.voice = required(self._catalogue, "voice", names.voice) if names.mode == "speech" else None
        self.transcriber = (
            required(self._catalogue, "transcriber", names.transcriber) if names.output == "speech" else None
        )

    def under(self, **changes: Any) -> "SpeechzooLM":
        """The same model asked in another way, such as ``mode="speech"``; it is loaded once.

        Raises:
            SpeechzooError: a change is one of the model itself.
        """
        if other := ", ".join(sorted(changes.keys() - OF_ASKING)):
            raise SpeechzooError(f"with another {other} it is not the same model: make a new SpeechzooLM")
        arguments = {**self.settings.model_dump(), **changes}
        return SpeechzooLM(answerer=self.answerer, catalogue=self._catalogue, **arguments)

    def __repr__(self) -> str:
        return f"speechzoo {self.settings.model}, {self.settings.mode} in, {self.settings.output} out"

    @property
    def component(self) -> Component:
        return self.answerer.component

    @cached_property
    def identity(self) -> str:
        """Digest of everything but the prompt that can change an answer."""
        parts = [part.identity() for part in (self.voice, self.transcriber) if part is not None]
        read_by = [reader()] if self.voice is not None else []
        how = self.settings.model_dump(include={"mode", "spoken", "language", "output", "answers"})
        return digest([self.answerer.identity, how, *parts, *read_by])[:32]

    @property
    def tokenizer_name(self) -> str:
        """Part of the name of lm-eval's cache of prompts."""
        return f"speechzoo-{self.identity}"

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        return seal(self.identity, chat_history, add_generation_prompt)

    def chat_template(self, chat_template: bool | str = False) -> str:
        return "speechzoo: the model's own"

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval's result file says of the model, and of documents that its table should not count."""
        told = {
            "model_name": self.settings.model,
            "speechzoo": self.settings.model_dump(mode="json"),
            "speechzoo_identity": self.identity,
            "is_greedy": "unknown, False is said of all",
        }
        failures = self.failures()
        return told if not failures else {**told, "speechzoo_documents_without_answer": dict(failures)}

    def failures(self) -> Counter[str]:
        """Documents without an answer by the reason."""
        reasons = (
            next((own.answer.reason for own in exchanges if isinstance(own.answer, Failure)), None)
            for exchanges in self.documents.values()
        )
        return Counter(reason for reason in reasons if reason is not None)

    def doubts(self) -> str:
        """Why lm-eval's own figures are wrong; "" if nothing is known against them."""
        failed = self.failures()
        if not failed:
            return ""
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.most_common())
        # NaN for every option: the largest is where the search begins.
        return (
            f"there are documents without an answer ({reasons}), and lm-eval counts each as if the model had "
            "chosen the first option or said nothing"
        )

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        """Takes lm-eval's cache of answers, which knows prompts alone, if it is this model's in this mode.

        Raises:
            SpeechzooError: it holds another's answers.
        """
        super().set_cache_hook(cache_hook)
        kept = cache_hook.dbdict
        if kept is None:
            return
        if len(kept) and kept.get(IDENTITY) != self.identity:
            raise SpeechzooError(
                "--use_cache names a file with answers of another model, mode, policy or voice, which would "
                "be taken for this one's: name another"
            )
        kept[IDENTITY] = self.identity

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """See `LM`; all continuations of a document's prompt are one ask: one encoding, one prefill.

        Told from replies (``answers=generated``) they are 0 for the option named, else minus infinity.
        """
        self._begin("loglikelihood")
        groups = self._groups(requests)
        if self.settings.answers == "generated":
            return self._chosen(groups, requests)
        self._refuse_speech_out("loglikelihood")
        results: dict[int, Result] = {}
        with progress_display() as progress:
            spoken = self._speak(groups, progress)
            wanted = [[str(requests[place].args[1]) for place in group.places] for group in groups]
            asks = [score_ask(group.context, own, spoken) for group, own in zip(groups, wanted, strict=True)]
            for i, answer in self._answered(groups, asks, progress):
                context, ask = groups[i].context, asks[i]
                if (
                    isinstance(answer, ScoreAnswer)
                    and isinstance(context, Context)
                    and isinstance(ask, ScoreAsk)
                ):
                    values = log_likelihoods(context, wanted[i], ask, answer)
                    scored = zip(groups[i].places, values, strict=True)
                    found: dict[int, Result] = {place: (value, NOT_GREEDY) for place, value in scored}
                    results |= self._put("loglikelihood", requests, found)
        return self._all(requests, results, (float("nan"), NOT_GREEDY))

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """See `LM`. A text that is longer than the model takes has no answer: nothing is cut into windows.

        Raises:
            SpeechzooError: the model is to hear: there is no prompt that it could.
        """
        self._refuse_speech_out("loglikelihood_rolling")
        self._begin("loglikelihood_rolling")
        if self.settings.mode == "speech":
            raise SpeechzooError(
                "loglikelihood_rolling has no prompt that could be heard: both modes would score the same "
                "text. Leave perplexity tasks out of mode=speech"
            )
        groups = [group_of(one, Context((), chat=False)) for one in requests]
        for place, group in enumerate(groups):
            group.places.append(place)
        asks: list[Ask | Failure] = [ScoreAsk((), (str(one.args[0]),)) for one in requests]
        results: dict[int, Result] = {}
        with progress_display() as progress:
            for place, answer in self._answered(groups, asks, progress):
                if isinstance(answer, ScoreAnswer):
                    found: dict[int, Result] = {place: answer.scores[0].log_likelihood}
                    results |= self._put("loglikelihood_rolling", requests, found)
        return self._all(requests, results, float("nan"))

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """See `LM`. Replies always go through the model's chat template; a plain prompt is one user turn."""
        self._begin("generate_until")
        groups = self._groups(requests)
        results: dict[int, Result] = {}
        with progress_display() as progress:
            for place, text in self._replies(groups, progress):
                found: dict[int, Result] = dict.fromkeys(groups[place].places, text)
                results |= self._put("generate_until", requests, found)
        return self._all(requests, results, "")

    def _chosen(self, groups: Sequence[Group], requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """What replies name of the options, in place of likelihoods."""
        options = [[str(requests[place].args[1]) for place in group.places] for group in groups]
        for group, own in zip(groups, options, strict=True):
            if isinstance(group.context, Context):
                if why := refusal(group.context, own):
                    raise SpeechzooError(f"{group.document[0]} {why}: answers=scored, or leave the task out")
                group.context = naming(group.context, own, self.settings.spoken)
            group.limits = Limits(DEFAULT_LENGTH, ())
        results: dict[int, Result] = {}
        with progress_display() as progress:
            # All of them: only then are the documents there that an unparsed reply is an outcome of.
            for i, text in list(self._replies(groups, progress)):
                context = groups[i].context
                assert isinstance(context, Context)
                values = chosen(text, context, options[i])
                if isinstance(values, Failure):
                    self._replace_answer(groups[i], values)
                else:
                    scored = zip(groups[i].places, values, strict=True)
                    found: dict[int, Result] = {place: (value, NOT_GREEDY) for place, value in scored}
                    results |= self._put("loglikelihood", requests, found)
        return self._all(requests, results, (float("nan"), NOT_GREEDY))

    def _begin(self, method: str) -> None:
        """lm-eval calls a method once an evaluation: called again, it is another one."""
        if method in self._called:
            self._called.clear()
            self.documents.clear()
            self.has_spoken = False
        self._called.add(method)

    def _new_answerer(self, record: Path | None) -> Answerer:
        own = self.settings
        component = self._catalogue.model(own.model, own.settings)
        component.require(own.trust_remote_code)
        wanted = Wanted(own.model, "", None, {}, None, None, own.dtype or None, own.seed)
        options = LoadOptions(
            device=own.device,
            dtype=dtype_of(wanted, component, own.device),
            attention=own.attention,
            device_map=own.device_map,
            trust_remote_code=own.trust_remote_code,
            seed=own.seed,
        )
        return Answerer(component, options, own.batch_size, record)

    def _refuse_speech_out(self, method: str) -> None:
        if self.settings.output == "speech":
            raise SpeechzooError(
                f"output=speech is about replies, and a task asks for {method}: choose tasks of the output "
                "type generate_until, output=text, or for choices answers=generated"
            )

    def _groups(self, requests: Sequence[Instance]) -> list[Group]:
        groups: dict[tuple[object, ...], Group] = {}
        for place, request in enumerate(requests):
            limits = None
            if request.request_type == "generate_until":
                limits = Limits.read(request.args[1], str(request.task_name))
            key = (document_of(request), request.args[0], limits)
            if key not in groups:
                groups[key] = group_of(request, self._context(request), limits)
            groups[key].places.append(place)
        return list(groups.values())

    def _context(self, request: Instance) -> Context | Failure:
        """The prompt with what is to be heard in it; a failure says why it cannot be made."""
        scored = request.request_type != "generate_until"
        context = unseal(str(request.args[0]), self.identity, scored)
        media: Mapping[str, Any] = request.args[2] if len(request.args) > 2 else {}
        if media.get("visual") is not None:
            raise SpeechzooError(f"{request.task_name} shows pictures; speechzoo models read and hear")
        try:
            if media.get("audio") is not None and context.turns:
                return self._with_recordings(context, request, media["audio"])
            if self.settings.mode == "text":
                return context
            return mark(context, self.settings.spoken, request.doc)
        except ItemError as error:
            return Failure(error.reason, error.detail)

    def _with_recordings(self, context: Context, request: Instance, audio: Any) -> Context:
        if self.settings.mode == "text":
            raise SpeechzooError(f"{request.task_name} has audio, which mode=text cannot read: mode=speech")
        values = audio if isinstance(audio, list | tuple) else [audio]
        return with_audio(context, [clip_of(value) for value in values])

    def _speak(self, groups: Sequence[Group], progress: Progress) -> dict[str, AudioClip | Failure]:
        """A clip for each text that has to be spoken, or why there is none."""
        contexts = [group.context for group in groups if isinstance(group.context, Context)]
        texts = texts_aloud(contexts)
        if self.voice is None or not texts:
            return {}
        self.has_spoken = True
        own = self.settings
        return speak_texts(self.voice, texts, own.language, own.device, progress)

    def _answered(
        self, groups: Sequence[Group], asks: Sequence[Ask | Failure], progress: Progress
    ) -> Iterator[tuple[int, Answer | Failure]]:
        """Each group's place and answer as they come in; all of them join the `documents`."""
        answers: dict[int, Answer | Failure] = {
            i: ask for i, ask in enumerate(asks) if isinstance(ask, Failure)
        }
        can_be_asked = {i: ask for i, ask in enumerate(asks) if not isinstance(ask, Failure)}
        places = list(can_be_asked)
        for number, found in self.answerer.answers(list(can_be_asked.values()), progress):
            place = places[number]
            answers[place] = limited(found, groups[place].limits)
            yield place, answers[place]
        for place, group in enumerate(groups):
            exchange = Exchange(group.prompt, asks[place], answers[place])
            self.documents.setdefault(group.document, []).append(exchange)

    def _replies(self, groups: Sequence[Group], progress: Progress) -> Iterator[tuple[int, str]]:
        """Each group's place and its reply as it comes in: the text, or what is heard in the speech."""
        spoken = self._speak(groups, progress)
        asks = [reply_ask(group, spoken, self.transcriber is not None) for group in groups]
        clips: dict[int, AudioClip] = {}
        for place, answer in self._answered(groups, asks, progress):
            if not isinstance(answer, ReplyAnswer):
                continue
            if self.transcriber is None:
                yield place, answer.text or ""
            elif answer.clip is not None:
                clips[place] = replace(answer.clip, language=self.settings.language)
        if self.transcriber is not None:
            heard = hear(self.transcriber, list(clips.values()), self.settings.device, progress)
            for place, text in zip(clips, heard, strict=True):
                limits = groups[place].limits
                if isinstance(text, Failure):
                    self._replace_answer(groups[place], text)
                else:
                    yield place, cut(text, limits.stops if limits else ())[0]

    def _replace_answer(self, group: Group, failure: Failure) -> None:
        """A reply that cannot be heard or read leaves its document without an answer."""
        self.documents[group.document] = [
            replace(exchange, answer=failure) if exchange.prompt == group.prompt else exchange
            for exchange in self.documents[group.document]
        ]

    def _put(
        self, method: str, requests: Sequence[Instance], found: Mapping[int, Result]
    ) -> dict[int, Result]:
        """Tells lm-eval's cache, so that nothing is lost when the run is stopped."""
        for place, result in found.items():
            self.cache_hook.add_partial(method, requests[place].args, result)
        return dict(found)

    def _all(self, requests: Sequence[Instance], results: Mapping[int, Result], missing: Any) -> list[Any]:
        """A result for every request.

        Raises:
            SpeechzooError: one has none, and no number may be made up.
        """
        if len(results) < len(requests) and self.settings.failures == "refuse":
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures().most_common())
            raise SpeechzooError(
                f"{len(requests) - len(results)} of {len(requests)} requests have no answer (documents: "
                f"{reasons}), and lm-eval would take any number for one. 'speechzoo lm-eval' reports them as "
                "what they are; failures=mark goes on and leaves them to you"
            )
        return [results.get(place, missing) for place in range(len(requests))]
