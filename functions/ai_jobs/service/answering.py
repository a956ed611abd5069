"""From a prompt to a job's result: fallback models, and corrections of an output that breaks its schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ai_jobs.contract.errors import ErrorClass, JobError
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.service import structured_output
from ai_jobs.service.conversation import Answer, Conversation
from ai_jobs.service.job_type import JobType, Prompt
from ai_jobs.service.model_prices import total_cost
from ai_jobs.service.model_settings import OutputRules

REFUSALS = ("MODEL_THROTTLED", "MODEL_ACCESS_DENIED", "MODEL_NOT_FOUND")
"""How a model refuses before it has done any work. Only then is the next one called: after a timeout, nobody knows what
the first one is still doing, and it may be billed."""

Call = Callable[[str, Conversation, OutputRules | None], Answer]
"""Calls the model of this id once; see `ai_jobs.service.model.call_model`."""


@dataclass(frozen=True)
class Question:
    """What a model is asked.

    Attributes:
        model_ids: the models, in the order in which they are tried.
        output: the JSON that is wanted; None for text.
    """

    model_ids: tuple[str, ...]
    prompt: Prompt
    output: OutputRules | None = None

    @classmethod
    def of(cls, job_type: JobType, prompt: Prompt) -> Question:
        """The question of a job whose type has a prompt."""
        return cls(job_type.model_ids, prompt, job_type.output)


def answered(question: Question, call: Call) -> JobResult:
    """Ask until there is an answer that can be used.

    Raises:
        JobError: `OUTPUT_INVALID` if the last answer that the type allows still breaks the schema, naming the field;
            otherwise whatever `call` raises.
    """
    conversation = Conversation(question.prompt)
    answers: list[Answer] = []
    for corrections_left in range(question.output.repairs if question.output else 0, -1, -1):
        answer = _first_answer(question, answers[-1].model if answers else None, conversation, call)
        answers.append(answer)
        problem = problem_of(answer.json, question.output)
        if problem is None:
            break
        if answer.truncated or not corrections_left:
            raise _invalid(answer, *problem, len(answers))
        conversation = conversation.continued(answer, structured_output.correction(answer, problem[0]))
    return _result(answers)


def _first_answer(question: Question, known: str | None, conversation: Conversation, call: Call) -> Answer:
    """The answer of the first model that does not refuse; the one that wrote what is to be corrected is asked first."""
    refusals: list[JobError] = []
    for model_id in sorted(question.model_ids, key=lambda model_id: model_id != known):
        asked = conversation if model_id == known else conversation.for_another_model()
        try:
            return call(model_id, asked, question.output)
        except JobError as error:
            if error.code not in REFUSALS:
                raise
            refusals.append(error)
    # If one of them is only busy, the job can wait for it.
    raise next((one for one in refusals if one.error_class is ErrorClass.THROTTLED), refusals[0])


def problem_of(document: Any, output: OutputRules | None) -> tuple[str, str] | None:
    """What is wrong with an output, in a sentence, and the field at fault; None if it is what is wanted.

    Raises:
        JobError: `INVALID_CONFIGURATION` if the schema itself fails.
    """
    if output is None:
        return None
    try:
        return structured_output.problem_of(document, output)
    except Exception as error:  # noqa: BLE001  # generated code can raise anything
        reason = f"The output schema can't be applied ({type(error).__name__})."
        raise JobError("INVALID_CONFIGURATION", reason, "output_schema") from None


def _invalid(answer: Answer, problem: str, field: str, calls: int) -> JobError:
    if answer.truncated:
        reason = f"Model {answer.model} reached max_tokens before its JSON was complete. Raise the type's max_tokens."
        return JobError("OUTPUT_INVALID", reason, field)
    made = "1 call" if calls == 1 else f"{calls} calls"
    reason = f"After {made}, the output of model {answer.model} still breaks the output schema: {problem}"
    return JobError("OUTPUT_INVALID", reason, field)


def _result(answers: Sequence[Answer]) -> JobResult:
    last = answers[-1]
    return JobResult(
        text=last.text,
        json=last.json,
        model=last.model,
        usage=sum((answer.usage for answer in answers), Usage(0, 0)),
        stop_reason=last.stop_reason,
        truncated=last.truncated,
        model_calls=len(answers),
        service_tier=last.service_tier,
        estimated_cost=total_cost(answer.cost for answer in answers),
    )
