"""R-B4: our signer returns what botocore's returns, for less CPU time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials, ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from ai_jobs.aws import clients, signing

# botocore's clock has no time zone.
NOON, LAST_SECOND, NEXT_DAY = map(datetime.fromisoformat, ["2026-01-31T12:00", "2026-01-31T23:59:59", "2026-02-01"])
UPDATE = {
    "TableName": "jobs",
    "Key": {"jobId": {"S": "job-1"}},
    "UpdateExpression": "SET #f0 = :f0",
    "ExpressionAttributeNames": {"#f0": "status"},
    "ExpressionAttributeValues": {":f0": {"S": "queued"}},
}
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/requests"
CONVERSE = {"modelId": "eu.amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "Häuser"}]}]}
SENT = {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "{}"}]}
HIDDEN = {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 900}]}
PUT = {"Entries": [{"Source": "ai-jobs", "DetailType": "AI Job Completed", "Detail": "{}"}]}
SESSION = {"ApplicationIdentifier": "a", "EnvironmentIdentifier": "e", "ConfigurationProfileIdentifier": "p"}


@pytest.fixture
def _moment(monkeypatch):
    """Each call is made at the same time and with the same id, so that two of them differ only by who signs."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOON)
    monkeypatch.setattr("botocore.endpoint.uuid.uuid4", lambda: UUID(int=0))


def sent(client, operation, arguments):
    """The headers of a request that the client sends."""
    requests = []

    def answer(request, **_):
        requests.append(request)
        return AWSResponse(request.url, 200, {}, type("Body", (), {"stream": lambda _: iter([b"{}"])})())

    client.meta.events.register("before-send", answer)
    getattr(client, operation)(**arguments)
    client.meta.events.unregister("before-send", answer)
    (request,) = requests
    return dict(request.headers.items())


@pytest.mark.usefixtures("_moment")
@pytest.mark.parametrize(
    ("client", "operation", "arguments"),
    [
        (clients.get_dynamodb_client, "update_item", UPDATE),
        (clients.get_sqs_sending_client, "send_message_batch", SENT),
        (clients.get_sqs_sending_client, "change_message_visibility_batch", HIDDEN),
        (clients.get_sqs_client, "receive_message", {"QueueUrl": QUEUE}),
        (clients.get_events_client, "put_events", PUT),
        (lambda: clients.get_bedrock_client(60), "converse", CONVERSE),
        (clients.get_appconfigdata_client, "start_configuration_session", SESSION),
        (clients.get_appconfigdata_client, "get_latest_configuration", {"ConfigurationToken": "a/b+c="}),
        (clients.get_lambda_client, "list_functions", {"MaxItems": 7}),
        (clients.get_s3_client, "get_object", {"Bucket": "inputs", "Key": "a b"}),
    ],
)
def test_each_service_gets_botocores_signature(monkeypatch, client, operation, arguments):
    ours = sent(client(), operation, arguments)
    monkeypatch.setattr(clients, "sign_quickly", lambda _: None)
    clients.forget_clients()
    assert ours == sent(client(), operation, arguments)
    assert b"AWS4-HMAC-SHA256" in ours["Authorization"]


@pytest.mark.usefixtures("_moment")
def test_our_signer_is_used(monkeypatch):
    monkeypatch.setattr(signing._Signer, "signature", lambda *_: "ours")
    assert sent(clients.get_dynamodb_client(), "update_item", UPDATE)["Authorization"].endswith(b"Signature=ours")
    assert sent(clients.get_bedrock_client(60), "converse", CONVERSE)["Authorization"].endswith(b"Signature=ours")


def test_a_bearer_token_is_still_one(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-token")
    assert sent(clients.get_bedrock_client(60), "converse", CONVERSE)["Authorization"] == b"Bearer a-token"


@pytest.mark.usefixtures("_moment")
def test_the_next_call_is_signed_with_renewed_credentials(monkeypatch):
    class Renewed(Credentials):
        def get_frozen_credentials(self):
            return next(keys)

    keys = iter([ReadOnlyCredentials("old", "old-secret", "old-token"), ReadOnlyCredentials("new", "secret", None)])
    client = clients.get_dynamodb_client()
    monkeypatch.setattr(client._request_signer, "_credentials", Renewed("", ""))
    old, new = (sent(client, "update_item", UPDATE) for _ in range(2))
    assert (b"Credential=old/" in old["Authorization"], old["X-Amz-Security-Token"]) == (True, b"old-token")
    assert (b"Credential=new/" in new["Authorization"], "X-Amz-Security-Token" in new) == (True, False)
    assert old["Authorization"].rpartition(b"=")[2] != new["Authorization"].rpartition(b"=")[2]


REQUESTS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["POST", "GET", "PUT"]),
        "url": st.sampled_from(
            [
                "https://dynamodb.us-east-1.amazonaws.com/",
                "https://user@SQS.us-east-1.amazonaws.com:443",
                "http://127.0.0.1:4566/model/a%3Ab/../converse?b=2&a=%20&b=1",
                "http://[::1]:80/x//y?",
            ]
        ),
        "headers": st.dictionaries(
            st.sampled_from(
                ["Content-Type", "content-type", "User-Agent", "X-Amz-Target", "Date", "Host", "x-amz-date"]
            ),
            st.text("ab \t,é", max_size=5),
        ),
        "data": st.one_of(st.binary(max_size=9), st.text(max_size=5), st.just({"a": "b c"})),
        "params": st.sampled_from([{}, {"b": "ü", "a": "/"}]),
    }
)
CREDENTIALS = st.builds(
    ReadOnlyCredentials, st.just("AKIA"), st.sampled_from(["secret", "other"]), st.sampled_from([None, "token"])
)
CONTEXTS = st.sampled_from(
    [{}, {"payload_signing_enabled": False}, {"checksum": {"request_algorithm": {"in": "trailer"}}}]
)


@given(
    REQUESTS,
    CREDENTIALS,
    st.sampled_from(["sqs", "dynamodb"]),
    st.sampled_from(["us-east-1", "eu-west-1"]),
    st.sampled_from([NOON, LAST_SECOND, NEXT_DAY]),
    CONTEXTS,
)
@example(
    {"method": "POST", "url": "https://sqs.us-east-1.amazonaws.com/", "headers": {}, "data": b"{}", "params": {}},
    ReadOnlyCredentials("AKIA", "secret", "token"),
    "sqs",
    "us-east-1",
    NOON,
    {},
)
def test_every_request_gets_botocores_signature(arguments, credentials, service, region, now, context):
    def signed(signer, times):
        request = AWSRequest(**arguments)
        request.context |= context
        auth = signer(credentials, service, region)
        for _ in range(times):  # a retry signs anew
            auth.add_auth(request)
        return request.headers.items()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: now)
        assert signed(signing._Signer, 1) == signed(SigV4Auth, 1)
        assert signed(signing._Signer, 2) == signed(SigV4Auth, 2)


def test_a_header_that_comes_twice_is_signed_as_one():
    def signed(signer):
        request = AWSRequest("POST", "https://sqs.us-east-1.amazonaws.com/", {"X-Amz-B": "2  3"}, b"{}")
        request.headers["x-amz-b"] = " 1"
        signer(ReadOnlyCredentials("AKIA", "secret", None), "sqs", "us-east-1").add_auth(request)
        return request.headers.items()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: NOON)
        assert signed(signing._Signer) == signed(SigV4Auth)
