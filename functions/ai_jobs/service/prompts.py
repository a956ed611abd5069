"""Prompt templates: Jinja2 over the fields of an input, and nothing else.

An input comes from whoever submits jobs. No template, however well-intentioned, may let an input exhaust the worker's
memory or reach Python: attributes are fields, and operators and filters that multiply are limited, as is the prompt.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.runtime import Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ai_jobs.contract.errors import JobError, MisconfiguredError, shown

MAX_PROMPT_CHARACTERS = 10_000_000
"""More than any model reads, and more than the largest input has."""

_MAX_MULTIPLIED = 1_000_000
_MAX_WIDTH = 1_000
_MAX_BITS = 4_096
_MAX_ARGUMENTS = {"center": _MAX_WIDTH, "indent": 100, "round": 100, "batch": 1_000_000, "slice": 1_000_000}

_UNDEFINED_NAME = re.compile(r"'([^']+)' is undefined|has no attribute '([^']+)'")

# The width and the precision of a conversion such as %-20.5s; a * reads them from the values.
_CONVERSION = re.compile(r"%(?:\(.*?\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?")

# The objects that Jinja itself provides in a template keep their attributes and methods.
_JINJAS_OWN = (LoopContext, Macro, TemplateReference, Undefined)
_CALLABLE_NAMES = ("loop", "self")


class _TooLargeError(ArithmeticError):
    """The value of an expression would take more memory than a prompt may use."""


class _Environment(ImmutableSandboxedEnvironment):
    """`{{ order.items }}` is the field `items` of `order`: values have fields, but no Python attributes."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        # Jinja's own `range`, `dict`, and `lipsum` would replace a missing input field of that name.
        self.globals.clear()
        # It returns only Python attributes, never fields.
        del self.filters["attr"]
        self.filters["format"] = _with_checked_format(self.filters["format"])
        self.filters |= {name: _bounded(self.filters[name], limit) for name, limit in _MAX_ARGUMENTS.items()}
        self.policies["json.dumps_kwargs"] = {"ensure_ascii": False}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The field; for Jinja's own objects (`loop`), their attribute."""
        if isinstance(obj, _JINJAS_OWN):
            return super().getattr(obj, attribute)
        # Some filters return named tuples (groupby).
        if isinstance(obj, tuple) and attribute in getattr(obj, "_fields", ()):
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The field or item, without Jinja's fallback to an attribute."""
        if isinstance(obj, _JINJAS_OWN):
            return super().getitem(obj, argument)
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Reject products, powers, and formatted strings that no prompt has room for."""
        if operator == "%" and isinstance(left, str):
            _check_conversions(left)
        elif operator == "*":
            _check_product(left, right)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_limit(left.bit_length() * right, _MAX_BITS)
        return super().call_binop(context, operator, left, right)


def _check_limit(size: int, limit: int) -> None:
    if size > limit:
        raise _TooLargeError(f"An expression asks for {size}. A prompt may ask for at most {limit}.")


def _check_product(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            _check_limit(len(one) * other, _MAX_MULTIPLIED)
    if isinstance(left, int) and isinstance(right, int):
        _check_limit(left.bit_length() + right.bit_length(), _MAX_BITS)


def _check_conversions(text: str) -> None:
    for conversion in _CONVERSION.finditer(text):
        for number in conversion.groups():
            if number == "*" or (number and int(number[:9]) > _MAX_WIDTH):
                raise _TooLargeError(f"{conversion[0]} may produce more than the allowed {_MAX_WIDTH} characters.")


def _with_checked_format(built_in: Callable[..., str]) -> Callable[..., str]:
    def checked(value: Any, *args: Any, **kwargs: Any) -> str:
        _check_conversions(str(value))
        return built_in(value, *args, **kwargs)

    return functools.update_wrapper(checked, built_in)


def _bounded(built_in: Callable[..., Any], limit: int) -> Callable[..., Any]:
    """The filter, without numbers that could make a string or a list of any length."""

    def bounded(value: Any, *args: Any, **kwargs: Any) -> Any:
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, int):
                _check_limit(argument, limit)
        return built_in(value, *args, **kwargs)

    return functools.update_wrapper(bounded, built_in)


_ENVIRONMENT = _Environment()


def compile_prompt(source: Any, place: str) -> Template:
    """The compiled template.

    Args:
        place: the template's name in error messages.

    Raises:
        MisconfiguredError: if the source is not a valid template; it names the line, if that is known.
    """
    if not isinstance(source, str) or not source.strip():
        raise MisconfiguredError(place, f"It is {shown(source)}. It must be a non-empty string.")
    if any("\ud800" <= character <= "\udfff" for character in source):
        raise MisconfiguredError(place, "It has half a surrogate pair, which can't be sent to a model.")
    try:
        _check_calls(_ENVIRONMENT.parse(source))
        return _ENVIRONMENT.from_string(source)
    except TemplateSyntaxError as error:
        raise MisconfiguredError(f"{place}, line {error.lineno}", error.message or "It can't be parsed.") from error
    except Exception as error:  # parsed with recursion and compiled to Python, which can fail in many ways
        reason = f"It can't be compiled, because it is nested too deeply or too large ({type(error).__name__})."
        raise MisconfiguredError(place, reason) from error


def static_beginning(source: str) -> str:
    """The text before a valid template's first expression or statement: every prompt of it begins with that."""
    body = _ENVIRONMENT.parse(source).body  # empty if there are only comments
    beginning = body[0].nodes[0] if body and isinstance(body[0], nodes.Output) else None
    return beginning.data if isinstance(beginning, nodes.TemplateData) else ""


