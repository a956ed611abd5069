"""The checks of `ai-jobs doctor`: whatever is right is ok, each fault is found, and none stops the other checks."""

from __future__ import annotations

import base64
import hashlib
import io
import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from ai_jobs.operate.doctor.checks import examine
from ai_jobs.operate.doctor.findings import PERMISSIONS, Finding, State, Subject

ACCOUNT = "123456789012"
ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}"
BASE = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}"
ID = "acc8ae47-a15e-4746-ab8a-039ac80da0ea"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:alarms"
MODEL = "amazon.nova-lite-v1:0"
CODE = hashlib.sha256(b"the zip").digest()
BUILD = CODE.hex()[:12]
STREAM = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/jobs/stream/2026-01-01T00:00:00.000"
GUARDRAIL = f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:guardrail/abc"
LAYER = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:acme-jobs:7"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/schedule"
PROFILE = "eu.amazon.nova-lite-v1:0"
KEY_ID = "11111111-2222-3333-4444-555555555555"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{KEY_ID}"
OUTPUTS = {
    "request_queue_url": f"{BASE}/request",
    "request_queue_arn": f"{ARN}:request",
    "request_dlq_url": f"{BASE}/request-dlq",
    "request_dlq_arn": f"{ARN}:request-dlq",
    "response_queue_url": f"{BASE}/response",
    "response_queue_arn": f"{ARN}:response",
    "response_dlq_url": f"{BASE}/response-dlq",
    "response_dlq_arn": f"{ARN}:response-dlq",
    "processor_function_name": "processor-test",
    "result_handler_function_name": "result-handler-test",
    "jobs_api_function_name": "jobs-api-test",
    "reconciler_function_name": "reconciler-test",
    "event_publisher_function_name": "event-publisher-test",
    "events_enabled": True,
    "event_bus_arn": f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default",
    "events_dlq_url": f"{BASE}/events-dlq",
    "events_dlq_arn": f"{ARN}:events-dlq",
    "builds": dict.fromkeys(("result_handler", "jobs_api", "reconciler", "event_publisher"), "0123456789ab")
    | {"processor": BUILD},
    "release": "1.2.3",
    "table_name": "jobs",
    "bucket_name": "objects",
    "config_application_id": "abc1234",
    "config_environment_id": "abc1235",
    "config_profile_id": "abc1236",
    "job_types": ["greeting", "poem"],
    "alarm_names": ["one", "two"],
    "service_alarm_name": "unhealthy",
    "api_id": "a1b2c3",
    "api_stage_name": "v1",
    "alarm_topic_arns": [TOPIC],
}
JOB_TYPE = {"modelId": MODEL, "prompt": "Hi", "maxTokens": 100, "timeoutSeconds": 60, "inputSchema": {}}

OPTIONAL = {"request_queue_arn", "job_types", "service_alarm_name", "release", "events_enabled"}
"""Outputs without which a check says less, and nothing is wrong."""
LOGS_NEED = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
INTERFACES = ("sqs", "appconfigdata", "bedrock-runtime", "events", "xray")
GUARDED = {"guardrail": {"id": "abc", "version": "1"}}


def refused(code, message="refused"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "x")


