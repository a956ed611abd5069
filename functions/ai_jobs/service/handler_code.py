"""How the function that a job type names as its handler is found and checked.

Lambda unpacks layers to /opt, and Python finds their modules in /opt/python:
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from ai_jobs.contract.errors import JobError, shown
from ai_jobs.handlers import Handler
from ai_jobs.service.job_type import JobType

LAYERS = Path("/opt/python")

_MOST_NAMES = 10


def find_handler(job_type: JobType, layers: Path = LAYERS) -> Handler:
    """Import the function that the type names, and check it.

    Args:
        layers: where Python looks for the modules of layers.

    Raises:
        JobError: `HANDLER_NOT_FOUND` if there is no such function, or it can't be called with a job and a context;
            `INVALID_CONFIGURATION` if it can't return what the type's output schema requires.
    """
    module_name, _, function_name = cast("str", job_type.handler).partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
    except BaseException as error:  # a module's code can raise anything, and must not end the worker
        raise _not_found(job_type, _import_problem(module_name, error), layers) from error
    if function is None:
        raise _not_found(job_type, f"module {module_name} has no {function_name}", layers)
    return check_handler(function, job_type)


def check_handler(function: object, job_type: JobType) -> Handler:
    """The function, if it can be the type's handler. Raises what `find_handler` raises."""
    if not callable(function) or inspect.isclass(function):
        raise _unusable(job_type, f"is {_described(function)}")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise _unusable(job_type, "is a coroutine or a generator, which returns before it has done its work")
    parameters = _parameters(function)
    if parameters and not _takes_two(parameters):
        raise _unusable(job_type, f"has the parameters {parameters}")
    if job_type.output and _return_annotation(function) in (str, "str"):
        rule = "With an output_schema, it must return a dict. Change what it returns, or remove the output_schema"
        problem = f"Its handler {job_type.handler} is annotated to return str. {rule}."
        raise JobError("INVALID_CONFIGURATION", f"Job type {shown(job_type.name)} is misconfigured. {problem}")
    return cast("Handler", function)


def _parameters(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions that are written in C do not say what they take
        return None


def _takes_two(parameters: inspect.Signature) -> bool:
    try:
        parameters.bind(object(), object())
    except TypeError:
        return False
    return True


def _return_annotation(function: Callable[..., Any]) -> Any:
    try:
        return typing.get_type_hints(function).get("return")
    except Exception:  # noqa: BLE001  # annotations are expressions, and those of the parameters may name anything
        return getattr(function, "__annotations__", {}).get("return")


def _unusable(job_type: JobType, problem: str) -> JobError:
    rule = "It must be a function that is called with a job and a context: def handler(job, context)"
    reason = f"The handler {job_type.handler} of job type {shown(job_type.name)} {problem}. {rule}."
    return JobError("HANDLER_NOT_FOUND", reason)


def _described(value: object) -> str:
    return f"the class {value.__name__}" if inspect.isclass(value) else f"a {type(value).__name__}"


def _import_problem(module_name: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name}"
    return f"importing {module_name} raised {type(error).__name__}: {_text_of(error)}".rstrip(".")


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except Exception:  # noqa: BLE001  # the class is the layer's
        return "(no text)"


def _not_found(job_type: JobType, problem: str, layers: Path) -> JobError:
    rule = f"Its code must be in a Lambda layer of processor.layers, in the folder {layers.name}/ of the layer's zip"
    reason = f"The handler {job_type.handler} of job type {shown(job_type.name)} can't be used: {problem}. {rule}."
    what_to_do = "Add the layer, or correct the handler's name, apply, and retry the jobs from the DLQ."
    return JobError("HANDLER_NOT_FOUND", f"{reason} {_contents(layers)} {what_to_do}")


def _contents(layers: Path) -> str:
    try:
        names = sorted({path.stem for path in layers.iterdir() if not path.name.startswith((".", "_"))})
    except OSError:
        return f"The function has no {layers}, and so no layer with Python code."
    more = ", and others" if len(names) > _MOST_NAMES else ""
    return f"The function's {layers} has {', '.join(names[:_MOST_NAMES]) or 'nothing'}{more}."
