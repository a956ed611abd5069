"""What mocks do not reach, on another Terraform or OpenTofu: a plan with the real provider."""

from __future__ import annotations

from pathlib import Path

from scripts.record_release import recorded
from tests.release_plans import Root, caller


def test_a_new_deployment_is_only_created(tmp_path: Path) -> None:
    with caller() as endpoint_url:
        changes = Root(recorded()[-1], tmp_path / "data", endpoint_url).changes(tmp_path / "none.json")
    assert {change["action"] for change in changes} == {"create"}
    assert len(changes) > 150
