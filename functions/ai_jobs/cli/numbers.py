"""Options that are numbers: an error names the value, the rule, and what to pass instead.

Each function returns a callback for `click.option` with `type=str`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import click

from ai_jobs.contract.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable


def whole_number(
    lowest: int, highest: int | None = None, why: str = ""
) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """A whole number between two bounds.

    Args:
        highest: None if there is no upper bound.
        why: where the bounds come from, for the message.
    """
    bounds = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"

    def convert(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
        if text is None:
            return None
        if not is_whole(text):
            raise click.BadParameter(f"{text!r} is not a whole number: pass one {bounds}{why}")
        number = int(text)
        if number < lowest or (highest is not None and number > highest):
            raise click.BadParameter(f"{number} is out of range: pass a whole number {bounds}{why}")
        return number

    return convert


def limited(name: str) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """A whole number within the module's limits for it, which are AWS's (contract/limits.json)."""
    return whole_number(LIMITS[name].min, LIMITS[name].max, ", the range that AWS accepts")


def positive_number(highest: float, unit: str) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """A number above 0, which may be a fraction.

    Args:
        highest: the largest that makes sense.
        unit: what it counts, for the message.
    """

    def convert(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
        if text is None:
            return None
        number = read_number(text)
        if number is None:
            raise click.BadParameter(f"{text!r} is not a number: pass {unit}, above 0 and up to {highest:,g}")
        if not 0 < number <= highest:
            raise click.BadParameter(f"{text} is out of range: pass {unit}, above 0 and up to {highest:,g}")
        return number

    return convert


def fraction(_: click.Context, __: click.Parameter, text: str) -> float:
    """A share, from 0 to 1."""
    number = read_number(text)
    if number is None or not 0 <= number <= 1:
        raise click.BadParameter(f"{text!r} is not a share: pass a number from 0 to 1, such as 0.95")
    return number


def is_whole(text: str) -> bool:
    """Whether a text is a whole number, of no more digits than anything here has."""
    return re.fullmatch(r"[0-9]{1,18}", text) is not None


def read_number(text: str) -> float | None:
    """The number in a text; None if it is something else or not finite."""
    # float() also reads 1_0, and digits of other scripts.
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text, re.IGNORECASE):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