def profile_over(*model_arns):
    return {
        "inferenceProfileName": "x",
        "inferenceProfileArn": f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/{PROFILE}",
        "models": [{"modelArn": arn} for arn in model_arns],
        "inferenceProfileId": PROFILE,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


class Healthy:
    """An environment in which all is well, as its services describe it; a test breaks one thing."""

    def __init__(self, calls):
        self.calls = calls
        self.outputs = dict(OUTPUTS)
        self.queues = {
            f"{name}{kind}": self._queue(name, kind) for name in ("request", "response") for kind in ("", "-dlq")
        }
        self.queues["events-dlq"] = self._queue("events", "-dlq")
        self.functions = {
            "processor-test": {
                "Timeout": 900,
                "Role": f"arn:aws:iam::{ACCOUNT}:role/processor",
                "Runtime": "python3.13",
                "Architectures": ["arm64"],
                "Layers": [{"Arn": LAYER}],
                "CodeSha256": base64.b64encode(CODE).decode(),
                "Environment": {
                    "Variables": {
                        "AI_JOB_VISIBILITY_TIMEOUT_SECONDS": "900",
                        "AI_JOB_MAX_RECEIVE_COUNT": "3",
                        "AI_JOB_BUILD": BUILD,
                    }
                },
            },
            "result-handler-test": {"Timeout": 30} | self._built(),
            "jobs-api-test": {"Timeout": 10} | self._built(AI_JOB_MAX_WAIT_SECONDS="25"),
            "reconciler-test": {"Timeout": 120} | self._built(),
            "event-publisher-test": {"Timeout": 60} | self._built(),
        }
        self.trigger = {
            "UUID": ID,
            "State": "Enabled",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "LastProcessingResult": "OK",
            "ScalingConfig": {"MaximumConcurrency": 10},
            "BatchSize": 10,
        }
        self.stream_trigger = {
            "UUID": ID,
            "State": "Enabled",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "LastProcessingResult": "OK",
            "DestinationConfig": {"OnFailure": {"Destination": f"{ARN}:events-dlq"}},
        }
        self.account = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
        self.guardrail = {
            "guardrailArn": GUARDRAIL,
            "guardrailId": "abc",
            "name": "no secrets",
            "version": "1",
            "status": "READY",
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z",
            "blockedInputMessaging": "no",
            "blockedOutputsMessaging": "no",
        }
        self.denied = set()
        self.schedule = {
            "State": "ENABLED",
            "ScheduleExpression": "rate(5 minutes)",
            "Target": {
                "Arn": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:reconciler-test:live",
                "RoleArn": "arn:aws:iam::1:role/r",
            },
        }
        self.table = {
            "TableStatus": "ACTIVE",
            "LatestStreamArn": STREAM,
            "StreamSpecification": {"StreamEnabled": True},
            "GlobalSecondaryIndexes": [
                {"IndexName": name, "IndexStatus": "ACTIVE"} for name in ("by-user", "open-jobs")
            ],
        }
        self.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}
        self.block = {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        }
        self.versions = [7, 6]
        self.deployments = [self.deployment(2, 7), self.deployment(1, 6)]
        self.document = {"version": "v", "jobTypes": {"greeting": dict(JOB_TYPE), "poem": JOB_TYPE | GUARDED}}
        self.stage = {"methodSettings": {"*/*": {"throttlingRateLimit": 100.0}}}
        self.quotas = {"L-8A5B8E43": 10_000.0, "L-AB614373": 40_000.0, "L-9B653E91": 10_000.0}
        self.token_quotas = {
            "On-demand model inference tokens per minute for Amazon Nova Lite": 2_000_000.0,
            "Cross-region model inference tokens per minute for Amazon Nova Lite V1": 4_000_000.0,
            "Global cross-region model inference tokens per minute for Amazon Nova Lite": 8_000_000.0,
            "On-demand model inference requests per minute for Amazon Nova Lite": 1.0,
        }
        self.model = {
            "modelName": "Nova Lite",
            "providerName": "Amazon",
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }
        self.access = {
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
            "agreementAvailability": {"status": "AVAILABLE"},
        }
        self.alarms = {name: self._alarm(name) for name in ("one", "two", "unhealthy")}
        self.topic = {"TopicArn": TOPIC}
        self.queues["request"]["KmsMasterKeyId"] = KEY
        self.key = {"KeyId": KEY_ID, "KeyState": "Enabled"}
        self.key_policy = [
            self.allowed("AWS", f"arn:aws:iam::{ACCOUNT}:root", "kms:*"),
            self.allowed("Service", "cloudwatch.amazonaws.com", "kms:Decrypt", "kms:GenerateDataKey*"),
            self.allowed("Service", "logs.eu-west-1.amazonaws.com", *LOGS_NEED),
        ]
        self.functions["processor-test"]["VpcConfig"] = {"VpcId": "vpc-1", "SubnetIds": ["subnet-1", "subnet-2"]}
        self.route_tables = [
            {
                "RouteTableId": "rtb-1",
                "Associations": [{"Main": True}],
                "Routes": [
                    {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"},
                    {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"},
                ],
            }
        ]
        self.endpoints = []
        self.subscriptions = [{"SubscriptionArn": f"{TOPIC}:{ID}"}]
        calls.answers |= {
            "GetCallerIdentity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ada", "UserId": "x"},
            "GetQueueAttributes": self._attributes,
            "GetFunctionConfiguration": lambda parameters: (
                {
                    "State": "Active",
                    "LastUpdateStatus": "Successful",
                    "MemorySize": 512,
                }
                | self.functions[parameters["FunctionName"]]
            ),
            "ListEventSourceMappings": self._mappings,
            "GetAccountSettings": lambda parameters: {"AccountLimit": self.account},
            "DescribeEventBus": {"Name": "default"},
            "GetGuardrail": lambda parameters: self.guardrail,
            "SimulatePrincipalPolicy": self._simulated,
            "GetFunctionRecursionConfig": {"RecursiveLoop": "Allow"},
            "GetSchedule": lambda parameters: self.schedule,
            "GetStage": lambda parameters: self.stage,
            "GetServiceQuota": lambda parameters: self._quota(parameters, refused("NoSuchResourceException")),
            "GetAWSDefaultServiceQuota": lambda parameters: {"Quota": {"Value": 10_000.0}},
            "ListServiceQuotas": lambda parameters: {
                "Quotas": [
                    {"QuotaName": name, "QuotaCode": f"L-{number}", "Value": value}
                    for number, (name, value) in enumerate(self.token_quotas.items())
                ]
            },
            "GetLayerVersionByArn": {"CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["arm64"]},
            "DescribeTable": lambda parameters: {"Table": self.table},
            "DescribeTimeToLive": lambda parameters: {"TimeToLiveDescription": self.ttl},
            "HeadBucket": {},
            "GetPublicAccessBlock": lambda parameters: {"PublicAccessBlockConfiguration": self.block},
            "ListDeployments": lambda parameters: {"Items": self.deployments},
            "ListHostedConfigurationVersions": lambda parameters: {
                "Items": [{"VersionNumber": number} for number in self.versions]
            },
            "GetHostedConfigurationVersion": lambda parameters: {"Content": self._content()},
            "GetFoundationModel": lambda parameters: {"modelDetails": self._model(parameters["modelIdentifier"])},
            "GetFoundationModelAvailability": lambda parameters: {"modelId": parameters["modelId"]} | self.access,
            "DescribeAlarms": lambda parameters: {
                "MetricAlarms": [self.alarms[name] for name in parameters["AlarmNames"] if name in self.alarms]
            },
            "GetTopicAttributes": lambda parameters: {"Attributes": self.topic},
            "DescribeKey": lambda parameters: {"KeyMetadata": self.key},
            "GetKeyPolicy": lambda parameters: {"Policy": json.dumps({"Statement": self.key_policy})},
            "DescribeRouteTables": lambda parameters: {"RouteTables": self.route_tables},
            "DescribeVpcEndpoints": lambda parameters: {"VpcEndpoints": self.endpoints},
            "ListSubscriptionsByTopic": lambda parameters: {"Subscriptions": self.subscriptions},
        }

    def _quota(self, parameters, unknown):
        value = self.quotas.get(parameters["QuotaCode"])
        return unknown if value is None else {"Quota": {"Value": value}}

    def _built(self, **variables):
        return {"Environment": {"Variables": {"AI_JOB_BUILD": "0123456789ab"} | variables}}

    def _mappings(self, parameters):
        of_stream = parameters["EventSourceArn"] == STREAM
        trigger = self.stream_trigger if of_stream else self.trigger
        return {"EventSourceMappings": [trigger | {"EventSourceArn": parameters["EventSourceArn"]}] if trigger else []}

    def _simulated(self, parameters):
        (action,) = parameters["ActionNames"]
        decided = {
            arn: "implicitDeny" if (action, arn) in self.denied else "allowed" for arn in parameters["ResourceArns"]
        }
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalResourceName": arn, "EvalDecision": decision}
                for arn, decision in decided.items()
            ]
        }

    def _queue(self, name, kind):
        attributes = {
            "QueueArn": f"{ARN}:{name}{kind}",
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
            "MessageRetentionPeriod": "1209600",
            "VisibilityTimeout": "900" if name == "request" else "300",
        }
        if kind:
            policy = {"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}:{name}"]}
            return attributes | {"RedriveAllowPolicy": json.dumps(policy)}
        policy = {"deadLetterTargetArn": f"{ARN}:{name}-dlq", "maxReceiveCount": 3}
        return attributes | {"RedrivePolicy": json.dumps(policy)}

    def _alarm(self, name):
        return {"AlarmName": name, "ActionsEnabled": True, "AlarmActions": [TOPIC], "StateValue": "OK"}

    def allowed(self, kind, who, *actions):
        return {"Effect": "Allow", "Principal": {kind: who}, "Action": list(actions), "Resource": "*"}

    def endpoint(self, service, **more):
        name = f"com.amazonaws.eu-west-1.{service}"
        return {"ServiceName": name, "State": "available", "PrivateDnsEnabled": True} | more

    def without_a_way_out(self):
        self.route_tables[0]["Routes"].pop()
        self.endpoints = [self.endpoint(service) for service in INTERFACES]
        gateways = {"PrivateDnsEnabled": False, "RouteTableIds": ["rtb-1"]}
        self.endpoints += [self.endpoint(service, **gateways) for service in ("dynamodb", "s3")]

    def deployment(self, number, version, state="COMPLETE", profile="abc1236"):
        return {
            "DeploymentNumber": number,
            "ConfigurationVersion": str(version),
            "State": state,
            "ConfigurationProfileId": profile,
        }

    def _attributes(self, parameters):
        name = parameters["QueueUrl"].rpartition("/")[2]
        if name not in self.queues:
            return refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return {"Attributes": self.queues[name]}

    def _content(self):
        return io.BytesIO(self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode())

    def _model(self, model_id):
        return {"modelArn": f"arn:aws:bedrock:eu-west-1::foundation-model/{model_id}", "modelId": model_id} | self.model

    def findings(self):
        return list(examine(Subject(self.outputs, "ai-jobs --env test", named=True)))

    def wrong(self):
        """The findings that are not ok."""
        return [finding for finding in self.findings() if finding.state is not State.OK]

    def only(self):
        """The one finding that is not ok."""
        (finding,) = self.wrong()
        return finding


@pytest.fixture
def environment(calls):
    return Healthy(calls)


