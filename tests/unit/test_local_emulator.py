"""What the local AWS does beyond MiniStack, with MiniStack: roots that are written for AWS apply to it unchanged."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import zipfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ai_jobs.local import instances
from ai_jobs.local.emulator import connections
from ai_jobs.local.emulator.alarms import from_query, to_xml
from ai_jobs.local.environment import CREDENTIALS


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[instances.Instance]:
    with instances.running(tmp_path_factory.mktemp("local-aws")) as instance:
        yield instance


def client(local: instances.Instance, service: str, keys: tuple[str, str] = ("local", "any")) -> Any:
    return boto3.client(
        service,
        endpoint_url=local.endpoint_url,
        region_name=CREDENTIALS["AWS_REGION"],
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
    )


def as_user(local: instances.Instance, service: str, *actions: str) -> Any:
    """A client of a new user who may do only this."""
    iam = client(local, "iam")
    name = f"user-{'-'.join(actions)}".replace(":", "-")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return client(local, service, (key["AccessKeyId"], key["SecretAccessKey"]))


def test_a_queue_that_denies_plain_http_can_be_used_from_this_machine(local: instances.Instance) -> None:
    sqs = client(local, "sqs")
    url = sqs.create_queue(QueueName="tls-only")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn}
    plain_http = deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    policy = {"Version": "2012-10-17", "Statement": [plain_http]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"
    policy["Statement"] = [deny]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    with pytest.raises(ClientError, match="AccessDenied"):  # policies are evaluated: the condition made the difference
        sqs.send_message(QueueUrl=url, MessageBody="hello")


def test_batches_need_the_permission_that_they_need_on_aws(local: instances.Instance) -> None:
    root = client(local, "sqs")
    url = root.create_queue(QueueName="batches")["QueueUrl"]
    entries = [{"Id": "1", "MessageBody": "hello"}]
    assert as_user(local, "sqs", "sqs:SendMessage").send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    receipt = root.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    hidden = [{"Id": "1", "ReceiptHandle": receipt, "VisibilityTimeout": 9}]
    may_hide = as_user(local, "sqs", "sqs:ChangeMessageVisibility")
    assert may_hide.change_message_visibility_batch(QueueUrl=url, Entries=hidden)["Successful"]
    with pytest.raises(ClientError, match="AccessDenied"):
        may_hide.send_message_batch(QueueUrl=url, Entries=entries)


def test_saved_queries_are_kept(local: instances.Instance) -> None:
    logs = client(local, "logs")
    given = {"name": "ai-jobs/by job", "queryString": "fields @message", "logGroupNames": ["/aws/lambda/a"]}
    key = logs.put_query_definition(**given)["queryDefinitionId"]
    logs.put_query_definition(name="other", queryString="fields @timestamp")
    (found,) = logs.describe_query_definitions(queryDefinitionNamePrefix="ai-jobs/")["queryDefinitions"]
    assert found.pop("lastModified") > 0
    assert found == given | {"queryDefinitionId": key}
    logs.put_query_definition(queryDefinitionId=key, name="ai-jobs/renamed", queryString="fields @message")
    names = {query["name"] for query in logs.describe_query_definitions()["queryDefinitions"]}
    assert names == {"ai-jobs/renamed", "other"}
    assert logs.delete_query_definition(queryDefinitionId=key)["success"]
    for call in (logs.delete_query_definition, lambda **id: logs.put_query_definition(**given, **id)):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            call(queryDefinitionId=key)


@pytest.mark.parametrize("protocol", ["query", "json", "smithy-rpc-v2-cbor"])
def test_alarms_are_described_as_they_were_put(
    local: instances.Instance, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """In the protocols of Terraform's provider (5.x), of boto3, and of newer providers."""
    monkeypatch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (protocol,))
    cloudwatch = client(local, "cloudwatch")
    common = {"EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
    common |= {"AlarmDescription": 'More than 5 % fail: "why" & <how>', "AlarmActions": ["arn:aws:sns:::topic"]}
    dimensions = [{"Name": "QueueName", "Value": "jobs"}, {"Name": "Other", "Value": "x"}]
    metric = {"Namespace": "AWS/SQS", "MetricName": "Age", "Dimensions": dimensions}
    simple = common | metric | {"Statistic": "Maximum", "Period": 60, "Threshold": 1.5, "DatapointsToAlarm": 2}
    cloudwatch.put_metric_alarm(AlarmName="simple", Tags=[{"Key": "a", "Value": "b"}], **simple)
    queries = [
        {"Id": "e", "Expression": "100 * m", "Label": "share", "ReturnData": True},
        {"Id": "m", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}, "ReturnData": False},
    ]
    math = common | {"Metrics": queries, "Threshold": 5.0}
    cloudwatch.put_metric_alarm(AlarmName="math", **math)
    composite = {"AlarmRule": 'ALARM("simple") OR ALARM("math")', "AlarmDescription": "It is down."}
    cloudwatch.put_composite_alarm(AlarmName="service", ActionsEnabled=False, **composite)

    found = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    by_name = {alarm["AlarmName"]: alarm for kind in ("MetricAlarms", "CompositeAlarms") for alarm in found[kind]}
    assert {name: by_name["simple"][name] for name in simple} == simple
    assert by_name["simple"]["ActionsEnabled"] is True
    assert by_name["simple"]["StateValue"] == "INSUFFICIENT_DATA"
    assert {name: by_name["math"].get(name) for name in math} == math
    assert not by_name["math"].keys() & {"MetricName", "Statistic", "Period"}
    assert {name: by_name["service"].get(name) for name in composite} == composite
    assert by_name["service"]["ActionsEnabled"] is False
    cloudwatch.disable_alarm_actions(AlarmNames=["simple"])
    (named,) = cloudwatch.describe_alarms(AlarmNames=["simple"])["MetricAlarms"]
    assert named["ActionsEnabled"] is False
    first = cloudwatch.describe_alarms(MaxRecords=1)
    second = cloudwatch.describe_alarms(MaxRecords=1, NextToken=first["NextToken"])
    assert [page["MetricAlarms"][0]["AlarmName"] for page in (first, second)] == ["math", "simple"]
    with pytest.raises(ClientError, match="ValidationError"):
        cloudwatch.describe_alarms(MaxRecords=101)


