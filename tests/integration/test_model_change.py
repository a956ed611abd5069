"""A model is changed while jobs run: R-J7 on the local AWS."""

from __future__ import annotations

import json

import boto3
import pytest

from ai_jobs import AIJobMessage
from tests.deployed_types import DeployedTypes

OLD, NEW = "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"
JOBS = 100
# So many calls of the new model come before IAM has heard of the new policy everywhere.
TOO_EARLY = 5


class Change:
    """What `terraform apply` does to change a model, step by step and in its order (tests/terraform/test_order.py)."""

    def __init__(self, outputs, model):
        self._iam, self._types = boto3.client("iam"), DeployedTypes(outputs)
        self._role = outputs.processor_role_name
        self._policy = self._iam.get_role_policy(RoleName=self._role, PolicyName="function")["PolicyDocument"]
        self._permitted, self._denied = OLD, model.denied
        model.may_call = self._may_call

    def _may_call(self, model_id):
        """Bedrock's part: nobody asks the role's policy on the way to the stub."""
        spread = model_id == OLD or self._denied.count(model_id) >= TOO_EARLY
        return spread and model_id == self._permitted

    def permit(self, model_id):
        """The role's policy, which takes its time to spread."""
        text = json.dumps(self._policy).replace(OLD, model_id)
        self._iam.put_role_policy(RoleName=self._role, PolicyName="function", PolicyDocument=text)
        self._permitted = model_id

    def deploy(self, model_id):
        """A new version of the job types, and its deployment."""
        self._types.deploy(lambda document: document.replace(OLD, model_id))


@pytest.fixture
def change(outputs, model):
    changed = Change(outputs, model)
    yield changed
    changed.permit(OLD)
    changed.deploy(OLD)
    model.may_call = lambda _model_id: True


def test_a_model_that_is_changed_under_a_hundred_jobs_fails_none_of_them(
    outputs, change, ended, model, text, until
):  # R-J7 R-E1
    jobs = [AIJobMessage("user-1", "echo", {"text": text("slow:0.5")}) for _ in range(JOBS)]
    sqs = boto3.client("sqs")
    for first in range(0, JOBS, 10):
        batch = jobs[first : first + 10]
        entries = [{"Id": str(number), "MessageBody": job.to_body()} for number, job in enumerate(batch)]
        sqs.send_message_batch(QueueUrl=outputs.request_queue_url, Entries=entries)
    until(lambda: len(model.in_flight) > 3, "the first calls")

    change.permit(NEW)
    until(lambda: OLD in model.denied, "workers that still call the old model")
    change.deploy(NEW)

    found = [ended(job.job_id) for job in jobs]
    assert [job["error"] for job in found if job["status"] != "completed"] == []
    models = {job["model"] for job in found}
    assert models == {OLD, NEW}, "the change came while jobs ran"
    assert NEW in model.denied, "and before the new permission had spread"
    assert all(model.calls(job.input["text"]) == 1 for job in jobs), "what is denied is not billed"