def test_all_is_well(environment):
    findings = environment.findings()
    assert [finding for finding in findings if finding.state is not State.OK] == []
    assert [finding.check for finding in findings] == [
        "credentials",
        "request queue",
        "response queue",
        "request DLQ",
        "response DLQ",
        "processor",
        "result handler",
        "jobs API",
        "reconciler",
        "event publisher",
        "builds",
        "request queue's timeout",
        "response queue's timeout",
        "request queue's trigger",
        "response queue's trigger",
        "processor's loop detection",
        "result handler's loop detection",
        "processor's memory",
        "layer acme-jobs:7",
        "network of subnet-1",
        "network of subnet-2",
        "concurrency",
        "reconciler's schedule",
        "event publisher's trigger",
        "event bus",
        "events DLQ",
        "table",
        "bucket",
        f"key {KEY_ID}",
        "job types",
        f"model {MODEL}",
        f"model {MODEL}'s permission",
        "guardrail abc",
        "guardrail abc's permission",
        "quota of API Gateway requests",
        "quota of DynamoDB writes of a table",
        "quota of EventBridge PutEvents",
        f"quota of model {MODEL}",
        "alarms",
        "topic alarms",
    ]
    assert findings[0].found == f"account {ACCOUNT}, arn:aws:iam::{ACCOUNT}:user/ada, region eu-west-1"
    assert not any(finding.advice for finding in findings)


def test_nothing_is_changed_and_no_model_is_called(environment):
    environment.findings()
    made = {name for name, _ in environment.calls.made}
    assert made <= {*PERMISSIONS, "GetCallerIdentity"}
    assert all(name.startswith(("Get", "List", "Describe", "Head", "Simulate")) for name in made)


@pytest.mark.parametrize(
    "answer",
    [NoCredentialsError(), refused("ExpiredToken"), refused("InvalidClientTokenId")],
)
def test_credentials_that_are_no_use_end_it(environment, answer):
    environment.calls.answers["GetCallerIdentity"] = answer
    credentials, rest = environment.findings()
    assert (credentials.check, credentials.state) == ("credentials", State.FAILED)
    assert "aws sso login" in credentials.advice
    assert (rest.state, rest.check) == (State.WARNING, "all else")
    assert len(environment.calls.made) == 1


def test_credentials_of_another_account_end_it(environment):
    environment.outputs["request_queue_arn"] = "arn:aws:sqs:eu-west-1:999999999999:request"
    credentials, _ = environment.findings()
    assert credentials.state is State.FAILED
    assert "the queues are in account 999999999999" in credentials.found
    assert "AWS_PROFILE" in credentials.advice


def test_the_account_of_a_url_counts_where_there_is_no_arn(environment):
    del environment.outputs["request_queue_arn"]
    assert environment.findings()[0].state is State.OK
    environment.outputs["request_queue_url"] = environment.outputs["request_queue_url"].replace(ACCOUNT, "999999999999")
    assert environment.findings()[0].state is State.FAILED


def test_another_region_ends_it(environment):
    environment.outputs["request_queue_arn"] = f"arn:aws:sqs:us-east-1:{ACCOUNT}:request"
    credentials, _ = environment.findings()
    assert credentials.state is State.FAILED
    assert credentials.advice == "set AWS_REGION=us-east-1"


def test_a_network_without_sts_keeps_the_rest(environment):
    environment.calls.answers["GetCallerIdentity"] = EndpointConnectionError(endpoint_url="https://sts")
    assert environment.only().check == "credentials"


def test_a_queue_that_is_gone(environment):
    del environment.queues["request"]
    wrong = environment.wrong()
    assert [finding.check for finding in wrong if finding.state is State.FAILED] == ["request queue"]
    assert "does not exist" in wrong[0].found
    # Each check that needs it says so briefly, and does not fail by itself.
    assert {finding.found for finding in wrong[1:]} == {
        "not checked: request queue could not be read (see that finding)"
    }
    assert (
        len([call for call in environment.calls.of("GetQueueAttributes") if call["QueueUrl"].endswith("request")]) == 1
    )


@pytest.mark.parametrize(
    ("queue", "attribute", "value", "state", "found", "advice"),
    [
        ("request", "RedrivePolicy", "", "failed", "no redrive policy", "terraform apply"),
        (
            "response",
            "RedrivePolicy",
            json.dumps({"deadLetterTargetArn": f"{ARN}:other", "maxReceiveCount": 3}),
            "failed",
            f"dead-letters to {ARN}:other, not to {ARN}:response-dlq",
            "terraform apply",
        ),
        ("request-dlq", "RedriveAllowPolicy", "", "warning", "any queue", "terraform apply"),
        (
            "request-dlq",
            "RedriveAllowPolicy",
            json.dumps({"redrivePermission": "denyAll"}),
            "failed",
            f"does not let {ARN}:request dead-letter into it",
            "terraform apply",
        ),
        (
            "response-dlq",
            "RedriveAllowPolicy",
            json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}:response", f"{ARN}:other"]}),
            "warning",
            f"lets other queues dead-letter into it: {ARN}:other",
            "terraform apply",
        ),
        (
            "response-dlq",
            "MessageRetentionPeriod",
            "345600",
            "warning",
            "keeps messages for 345600 s, its queue for 1209600 s",
            "response_queue.dlq_message_retention_seconds = 1209600",
        ),
        (
            "request-dlq",
            "ApproximateNumberOfMessages",
            "2",
            "warning",
            "holds 2 messages",
            "look at them: ai-jobs --env test dlq list --queue request",
        ),
        (
            "response-dlq",
            "ApproximateNumberOfMessagesNotVisible",
            "1",
            "warning",
            "holds 1 message",
            "look at them: ai-jobs --env test dlq list --queue response",
        ),
    ],
)
def test_queues(environment, queue, attribute, value, state, found, advice):  # R-Q1 R-Q2 R-Q3 R-Q4 R-E4
    environment.queues[queue][attribute] = value
    finding = environment.only() if attribute != "RedrivePolicy" else environment.wrong()[0]
    assert finding.check.lower() == queue.replace("-", " ") + ("" if "dlq" in queue else " queue")
    assert finding.state == state
    assert found in finding.found
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("function", "fields", "state", "found"),
    [
        ("processor-test", {"State": "Failed", "StateReason": "no such role"}, "failed", "no such role"),
        ("jobs-api-test", {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "bad zip"}, "failed", "bad zip"),
        ("reconciler-test", {"LastUpdateStatus": "InProgress"}, "warning", "InProgress"),
        ("result-handler-test", {"State": "Inactive"}, "warning", "Inactive"),
    ],
)
def test_functions(environment, function, fields, state, found):
    environment.functions[function] |= fields
    finding = environment.only()
    assert finding.check.lower().replace(" ", "-") + "-test" == function
    assert finding.state == state
    assert found in finding.found


def test_messages_that_come_back_while_they_are_worked_on(environment):
    environment.queues["response"]["VisibilityTimeout"] = "29"
    finding = environment.only()
    assert (finding.check, finding.state) == ("response queue's timeout", State.FAILED)
    assert "come back after 29 s, but the result handler may take 30 s" in finding.found
    assert "response_queue.visibility_timeout_seconds = 30" in finding.advice


def test_a_queue_that_is_not_what_the_processor_counts_on(environment):
    policy = {"deadLetterTargetArn": f"{ARN}:request-dlq", "maxReceiveCount": 5}
    environment.queues["request"]["RedrivePolicy"] = json.dumps(policy)
    finding = environment.only()
    assert (finding.check, finding.state) == ("request queue's timeout", State.WARNING)
    assert "AI_JOB_MAX_RECEIVE_COUNT is 3, the queue has 5" in finding.found


def test_a_paused_worker(environment):
    environment.trigger["State"] = "Disabled"
    environment.queues["request"]["ApproximateNumberOfMessages"] = "3"
    request, response = environment.wrong()
    assert (request.check, request.state) == ("request queue's trigger", State.FAILED)
    assert request.found == "paused: the processor is stopped, 3 messages waiting"
    assert request.advice == "resume it: ai-jobs --env test resume request"
    assert response.advice == "resume it: ai-jobs --env test resume response"


