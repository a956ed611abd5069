"""How the function that a job type names as its handler is found and checked.

Lambda unpacks layers to /opt, and Python finds their modules in /opt/python and below it:
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ai_jobs.contract.errors import JobError, of_kind, shown
from ai_jobs.handlers import Handler
from ai_jobs.service.job_type import JobType

_MOST_NAMES = 10


def find_handler(job_type: JobType) -> Handler:
    """Import the function that the type names, and check it.

    Raises:
        JobError: `HANDLER_NOT_FOUND` if there is no such function, or it can't be called with a job and a context;
            `INVALID_CONFIGURATION` if it can't return what the type's output schema requires.
    """
    module_name, _, function_name = cast("str", job_type.handler).partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
    except BaseException as error:  # a module's code can raise anything, and must not end the worker
        raise _not_found(job_type, _import_problem(module_name, error)) from error
    if function is None:
        raise _not_found(job_type, _no_function(sys.modules[module_name], function_name))
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
    return f"the class {value.__name__}" if inspect.isclass(value) else of_kind(value)


def _import_problem(module_name: str, error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing == module_name.partition(".")[0]:
        rule = "Its code must be in a Lambda layer of processor.layers, in the folder python/ of the layer's zip"
        return f"there is no module {missing}. {rule}. {_contents()} Add the layer, or correct the handler's name"
    if missing and f"{module_name}.".startswith(f"{missing}."):
        place = _file_of(sys.modules.get(missing.rpartition(".")[0]))
        return f"there is no module {missing} in {place}. Correct the handler's name, or add the module to the layer"
    what_to_do = f"Add {missing} to the layer, or correct the import" if missing else "Correct the code"
    raised = f"{type(error).__name__}: {_text_of(error)}".rstrip(".")
    return f"importing {module_name} raised {raised}{_place(error)}. {what_to_do}"


def _no_function(module: ModuleType, name: str) -> str:
    functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
    found = f" Its functions are: {_listed(functions)}." if functions else ""
    return f"{_file_of(module)} has no {name}.{found} Correct the handler's name, or the code"


def _file_of(module: ModuleType | None) -> str:
    """Where a module is: its file, or its folder if it is a package."""
    folders = list(getattr(module, "__path__", ()))
    return str(folders[0] if folders else getattr(module, "__file__", None) or module)


def _place(error: BaseException) -> str:
    """The file and line of the code that could not be imported: in a layer, not here or in Python's own importer."""
    if isinstance(error, SyntaxError):
        return f" in {error.filename}"  # its text has the line
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, importlib.__file__)
    places = [one for one in frames if one.filename not in ours and not one.filename.startswith("<frozen")]
    return f" in {places[-1].filename}, line {places[-1].lineno}" if places else ""


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except Exception:  # noqa: BLE001  # the class is the layer's
        return "(no text)"


def _not_found(job_type: JobType, problem: str) -> JobError:
    reason = f"The handler {job_type.handler} of job type {shown(job_type.name)} can't be used: {problem}"
    return JobError("HANDLER_NOT_FOUND", f"{reason}, apply, and retry the jobs from the DLQ.")


def _contents() -> str:
    names = {path.stem for folder in _layer_folders() for path in folder.iterdir() if path.name[0] not in "._"}
    return f"The function's layers have {_listed(sorted(names))}." if names else "The function's layers have no code."


def _layer_folders() -> list[Path]:
    # By their names: other runtimes that run Lambda functions, such as local ones, unpack layers elsewhere.
    folders = [Path(folder) for folder in sys.path]
    return [
        one for one in folders if one.is_dir() and (one.name == "python" or one.match("python/lib/*/site-packages"))
    ]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:_MOST_NAMES])}{', and others' if len(names) > _MOST_NAMES else ''}"
