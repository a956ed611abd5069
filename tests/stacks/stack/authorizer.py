"""The Lambda authorizer of the tests: believes whatever user a token names."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a TOKEN authorizer's question: `Bearer user NAME` may call, `Bearer banned NAME` may not.

    Raises:
        Exception: with the one word that API Gateway answers with 401, when the token is none of these.
    """
    kind, _, name = event["authorizationToken"].removeprefix("Bearer ").partition(" ")
    if kind not in ("user", "banned"):
        raise Exception("Unauthorized")  # API Gateway's protocol
    # The whole stage: the answer is kept for other routes, too.
    stage = "/".join(event["methodArn"].split("/")[:2])
    effect = "Allow" if kind == "user" else "Deny"
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": f"{stage}/*"}
    return {"principalId": name, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