@pytest.mark.parametrize(
    ("fields", "state", "found"),
    [
        ({"State": "Updating"}, "warning", "updating"),
        ({"FunctionResponseTypes": []}, "failed", "ReportBatchItemFailures is off"),
        ({"LastProcessingResult": "PROBLEM: Function call failed"}, "warning", "PROBLEM: Function call failed"),
    ],
)
def test_triggers(environment, fields, state, found):
    environment.trigger |= fields
    for finding in environment.wrong():
        assert finding.check in ("request queue's trigger", "response queue's trigger")
        assert finding.state == state
        assert found in finding.found
        assert finding.advice


def test_no_trigger(environment):
    environment.calls.answers["ListEventSourceMappings"] = {"EventSourceMappings": []}
    failed = [finding.check for finding in environment.wrong() if finding.state is State.FAILED]
    assert failed == ["request queue's trigger", "response queue's trigger", "event publisher's trigger"]
    # Then the size of the batches and the workers' concurrency are not known.
    others = [finding for finding in environment.wrong() if finding.state is State.WARNING]
    assert [other.check for other in others] == ["processor's memory", "concurrency", "model quotas"]
    unknown = "not checked: the request queue has no trigger (see that finding)"
    assert [other.found for other in others[:2]] == [unknown, unknown]


def test_lambda_takes_delayed_copies_for_a_loop(environment):
    environment.calls.answers["GetFunctionRecursionConfig"] = {"RecursiveLoop": "Terminate"}
    assert [(finding.check, finding.state) for finding in environment.wrong()] == [
        ("processor's loop detection", State.FAILED),
        ("result handler's loop detection", State.FAILED),
    ]


@pytest.mark.parametrize(
    ("version", "state", "found"),
    [
        ({"CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["arm64"]}, State.OK, "exists"),
        ({}, State.OK, "exists"),  # for whatever there is
        ({"CompatibleRuntimes": ["python3.12"]}, State.WARNING, "was made for Python python3.12, not python3.13"),
        ({"CompatibleArchitectures": ["x86_64"]}, State.WARNING, "was made for architecture x86_64, not arm64"),
        (refused("ResourceNotFoundException"), State.FAILED, "has been deleted"),
    ],
)
def test_the_processors_layers(environment, version, state, found):  # R-A5
    environment.calls.answers["GetLayerVersionByArn"] = version
    (finding,) = [one for one in environment.findings() if one.check == "layer acme-jobs:7"]
    assert (finding.state, found in finding.found) == (state, True)
    assert environment.calls.of("GetLayerVersionByArn") == [{"Arn": LAYER}]


def test_a_handler_without_a_layer(environment):  # R-A5
    del environment.functions["processor-test"]["Layers"]
    environment.document["jobTypes"]["poem"]["handler"] = "acme_jobs.poems:write"
    finding = environment.only()
    assert (finding.check, finding.state) == ("processor's layers", State.FAILED)
    assert "these job types have a handler: poem" in finding.found


def test_the_schedule(environment):
    environment.schedule["State"] = "DISABLED"
    finding = environment.only()
    assert (finding.check, finding.state) == ("reconciler's schedule", State.FAILED)
    assert "reconciler.enabled = true" in finding.advice
    environment.schedule |= {
        "State": "ENABLED",
        "Target": environment.schedule["Target"] | {"Arn": "arn:x:function:other"},
    }
    assert "runs arn:x:function:other" in environment.only().found
    environment.calls.refuse("GetSchedule", "ResourceNotFoundException", "Schedule reconciler-test does not exist.")
    assert environment.only().state is State.FAILED


def test_the_table(environment):
    environment.table["GlobalSecondaryIndexes"] = [{"IndexName": "by-user", "IndexStatus": "CREATING"}]
    environment.ttl = {"TimeToLiveStatus": "DISABLED"}
    assert [(finding.check, finding.state, finding.found) for finding in environment.wrong()] == [
        ("table", State.WARNING, "index by-user is CREATING"),
        ("table", State.FAILED, "index open-jobs is missing"),
        ("table", State.FAILED, "expiry by expiresAt is off: jobs are kept forever"),
    ]


def test_the_bucket(environment):
    environment.block["BlockPublicPolicy"] = False
    assert environment.only().found == "public access is not blocked"
    environment.calls.refuse("GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration")
    assert environment.only().state is State.FAILED
    environment.calls.refuse("HeadBucket", "404", "Not Found")
    finding = environment.only()
    assert (finding.check, finding.state) == ("bucket", State.FAILED)
    assert "does not exist" in finding.found


def test_a_configuration_that_is_not_deployed(environment):
    environment.versions = [8, 7]
    finding = environment.only()
    assert (finding.check, finding.state) == ("job types", State.FAILED)
    assert "version 7 is deployed, but version 8 exists" in finding.found


def test_a_deployment_on_its_way(environment):
    environment.versions = [8, 7]
    environment.deployments.insert(0, environment.deployment(3, 8, "DEPLOYING"))
    finding = environment.only()
    assert finding.state is State.WARNING
    assert finding.found == "the deployment of version 8 is in progress (deploying)"


def test_deployments_of_another_profile_do_not_count(environment):
    environment.deployments.insert(0, environment.deployment(3, 99, profile="zzzzzzz"))
    assert environment.wrong() == []


def test_nothing_is_deployed(environment):
    environment.deployments = []
    job_types, models, quotas = environment.wrong()
    assert job_types.found == "not checked: nothing is deployed yet"
    assert models.found == quotas.found == "not checked: job types could not be read (see that finding)"


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (b"{", "can't be used: The job type configuration can't be read (JSONDecodeError: Expecting"),
        ({"version": "v"}, "must have a version and jobTypes"),
        ([], "must have a version and jobTypes"),
        ({"version": "v", "jobTypes": {}}, "must have a version and jobTypes"),
    ],
)
def test_a_configuration_that_can_not_be_used(environment, document, found):
    environment.document = document
    job_types, models, quotas = environment.wrong()
    assert job_types.state is State.FAILED
    assert found in job_types.found
    assert models.state is quotas.state is State.WARNING


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (JOB_TYPE | {"maxTokens": "many"}, 'maxTokens: It is "many"'),
        (1, "jobTypes.poem: It is 1. It must be a JSON object."),
        (JOB_TYPE | {"prompt": "{{"}, "prompt, line 1"),
        (
            JOB_TYPE | {"inputSchema": {"properties": {"name": {"pattern": r"^\p{L}+$"}}}},
            r'inputSchema.properties.name.pattern: "^\p{L}+$" is not a Python regular expression',
        ),
    ],
)
def test_a_broken_job_type_is_named_with_the_place_of_the_fault(environment, broken, found):
    environment.document["jobTypes"]["poem"] = broken
    (finding,) = environment.wrong()
    assert (finding.check, finding.state) == ("job type poem", State.FAILED)
    assert found in finding.found
    assert "types check" in finding.advice


def test_job_types_that_are_not_those_of_terraform(environment):
    del environment.document["jobTypes"]["poem"]
    finding = environment.only()
    assert finding.state is State.FAILED
    assert finding.found == "version 7 has greeting, but Terraform set greeting, poem"
    del environment.outputs["job_types"]
    assert environment.wrong() == []


