"""Who calls the API in the token modes: their users and tokens, as a fixture of the integration tests."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass

import boto3
import pytest

from scripts.local_api import Api

KEY = {"x-api-key": "integration-key-0123456789"}
PASSWORD = "Passw0rd!"


@dataclass(frozen=True)
class Mode:
    """An API whose callers bring tokens.

    Attributes:
        api: calls it, without any credentials.
        users: two of its users, as the API names them.
        tokens: a good token for each of them, as a header's value.
        bad: tokens that are refused, by what is wrong with them.
        headers: what every good call carries besides the token.
    """

    api: Api
    users: tuple[str, str]
    tokens: tuple[str, str]
    bad: dict[str, str]
    headers: dict[str, str]

    def call(self, method, path, *, user=0, body=None, **headers):
        """Status, code of the error (None without one) and answer of a call in a user's name."""
        sent = self.headers | {"Authorization": self.tokens[user]} | headers
        content = None if body is None else json.dumps(body).encode()
        status, _, answer = self.api.request(method, path, content, {k: v for k, v in sent.items() if v is not None})
        return status, answer.get("error", {}).get("code"), answer


def forged(token, **claims):
    """The token with other claims, under the old signature."""
    head, payload, signature = token.split(".")
    document = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | claims
    changed = base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def sign_in(pool, client_id, name):
    """An ID token of a user, who is made for it."""
    cognito = boto3.client("cognito-idp")
    cognito.admin_create_user(UserPoolId=pool, Username=name, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True)
    return token_of(pool, client_id, name)


def token_of(pool, client_id, name):
    answer = boto3.client("cognito-idp").admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
    )
    return answer["AuthenticationResult"]["IdToken"]


def expired_token(pool, name):
    """A token of an app client whose tokens hardly last: AWS knows nothing below five minutes."""
    client = boto3.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool,
        ClientName="hasty",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
        IdTokenValidity=1,
        TokenValidityUnits={"IdToken": "seconds"},
    )["UserPoolClient"]["ClientId"]
    token = token_of(pool, client, name)
    time.sleep(max(0.0, claims_of(token)["exp"] + 0.1 - time.time()))
    return token


@pytest.fixture(scope="session")
def modes(outputs, local_aws_instance):
    def unsigned(key):
        url = f"{local_aws_instance.endpoint_url}/restapis/{outputs.token_api_ids[key]}/v1/_user_request_"
        return Api(url, auth=lambda request: {})

    pool, client = outputs.user_pool_id, outputs.user_pool_client_id
    tokens = [sign_in(pool, client, name) for name in ("ada", "grace")]
    subjects = [claims_of(token)["sub"] for token in tokens]
    return {
        "cognito": Mode(
            unsigned("cognito"),
            (subjects[0], subjects[1]),
            (f"Bearer {tokens[0]}", f"Bearer {tokens[1]}"),
            {
                "no token": "Bearer abc",
                "expired": f"Bearer {expired_token(pool, 'ada')}",
                "of another user": f"Bearer {forged(tokens[0], sub=subjects[1])}",
                "of another pool": f"Bearer {forged(tokens[0], iss='https://cognito-idp.us-east-1.amazonaws.com/no')}",
            },
            {},
        ),
        "custom": Mode(
            unsigned("custom"),
            ("ada@example.com", "grace"),
            ("Bearer user ada@example.com", "Bearer user grace"),
            {"unknown": "Bearer abc"},
            KEY,
        ),
    }