def _check_calls(template: nodes.Template) -> None:
    """Report here, and not with every job, that a value has no methods."""
    for call in template.find_all(nodes.Call):
        called = call.node
        if isinstance(called, nodes.Getattr) and not (
            isinstance(called.node, nodes.Name) and called.node.name in _CALLABLE_NAMES
        ):
            rule = "Values have fields, but no methods"
            problem = f"{called.attr}() can't be called. {rule}. Use a filter, such as |{called.attr}."
            raise TemplateSyntaxError(problem, call.lineno)


def render(template: Template, values: Mapping[str, Any], job_type: str) -> str:
    """The rendered prompt.

    Raises:
        JobError: `UNDEFINED_FIELD`, naming the field; `INPUT_TOO_LONG`; `INVALID_PROMPT` if the template itself fails.
    """
    try:
        return _joined(template, values, job_type)
    except JobError:
        raise
    except UndefinedError as error:
        names = _UNDEFINED_NAME.search(error.message or "")
        name = (names.group(1) or names.group(2)) if names else None
        raise JobError(
            "UNDEFINED_FIELD",
            f"The prompt of job type {shown(job_type)} uses a field that the input does not have: {name or 'unknown'}.",
            f"input.{name}" if name else "input",
        ) from None
    except _TooLargeError as error:
        raise JobError(
            "INVALID_PROMPT", f"The prompt of job type {shown(job_type)} can't be rendered. {error}"
        ) from None
    except Exception as error:  # noqa: BLE001  # a template can raise whatever its expressions raise
        raise JobError(
            "INVALID_PROMPT", f"The prompt of job type {shown(job_type)} can't be rendered ({type(error).__name__})."
        ) from None


def _joined(template: Template, values: Mapping[str, Any], job_type: str) -> str:
    parts, size = [], 0
    for part in template.generate(values):
        size += len(part)
        if size > MAX_PROMPT_CHARACTERS:
            problem = f"has over {MAX_PROMPT_CHARACTERS} characters with this input"
            raise JobError("INPUT_TOO_LONG", f"The prompt of job type {shown(job_type)} {problem}.", "input")
        parts.append(part)
    return "".join(parts)