@pytest.mark.parametrize(
    ("model", "access", "state", "found"),
    [
        ({}, {"authorizationStatus": "NOT_AUTHORIZED"}, "failed", "does not have access"),
        ({}, {"entitlementAvailability": "NOT_AVAILABLE"}, "failed", "does not have access"),
        ({}, {"regionAvailability": "NOT_AVAILABLE"}, "failed", "not available in this region"),
        ({}, {"agreementAvailability": {"status": "PENDING"}}, "warning", "agreement is PENDING"),
        ({"inferenceTypesSupported": ["INFERENCE_PROFILE"]}, {}, "failed", "only through an inference profile"),
        ({"modelLifecycle": {"status": "LEGACY"}}, {}, "warning", "LEGACY"),
    ],
)
def test_models(environment, model, access, state, found):
    environment.model |= model
    environment.access |= access
    finding = environment.only()
    assert finding.check == f"model {MODEL}"
    assert finding.state == state
    assert found in finding.found
    assert finding.advice


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "ValidationException"])
def test_an_unknown_model_names_its_job_types(environment, code):
    environment.calls.refuse("GetFoundationModel", code, "The provided model identifier is invalid.")
    finding, quota = environment.wrong()
    assert finding.state is State.FAILED
    assert "greeting, poem" in finding.advice
    assert quota.found == f"not checked: Bedrock does not know {MODEL} (see the model's own finding)"


