"""The applied stack. A plugin of its own: pytest-terraform's decorator works only once pytest is configured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pytest_terraform import terraform

# Leaves the fixture `stack` in this module. Nothing is destroyed in the end: the local AWS is thrown away after the
# tests, and it would only cost half a minute.
terraform("stack", scope="session", replay=False, teardown=terraform.TEARDOWN_OFF)


@pytest.fixture(scope="session")
def outputs(stack: Any) -> SimpleNamespace:
    """The outputs of tests/integration/stack."""
    return SimpleNamespace(**{name: output["value"] for name, output in stack.outputs.items()})
