"""Customer managed keys: can they be used, and do their policies let in the services that use them by themselves?

Queues, table, and bucket use a key with the permissions of whoever calls them. CloudWatch Logs and CloudWatch's alarms
use it as themselves, which only the key's own policy can allow
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ai_jobs.aws.clients import get_kms_client
from ai_jobs.operate.doctor.findings import Finding, State, Subject

CLOUDWATCH = "cloudwatch.amazonaws.com"
"""The alarms, as a key's policy names them."""

_VARIABLE = "kms_key_arn"
_NEEDED = {
    "logs": ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:DescribeKey"),
    "cloudwatch": ("kms:Decrypt", "kms:GenerateDataKey"),
}


def check_key(subject: Subject) -> Iterator[Finding]:
    """Can the environment's own key (`kms_key_arn`) be used, also for the logs? No finding without one."""
    key_id = subject.queue("request queue").get("KmsMasterKeyId", "")
    if key_id.startswith("arn:"):
        region = key_id.split(":")[3]
        yield from use_of_key(f"key {key_id.rpartition('/')[2]}", key_id, _VARIABLE, f"logs.{region}.amazonaws.com")


def use_of_key(name: str, key_id: str, variable: str, service: str) -> Iterator[Finding]:
    """Can the key be used, and does its policy let in the service?

    Args:
        key_id: its id, ARN, or alias.
        variable: the module's variable that names the key.
        service: as policies name it: `cloudwatch.amazonaws.com`.
    """
    client = get_kms_client()
    key = client.describe_key(KeyId=key_id)["KeyMetadata"]
    if key["KeyState"] != "Enabled":
        yield _unusable(name, key, variable)
        return
    policy = json.loads(client.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    if missing := _missing_actions(policy, service):
        found = f"the policy of {variable}, key {key['KeyId']}, does not allow {service} {', '.join(missing)}"
        advice = (
            "add a statement to the key's policy (docs/how-to/use-your-own-key.md): "
            f"Principal {service}, Action {', '.join(missing)}"
        )
        yield Finding(name, State.FAILED, found, advice)
    else:
        yield Finding(name, State.OK, f"enabled; its policy lets in {service}")


def _unusable(name: str, key: Mapping[str, Any], variable: str) -> Finding:
    key_id, state = key["KeyId"], key["KeyState"]
    ways_back = {
        "Disabled": f"aws kms enable-key --key-id {key_id}",
        "PendingDeletion": f"aws kms cancel-key-deletion --key-id {key_id}, and aws kms enable-key --key-id {key_id}",
    }
    found = f"{variable}, key {key_id}, is {state}: whatever is encrypted with it can't be read or written"
    return Finding(name, State.FAILED, found, ways_back.get(state, "look at the key in the console"))


def _missing_actions(policy: Mapping[str, Any], service: str) -> list[str]:
    """The actions that the service needs, and that no statement allows it. Conditions are taken to be met."""
    allowed = [
        action
        for statement in _listed(policy.get("Statement", []))
        if statement.get("Effect") == "Allow" and _is_for(statement.get("Principal", {}), service)
        for action in _listed(statement.get("Action", []))
    ]
    needed = _NEEDED[service.partition(".")[0]]
    return [action for action in needed if not any(fnmatchcase(action.lower(), one.lower()) for one in allowed)]


def _is_for(principal: Any, service: str) -> bool:
    return (
        principal == "*" or service in _listed(principal.get("Service", [])) or "*" in _listed(principal.get("AWS", []))
    )


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]