@pytest.mark.parametrize("model_id", [PROFILE, f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/{PROFILE}"])
def test_a_profile_stands_for_its_model_whatever_the_region(environment, model_id):
    environment.document["jobTypes"]["poem"]["modelId"] = model_id
    environment.access["regionAvailability"] = "AVAILABLE"
    behind = "arn:aws:bedrock:eu-north-1::foundation-model/amazon.nova-lite-v1:0"
    environment.calls.answers["GetInferenceProfile"] = profile_over(behind)
    assert environment.wrong() == []
    assert environment.calls.of("GetInferenceProfile") == [{"inferenceProfileIdentifier": model_id}]
    assert environment.calls.of("GetFoundationModelAvailability")[-1] == {"modelId": MODEL}


def test_fallback_models_are_checked_like_others(environment):  # R-A4
    environment.document["jobTypes"]["poem"]["fallbackModelIds"] = ["acme.small"]
    environment.denied = {("bedrock:InvokeModel", "arn:aws:bedrock:eu-west-1::foundation-model/acme.small")}
    finding = environment.only()
    assert (finding.check, finding.state) == ("model acme.small's permission", State.FAILED)


def test_a_types_own_profile_is_checked_in_place_of_its_model(environment):  # R-A3
    own = f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:application-inference-profile/abc"
    poem = environment.document["jobTypes"]["poem"]
    poem |= {"modelId": "acme.large", "fallbackModelIds": [MODEL], "inferenceProfiles": {"acme.large": own}}
    environment.calls.refuse("GetInferenceProfile", "ResourceNotFoundException", "no such profile")
    finding = next(one for one in environment.wrong() if one.check.startswith("model"))
    assert (finding.check, finding.state) == (f"model {own}", State.FAILED)
    checked = [one.check for one in environment.findings() if one.check.startswith("model")]
    assert checked == [f"model {MODEL}", f"model {MODEL}'s permission", f"model {own}"]


def test_what_bedrock_does_not_say_is_not_made_up(environment):
    environment.access |= {"authorizationStatus": "", "entitlementAvailability": ""}
    finding = environment.only()
    assert finding.state is State.WARNING
    assert "does not say" in finding.found


def test_a_model_of_another_kind_is_not_checked(environment):
    for job_type in environment.document["jobTypes"].values():
        job_type["modelId"] = f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:provisioned-model/abc"
    assert "neither a foundation model nor an inference profile" in environment.only().found


def test_alarms(environment):  # R-E4
    del environment.alarms["one"]
    environment.alarms["two"] |= {"ActionsEnabled": False, "AlarmActions": []}
    environment.alarms["unhealthy"] |= {
        "StateValue": "ALARM",
        "StateReason": "Threshold Crossed",
        "AlarmDescription": "See docs/runbooks.md, service unhealthy.",
    }
    assert environment.wrong() == [
        Finding("alarm one", State.FAILED, "does not exist", "run terraform apply"),
        Finding(
            "alarm two",
            State.FAILED,
            "its actions are disabled: no one is notified",
            "aws cloudwatch enable-alarm-actions --alarm-names two",
        ),
        Finding("alarm two", State.FAILED, "has no actions: no one is notified", "run terraform apply"),
        Finding(
            "alarm unhealthy",
            State.WARNING,
            "in ALARM: Threshold Crossed",
            "See docs/runbooks.md, service unhealthy.",
        ),
    ]


def test_an_alarm_that_tells_somebody_else(environment):  # R-E4
    environment.outputs["alarm_topic_arns"] = [TOPIC]
    environment.alarms["one"]["AlarmActions"] = ["arn:aws:sns:eu-west-1:1:other"]
    finding = environment.only()
    assert (finding.check, finding.state) == ("alarm one", State.FAILED)
    assert "arn:aws:sns:eu-west-1:1:other" in finding.found


def test_an_alarm_that_rings_is_a_warning_beside_the_ok(environment):
    environment.alarms["one"]["StateValue"] = "ALARM"
    findings = {finding.check: finding for finding in environment.findings()}
    assert findings["alarm one"].state is State.WARNING
    assert findings["alarms"].found == "all 3 exist and notify; in ALARM: 1"


@pytest.mark.parametrize(
    ("subscriptions", "found", "advice"),
    [
        ([], "no confirmed subscription: alarms reach no one", f"aws sns subscribe --topic-arn {TOPIC}"),
        ([{"SubscriptionArn": "PendingConfirmation"}], "1 not confirmed", "confirm"),
    ],
)
def test_a_topic_that_nobody_hears(environment, subscriptions, found, advice):
    environment.subscriptions = subscriptions
    finding = environment.only()
    assert (finding.check, finding.state) == ("topic alarms", State.WARNING)
    assert found in finding.found
    assert advice in finding.advice


def test_a_topic_that_cloudwatch_may_not_write_to(environment):
    environment.topic["KmsMasterKeyId"] = "alias/aws/sns"
    finding = environment.only()
    assert (finding.check, finding.state) == ("topic alarms", State.FAILED)
    assert "alias/aws/sns" in finding.found
    assert "alarms.topic_kms_key_arn" in finding.advice
    environment.topic["KmsMasterKeyId"] = "alias/ours"
    assert environment.wrong() == []


def test_the_modules_own_topic_counts_where_the_list_is_not_known(environment):
    del environment.outputs["alarm_topic_arns"]
    environment.outputs["alarm_topic_arn"] = TOPIC
    environment.calls.refuse("GetTopicAttributes", "NotFound", "Topic does not exist")
    finding = environment.only()
    assert (finding.check, finding.state) == ("topic alarms", State.FAILED)


@pytest.mark.parametrize("operation", sorted({*PERMISSIONS} - {"GetInferenceProfile"}))
def test_a_missing_permission_is_a_warning_that_names_it(environment, operation):
    environment.calls.refuse(operation, "403" if operation == "HeadBucket" else "AccessDeniedException")
    if operation == "GetAWSDefaultServiceQuota":
        environment.quotas.clear()
    wrong = environment.wrong()
    assert {finding.state for finding in wrong} == {State.WARNING}
    assert any(PERMISSIONS[operation] in finding.found for finding in wrong)
    # Everything that does not need it was checked regardless.
    assert environment.findings()[-1].check in ("topic alarms", "topics")


@pytest.mark.parametrize("operation", ["GetSchedule", "DescribeTable", "ListDeployments", "DescribeAlarms"])
def test_a_service_that_does_not_answer_is_a_warning(environment, operation):
    environment.calls.answers[operation] = EndpointConnectionError(endpoint_url="https://somewhere")
    wrong = environment.wrong()
    assert {finding.state for finding in wrong} == {State.WARNING}
    assert "Could not connect" in wrong[0].found


@pytest.mark.parametrize("output", sorted({*OUTPUTS} - OPTIONAL))
def test_an_unknown_output_is_a_warning_at_most(environment, output):
    del environment.outputs[output]
    wrong = environment.wrong()
    assert {finding.state for finding in wrong} <= {State.WARNING}
    if not output.endswith("_arn"):
        name = "alarm_topic_arn" if output == "alarm_topic_arns" else output
        assert any(f"the output {name} is not known" in finding.found for finding in wrong)


def test_variables_alone_are_told_to_name_an_environment(environment):
    del environment.outputs["alarm_names"]
    findings = list(examine(Subject(environment.outputs, "ai-jobs", named=False)))
    (advice,) = [finding.advice for finding in findings if finding.check == "alarms"]
    assert advice == "specify the environment with --env or --outputs"


# Is every job failing although all resources are there?


def test_a_role_that_may_not_call_its_model(environment):
    environment.denied = {("bedrock:InvokeModel", f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}")}
    finding = environment.only()
    assert (finding.check, finding.state) == (f"model {MODEL}'s permission", State.FAILED)
    assert (
        f"role processor does not allow bedrock:InvokeModel on arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"
        in (finding.found)
    )
    assert "terraform apply" in finding.advice


def test_a_profile_needs_the_permission_on_the_model_in_each_region(environment):
    behind = [f"arn:aws:bedrock:{region}::foundation-model/{MODEL}" for region in ("eu-north-1", "eu-west-3")]
    profile = f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/{PROFILE}"
    environment.document["jobTypes"]["greeting"]["modelId"] = PROFILE
    environment.document["jobTypes"]["poem"]["modelId"] = PROFILE
    environment.calls.answers["GetInferenceProfile"] = profile_over(*behind)
    environment.denied = {("bedrock:InvokeModel", behind[1])}
    assert behind[1] in environment.only().found
    (asked,) = [
        call for call in environment.calls.of("SimulatePrincipalPolicy") if "bedrock:InvokeModel" in call["ActionNames"]
    ]
    assert asked["ResourceArns"] == [profile, *behind]
    # The module allows the models only through the profile.
    assert asked["ContextEntries"] == [
        {
            "ContextKeyName": "bedrock:InferenceProfileArn",
            "ContextKeyType": "string",
            "ContextKeyValues": [profile],
        }
    ]


def test_results_by_resource_within_one_result_count_too(environment):
    arn = f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"
    environment.calls.answers["SimulatePrincipalPolicy"] = {
        "EvaluationResults": [
            {
                "EvalActionName": "bedrock:InvokeModel",
                "EvalDecision": "allowed",
                "ResourceSpecificResults": [{"EvalResourceName": arn, "EvalResourceDecision": "explicitDeny"}],
            }
        ]
    }
    assert {finding.state for finding in environment.wrong()} == {State.FAILED}
    assert arn in environment.wrong()[0].found


def test_a_legacy_model_is_found_behind_its_profile_too(environment):
    environment.document["jobTypes"] = {"greeting": JOB_TYPE | {"modelId": PROFILE}}
    environment.outputs["job_types"] = ["greeting"]
    environment.calls.answers["GetInferenceProfile"] = profile_over(
        f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"
    )
    environment.model["modelLifecycle"] = {"status": "LEGACY"}
    finding = environment.only()
    assert (finding.check, finding.state) == (f"model {PROFILE}", State.WARNING)
    assert "an account that has not used it can't start now" in finding.found


def test_guardrails(environment):
    environment.guardrail["status"] = "FAILED"
    assert environment.only().found == "is FAILED"
    environment.guardrail["status"] = "READY"
    environment.denied = {("bedrock:ApplyGuardrail", GUARDRAIL)}
    assert f"does not allow bedrock:ApplyGuardrail on {GUARDRAIL}" in environment.only().found
    environment.calls.refuse("GetGuardrail", "ResourceNotFoundException")
    assert "version 1 does not exist" in environment.only().found
    assert "set another guardrail for poem" in environment.only().advice


def test_code_that_terraform_did_not_deploy(environment):
    environment.functions["processor-test"]["CodeSha256"] = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    finding = environment.only()
    assert (finding.check, finding.state) == ("processor", State.WARNING)
    assert "someone replaced it by hand" in finding.found


def test_another_build_than_the_one_that_terraform_deployed_last(environment):  # R-P5
    """Somebody has moved the alias to another version, or the outputs are those of an earlier apply."""
    variables = environment.functions["reconciler-test"]["Environment"]["Variables"]
    variables["AI_JOB_BUILD"] = "ba9876543210"
    finding = environment.only()
    assert (finding.check, finding.state) == ("builds", State.WARNING)
    assert finding.found == "not what Terraform deployed last: the reconciler ba9876543210 instead of 0123456789ab"
    assert finding.advice == (
        "if your outputs.json is older than the last apply, write it again (terraform output -json >outputs.json); "
        "if someone moved the alias live to another version, run terraform apply"
    )


def test_the_live_version_is_what_is_checked(environment):  # R-P5
    environment.findings()
    asked = environment.calls.of("GetFunctionConfiguration")
    assert {call["Qualifier"] for call in asked} == {"live"}
    triggers = environment.calls.of("ListEventSourceMappings")
    assert {call["FunctionName"].rpartition(":")[2] for call in triggers} == {"live"}


def test_a_schedule_that_runs_the_unpublished_code(environment):  # R-P5
    environment.schedule["Target"]["Arn"] = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:reconciler-test"
    assert environment.only().found.endswith("function:reconciler-test, not the reconciler's alias live")


@pytest.mark.parametrize(("release", "told"), [("1.2.3", "release 1.2.3"), (None, "release unknown, because")])
def test_the_release_is_shown(environment, release, told):  # R-P5
    environment.outputs["release"] = release
    (found,) = [finding.found for finding in environment.findings() if finding.check == "builds"]
    assert told in found


def test_the_build_is_shown(environment):
    (found,) = [finding.found for finding in environment.findings() if finding.check == "processor"]
    assert f"build {BUILD}" in found


@pytest.mark.parametrize(
    ("account", "maximum", "waits", "state", "found"),
    [
        (21, 10, None, "failed", "the workers may need 22: what Lambda throttles counts as a receive"),
        (500, 10, None, "warning", "callers that wait (GET ?wait=) may take all of it"),
        (500, None, None, "failed", "a trigger has no maximum concurrency"),
        (500, 10, "479", "warning", "the workers may need 22, callers that wait 479 more"),
        (500, 10, "478", "ok", "callers that wait: at most 478"),
        (1000, 10, None, "ok", "callers that wait: no limit"),
    ],
)
def test_the_accounts_concurrency(environment, account, maximum, waits, state, found):
    environment.account = {"ConcurrentExecutions": account, "UnreservedConcurrentExecutions": account}
    environment.trigger["ScalingConfig"] = {"MaximumConcurrency": maximum} if maximum else {}
    if waits:
        environment.functions["jobs-api-test"]["Environment"]["Variables"]["AI_JOB_MAX_CONCURRENT_WAITS"] = waits
    (finding,) = [finding for finding in environment.findings() if finding.check == "concurrency"]
    assert finding.state == state
    assert found in finding.found


@pytest.mark.parametrize(
    ("model_id", "memory", "state", "found"),
    [
        ("acme.large", 1450, "ok", "1450 MB; a batch of 10 with the largest files takes 1450 MB"),
        ("acme.large", 1449, "warning", "10 jobs of type poem with the largest files that it allows take 1450 MB"),
        ("amazon.nova-lite-v1:0", 192, None, None),
    ],
)
def test_the_processors_memory_for_files(environment, model_id, memory, state, found):  # R-A2
    environment.functions["processor-test"]["MemorySize"] = memory
    environment.trigger["BatchSize"] = 10
    rules = {"mediaTypes": ["image/png"], "maxCount": 5, "maxBytes": 5_000_000}
    environment.document["jobTypes"]["poem"] |= {"modelId": model_id, "attachments": rules}
    findings = [finding for finding in environment.findings() if finding.check == "processor's memory for files"]
    assert [finding.state for finding in findings] == ([state] if state else [])
    assert all(found in finding.found for finding in findings)


@pytest.mark.parametrize(
    ("memory", "batch", "state", "found"),
    [
        (3008, 10, "ok", "192 MB is the smallest that is safe with batches of 10, and would cost 94% less"),
        (256, 11, "ok", "256 MB; 256 MB is the smallest that is safe with batches of 11"),
        (128, 1, "warning", "128 MB; batches of 1 with responses of 200 KB need 192 MB"),
        (3008, 101, "ok", "what batches of 101 need is not known"),
    ],
)
def test_the_processors_memory(environment, memory, batch, state, found):  # R-B4
    environment.functions["processor-test"]["MemorySize"] = memory
    environment.trigger["BatchSize"] = batch
    (finding,) = [finding for finding in environment.findings() if finding.check == "processor's memory"]
    assert finding.state == state
    assert found in finding.found
    assert ("set processor.memory_mb = 192" in finding.advice) is (state == "warning")


@pytest.mark.parametrize(
    ("variable", "maximum", "batch", "state", "found"),
    [
        (
            "TOTAL",
            10,
            10,
            "ok",
            "all jobs (budget.daily_tokens_total) takes 5,000 jobs per second while 10 ",
        ),
        ("PER_USER", 10, 10, "ok", "each user's counter (budget.daily_tokens_per_user) takes 5,000 jobs per second"),
        (
            "TOTAL",
            650,
            10,
            "warning",
            "takes 556 jobs per second while 650 invocations run, in full batches of 10: if",
        ),
        ("TOTAL", 1000, 50, "warning", "1,786 jobs per second while 1000 invocations run, in full batches of 50: if"),
    ],
)
def test_a_budget_whose_counter_is_too_slow(environment, variable, maximum, batch, state, found):  # R-S1 R-S3
    environment.functions["processor-test"]["Environment"]["Variables"][f"AI_JOB_DAILY_TOKENS_{variable}"] = "1000000"
    environment.trigger |= {"BatchSize": batch, "ScalingConfig": {"MaximumConcurrency": maximum}}
    (finding,) = [finding for finding in environment.findings() if finding.check == "budget"]
    assert finding.state == state
    assert found in finding.found
    assert ("raise processor.batch_size" in finding.advice) is (state == "warning")


def test_a_budget_on_a_trigger_without_a_maximum_has_no_finding_of_its_own(environment):
    environment.functions["processor-test"]["Environment"]["Variables"]["AI_JOB_DAILY_TOKENS_TOTAL"] = "1000000"
    environment.trigger["ScalingConfig"] = {}
    assert "budget" not in [finding.check for finding in environment.findings()]


def test_where_nobody_may_wait_only_the_workers_count(environment):
    environment.account = {"ConcurrentExecutions": 50, "UnreservedConcurrentExecutions": 50}
    environment.functions["jobs-api-test"]["Environment"]["Variables"]["AI_JOB_MAX_WAIT_SECONDS"] = "0"
    (finding,) = [finding for finding in environment.findings() if finding.check == "concurrency"]
    assert (finding.state, finding.found.endswith("callers that wait: off")) == (State.OK, True)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"State": "Disabled"}, "jobs end without an event, and after 24 hours the events are lost for good"),
        ({"FunctionResponseTypes": []}, "ReportBatchItemFailures is off"),
        ({"DestinationConfig": {}}, "has no on-failure queue"),
        ({"DestinationConfig": {"OnFailure": {"Destination": f"{ARN}:x"}}}, f"sends what it gives up on to {ARN}:x"),
    ],
)
def test_the_publishers_trigger(environment, fields, found):
    environment.stream_trigger |= fields
    finding = environment.only()
    assert (finding.check, finding.state) == ("event publisher's trigger", State.FAILED)
    assert found in finding.found


