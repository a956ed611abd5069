"""A child of `tests.forked` never outlives its test: it would keep pytest's output open."""

from __future__ import annotations

import os
import time

import pytest

from tests.forked import Child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def _hang() -> None:
    time.sleep(600)


def _is_gone(child: Child) -> bool:
    try:
        os.kill(child.pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_test_that_fails_leaves_no_child_behind() -> None:
    with pytest.raises(AssertionError, match="the parent's own"), Child(_hang) as one, Child(_hang) as two:
        raise AssertionError("the parent's own")
    assert _is_gone(one)
    assert _is_gone(two)


def test_a_child_that_hangs_ends_with_its_test() -> None:
    with pytest.raises(TimeoutError), Child(_hang) as one, Child(_hang) as two:
        one.result(0.1)
    assert _is_gone(one)
    assert _is_gone(two)


def test_a_child_that_has_ended_is_reaped() -> None:
    with Child(lambda: "done") as child:
        assert child.result() == "done"
    assert _is_gone(child)


def test_a_child_whose_result_cannot_be_sent_does_not_return_into_the_tests() -> None:
    with Child(lambda: lambda: None) as child, pytest.raises(EOFError):
        child.result()
    assert _is_gone(child)