def test_a_description_of_job_types_is_kept_and_a_deployments_tags(local: instances.Instance) -> None:
    config = client(local, "appconfig")
    application = config.create_application(Name="jobs")["Id"]
    environment = config.create_environment(ApplicationId=application, Name="e")["Id"]
    profile = config.create_configuration_profile(ApplicationId=application, Name="p", LocationUri="hosted")["Id"]
    strategy = config.create_deployment_strategy(
        Name="at-once", DeploymentDurationInMinutes=0, GrowthFactor=100, ReplicateTo="NONE"
    )["Id"]
    version = {"ApplicationId": application, "ConfigurationProfileId": profile}
    for description in ({"Description": "Job types 1"}, {}):
        put = config.create_hosted_configuration_version(
            Content=b"{}", ContentType="application/json", **version, **description
        )
        got = config.get_hosted_configuration_version(VersionNumber=put["VersionNumber"], **version)
        assert got.get("Description") == description.get("Description")
    started = config.start_deployment(
        ApplicationId=application,
        EnvironmentId=environment,
        DeploymentStrategyId=strategy,
        ConfigurationProfileId=profile,
        ConfigurationVersion="1",
        Tags={"Application": "acme"},
    )
    arn = f"arn:aws:appconfig:us-east-1:000000000000:application/{application}/environment/{environment}"
    tags = config.list_tags_for_resource(ResourceArn=f"{arn}/deployment/{started['DeploymentNumber']}")["Tags"]
    assert tags == {"Application": "acme"}


def test_a_stage_has_only_the_access_log_that_it_was_given(local: instances.Instance) -> None:
    gateway = client(local, "apigateway")
    api = gateway.create_rest_api(name="jobs")["id"]
    stage = {"restApiId": api, "stageName": "v1"}
    gateway.create_stage(deploymentId="1", **stage)
    assert "accessLogSettings" not in gateway.get_stage(**stage)
    changes = [{"op": "replace", "path": "/accessLogSettings/format", "value": "$context.requestId"}]
    gateway.update_stage(patchOperations=changes, **stage)
    assert gateway.get_stage(**stage)["accessLogSettings"] == {"format": "$context.requestId"}


def test_a_function_has_only_the_event_age_that_it_was_given(local: instances.Instance) -> None:
    functions = client(local, "lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("h.py", "")
    role = client(local, "iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions.create_function(
        FunctionName="f", Runtime="python3.13", Role=role, Handler="h.h", Code={"ZipFile": code.getvalue()}
    )
    functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    found = functions.get_function_event_invoke_config(FunctionName="f")
    assert found["MaximumRetryAttempts"] == 0
    assert "MaximumEventAgeInSeconds" not in found
    functions.put_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    assert functions.get_function_event_invoke_config(FunctionName="f")["MaximumEventAgeInSeconds"] == 60


def test_the_query_protocol_is_read_and_written() -> None:
    fields = from_query({"A.member.10": ["z"], "A.member.2": ["y"], "B.Period": "60", "D.member.1.E": [""]})
    assert fields == {"A": ["y", "z"], "B": {"Period": 60}, "D": [{"E": ""}]}
    assert to_xml("R", {"A": ["<"], "B": True, "N": None}) == "<R><A><member>&lt;</member></A><B>true</B></R>"


def test_an_idle_connection_stays_open_for_longer_than_the_provider_keeps_it() -> None:
    served: list[Any] = []

    async def serve(application: Any, config: Any) -> None:
        served.append(config.keep_alive_timeout)

    hypercorn = SimpleNamespace(asyncio=SimpleNamespace(serve=serve), protocol=SimpleNamespace())
    connections.install(hypercorn)
    asyncio.run(hypercorn.asyncio.serve("MiniStack", SimpleNamespace(keep_alive_timeout=75)))
    assert served == [connections.KEEP_ALIVE_SECONDS]
    assert connections.KEEP_ALIVE_SECONDS > 90


@pytest.fixture
def connection(local: instances.Instance) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", local.port), timeout=10) as opened:
        yield opened


REQUEST = b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_a_response_is_sent_as_a_whole(connection: socket.socket) -> None:
    """The AWS SDK for Go loses the rest of one whose head it has already."""
    for _ in range(20):
        connection.sendall(REQUEST)
        head, _, body = connection.recv(1 << 20).partition(b"\r\n\r\n")
        (length,) = re.findall(rb"(?i)content-length: ([0-9]+)", head)
        assert len(body) == int(length) > 0


def test_a_connection_that_its_client_has_closed_is_given_up(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    assert connection.recv(1 << 20)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b"", "closed, at once"