def test_the_publishers_last_batch(environment):
    environment.stream_trigger["LastProcessingResult"] = "PROBLEM: Function call failed"
    assert environment.only().state is State.WARNING
    assert "aws logs tail /aws/lambda/event-publisher-test" in environment.only().advice


def test_a_table_without_a_stream(environment):
    environment.table["StreamSpecification"] = {"StreamEnabled": False}
    assert environment.only().found == "the table has no stream: jobs end without an event"


def test_a_bus_of_this_account_is_asked_for_by_name_and_another_accounts_by_arn(environment):
    assert environment.wrong() == []
    assert environment.calls.of("DescribeEventBus") == [{"Name": "default"}]
    environment.outputs["event_bus_arn"] = "arn:aws:events:eu-west-1:999999999999:event-bus/platform"
    assert environment.wrong() == []
    assert environment.calls.of("DescribeEventBus")[-1] == {"Name": environment.outputs["event_bus_arn"]}


def test_a_bus_that_is_gone_swallows_events(environment):
    environment.calls.refuse("DescribeEventBus", "ResourceNotFoundException")
    finding = environment.only()
    assert finding.state is State.FAILED
    assert "events vanish without an error" in finding.found


def test_events_that_were_not_published(environment):
    environment.queues["events-dlq"]["ApproximateNumberOfMessages"] = "3"
    finding = environment.only()
    assert finding.found == "holds 3 messages: events that were not published"
    assert "docs/events.md" in finding.advice


def test_events_that_are_turned_off_are_not_looked_for(environment):
    for output in ("event_publisher_function_name", "event_bus_arn", "events_dlq_url", "events_dlq_arn"):
        del environment.outputs[output]
    environment.outputs["events_enabled"] = False
    environment.outputs["builds"] = {"processor": BUILD}
    assert environment.wrong() == []


# Quotas


@pytest.mark.parametrize(
    ("code", "value", "check", "needs"),
    [
        ("L-8A5B8E43", 99.0, "quota of API Gateway requests", "which need 100"),
        ("L-AB614373", 299.0, "quota of DynamoDB writes of a table", "which need 300"),
        ("L-9B653E91", 9.0, "quota of EventBridge PutEvents", "which need 10"),
    ],
)
def test_a_quota_below_what_the_api_admits(environment, code, value, check, needs):  # R-S3
    environment.quotas[code] = value
    finding = environment.only()
    assert (finding.check, finding.state) == (check, State.WARNING)
    assert f"{value:.0f} per second; the API admits 100 jobs per second (api.throttling_rate_limit)" in finding.found
    assert needs in finding.found
    assert f"--quota-code {code}" in finding.advice
    assert "or lower api.throttling_rate_limit" in finding.advice


def test_a_quota_that_the_account_never_changed_has_its_default(environment):
    environment.quotas.clear()
    assert environment.wrong() == []
    assert len(environment.calls.of("GetAWSDefaultServiceQuota")) == 3


def test_without_events_their_quota_does_not_matter(environment):
    environment.outputs["events_enabled"] = False
    environment.quotas["L-9B653E91"] = 0.0
    assert environment.wrong() == []


