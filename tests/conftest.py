"""What more than one suite reads: the plans, made once per session."""

from __future__ import annotations

import pytest

from tests.plans import Plan, read


@pytest.fixture(scope="session")
def plans() -> dict[str, Plan]:
    return read()