@pytest.mark.parametrize(
    ("model_id", "quota"),
    [
        (MODEL, "2,000,000"),
        (PROFILE, "4,000,000"),
        ("global.amazon.nova-lite-v1:0", "8,000,000"),
        (f"arn:aws:bedrock:eu-west-1:{ACCOUNT}:inference-profile/{PROFILE}", "4,000,000"),
    ],
)
def test_the_models_quota_depends_on_the_way_to_it(environment, model_id, quota):
    environment.calls.answers["GetInferenceProfile"] = profile_over(
        f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}"
    )
    environment.document["jobTypes"] = {"greeting": JOB_TYPE | {"modelId": model_id}}
    environment.outputs["job_types"] = ["greeting"]
    (finding,) = [one for one in environment.findings() if one.check == f"quota of model {model_id}"]
    assert finding.state is State.OK
    assert finding.found.startswith(f"{quota} tokens per minute; up to 100 calls at once")


def test_a_models_quota_below_what_runs_at_once(environment):  # R-S3
    environment.document["jobTypes"]["greeting"]["maxTokens"] = 20_001
    finding = environment.only()
    assert (finding.check, finding.state) == (f"quota of model {MODEL}", State.WARNING)
    assert "reserve 2,000,100 when they start" in finding.found
    assert "over time, it is enough for 1.7 jobs per second that use all of max_tokens" in finding.found
    assert "lower processor.maximum_concurrency or max_tokens" in finding.advice
    assert "--service-code bedrock --quota-code L-0 --desired-value 2000100" in finding.advice


def test_no_more_calls_run_at_once_than_a_process_has_threads(environment):
    environment.trigger["BatchSize"] = 1000
    (finding,) = [one for one in environment.findings() if one.check == f"quota of model {MODEL}"]
    assert "up to 500 calls at once" in finding.found


def test_a_model_whose_quota_has_another_name_is_told(environment):
    environment.model["modelName"] = "Nova Tiny"
    finding = environment.only()
    assert finding.state is State.WARNING
    assert finding.found == "not checked: Service Quotas has no on-demand quota for Amazon Nova Tiny"


def test_quotas_that_can_not_be_read_are_told_and_fail_nothing(environment):  # R-S3
    for operation in ("GetServiceQuota", "ListServiceQuotas"):
        environment.calls.refuse(operation, "UnknownOperationException")
    wrong = environment.wrong()
    assert [(one.check, one.state) for one in wrong] == [
        ("quotas", State.WARNING),
        ("model quotas", State.WARNING),
    ]


def test_an_api_without_a_rate_limit_is_told(environment):
    environment.stage.clear()
    assert environment.only().found == "not checked: the API's stage has no rate limit"


def test_a_key_whose_policy_does_not_let_in_the_logs(environment):  # R-P8
    environment.key_policy.pop()
    finding = environment.only()
    assert (finding.check, finding.state) == (f"key {KEY_ID}", State.FAILED)
    assert finding.found.startswith(f"the policy of kms_key_arn, key {KEY_ID}, does not allow logs.eu-west-1.amazonaws")
    assert "kms:Encrypt, kms:Decrypt" in finding.found
    assert "add a statement to the key's policy" in finding.advice


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ({"Effect": "Deny", "Principal": "*", "Action": "kms:*"}, True),
        ({"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": "kms:*"}, True),
        ({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}, True),
        ({"Effect": "Allow", "Principal": "*", "Action": "kms:*"}, False),
        ({"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["kms:*"]}, False),
        ({"Effect": "Allow", "Principal": {"Service": ["logs.eu-west-1.amazonaws.com"]}, "Action": LOGS_NEED}, False),
    ],
)
def test_whom_a_keys_policy_lets_in(environment, statement, missing):
    environment.key_policy = [statement]
    assert [finding.check for finding in environment.wrong()] == ([f"key {KEY_ID}"] if missing else [])


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("Disabled", f"aws kms enable-key --key-id {KEY_ID}"),
        ("PendingDeletion", f"aws kms cancel-key-deletion --key-id {KEY_ID}"),
        ("Unavailable", "in the console"),
    ],
)
def test_a_key_that_can_not_be_used(environment, state, advice):
    environment.key["KeyState"] = state
    finding = environment.only()
    assert (finding.check, finding.state) == (f"key {KEY_ID}", State.FAILED)
    assert finding.found.startswith(f"kms_key_arn, key {KEY_ID}, is {state}")
    assert advice in finding.advice


def test_without_a_key_of_its_own_there_is_nothing_to_check(environment):
    del environment.queues["request"]["KmsMasterKeyId"]
    assert environment.wrong() == []
    assert not any(finding.check.startswith("key") for finding in environment.findings())


def test_a_topics_key_must_let_in_the_alarms(environment):
    environment.topic["KmsMasterKeyId"] = "alias/ours"
    environment.key_policy[1]["Action"] = ["kms:Decrypt"]
    finding = environment.only()
    assert (finding.check, finding.state) == ("topic alarms's key", State.FAILED)
    assert finding.found.startswith("the policy of alarms.topic_kms_key_arn, key ")
    assert "does not allow cloudwatch.amazonaws.com kms:GenerateDataKey" in finding.found
    environment.key_policy[1]["Action"] = "kms:*"
    assert environment.wrong() == []


def test_endpoints_of_all_services_are_enough(environment):  # R-P8
    environment.without_a_way_out()
    assert environment.wrong() == []


@pytest.mark.parametrize("service", [*INTERFACES[:-1], "dynamodb", "s3"])
def test_a_subnet_that_does_not_lead_to_a_service(environment, service):  # R-P8
    environment.without_a_way_out()
    environment.endpoints = [one for one in environment.endpoints if not one["ServiceName"].endswith(f".{service}")]
    first, second = environment.wrong()
    assert (first.check, second.check) == ("network of subnet-1", "network of subnet-2")
    assert (first.state, first.found) == (
        State.FAILED,
        f"has no route out of the VPC, and no endpoints for {service}: calls of these time out",
    )
    assert "create the endpoints" in first.advice
    assert "vpc.subnet_ids" in first.advice


def test_without_an_endpoint_for_traces_only_they_are_missing(environment):
    environment.without_a_way_out()
    environment.endpoints = [one for one in environment.endpoints if not one["ServiceName"].endswith(".xray")]
    assert {finding.state for finding in environment.wrong()} == {State.WARNING}


def test_an_endpoint_for_other_subnets_or_without_dns_is_none(environment):
    environment.without_a_way_out()
    for endpoint in environment.endpoints:
        endpoint["PrivateDnsEnabled"] = False
        endpoint["RouteTableIds"] = ["rtb-2"]
    assert all("dynamodb, s3, sqs" in finding.found for finding in environment.wrong())
    assert len(environment.wrong()) == 2


def test_a_route_to_an_internet_gateway_is_no_way_out(environment):
    environment.route_tables[0]["Routes"][1] = {
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": "igw-1",
        "State": "active",
    }
    assert all("a route to an internet gateway is none" in finding.found for finding in environment.wrong())
    assert len(environment.wrong()) == 2


def test_a_subnets_own_route_table_counts(environment):
    own = {"RouteTableId": "rtb-2", "Associations": [{"SubnetId": "subnet-2"}], "Routes": []}
    environment.route_tables.append(own)
    assert environment.only().check == "network of subnet-2"


def test_without_events_their_endpoint_is_not_needed(environment):
    environment.without_a_way_out()
    environment.endpoints = [one for one in environment.endpoints if not one["ServiceName"].endswith(".events")]
    environment.outputs["events_enabled"] = False
    assert environment.wrong() == []
