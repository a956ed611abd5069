"""The checks of `ai-jobs doctor`. None of them changes anything, and none of them costs a model call."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from ai_jobs.aws.clients import (
    get_appconfig_client,
    get_dynamodb_client,
    get_lambda_client,
    get_s3_client,
    get_scheduler_client,
    get_sns_client,
    get_sts_client,
)
from ai_jobs.aws.errors import code_of
from ai_jobs.contract.errors import JobError
from ai_jobs.operate.doctor.events import EVENT_CHECKS, where_events_are_on
from ai_jobs.operate.doctor.findings import Check, Finding, NotCheckedError, State, Subject, made
from ai_jobs.operate.doctor.models import check_guardrails, check_models
from ai_jobs.operate.snapshot import describe_alarms
from ai_jobs.operate.triggers import ENABLED, PAUSED, find_trigger
from ai_jobs.service.job_types import JobTypes

_APPLY = "terraform apply puts it right"

_INDEXES = ("by-user", "open-jobs")
_TTL_ATTRIBUTE = "expiresAt"
_PUBLIC_ACCESS_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

_WORKERS = {"request queue": "processor", "response queue": "result handler"}
_FUNCTIONS = ("processor", "result handler", "jobs API", "reconciler")

# As modules/function writes them after the release.
_ZIP_DIGITS = re.compile("[0-9a-f]{12}")

# The reconciler runs once at a time, the event publisher once for each of the stream's shards: few.
_OTHER_FUNCTIONS = 2

# What AWS gives an account that is not new (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
_USUAL_CONCURRENCY = 1000
_MORE_CONCURRENCY = "ask for more in the console: Service Quotas, Lambda, Concurrent executions"


def examine(subject: Subject) -> Iterator[Finding]:
    """Make all checks, one after the other. Without the right credentials only theirs is made."""
    for finding in made("credentials", _credentials(subject)):
        yield finding
        if finding.state is State.FAILED:
            yield Finding("all else", State.WARNING, "not checked: without the right credentials it would say nothing")
            return
    for name, check in _CHECKS.items():
        yield from made(name, check(subject))


def _credentials(subject: Subject) -> Iterator[Finding]:
    name = "credentials"
    try:
        identity = get_sts_client().get_caller_identity()
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        # A network without STS may still have the rest.
        yield Finding(name, State.WARNING, f"not checked: {error}", "check the network, AWS_REGION, AWS_ENDPOINT_URL")
        return
    except (ClientError, BotoCoreError) as error:
        yield Finding(
            name, State.FAILED, f"can't be used: {error}", "set AWS_PROFILE, or log in (for instance: aws sso login)"
        )
        return
    arn = subject.outputs.get("request_queue_arn")
    # arn:aws:sqs:REGION:ACCOUNT:NAME, or https://HOST/ACCOUNT/NAME
    account = arn.split(":")[4] if arn else subject.need("request_queue_url").split("/")[-2]
    region = boto3.session.Session().region_name
    found = f"account {identity['Account']}, {identity['Arn']}, region {region}"
    if identity["Account"] != account:
        advice = f"set AWS_PROFILE to a profile of account {account}"
        yield Finding(name, State.FAILED, f"{found}; but the queues are in account {account}", advice)
    elif arn and arn.split(":")[3] != region:
        there = arn.split(":")[3]
        yield Finding(name, State.FAILED, f"{found}; but the queues are in {there}", f"set AWS_REGION={there}")
    else:
        yield Finding(name, State.OK, found)


def _queue(name: str, subject: Subject) -> Iterator[Finding]:
    attributes = subject.queue(name)
    dlq = f"{name.split(' ')[0]} DLQ"
    wanted = subject.outputs.get(f"{dlq.lower().replace(' ', '_')}_arn") or subject.queue(dlq)["QueueArn"]
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    target = policy.get("deadLetterTargetArn")
    if not target:
        found = "has no redrive policy: a message that always fails comes back until it is too old"
        yield Finding(name, State.FAILED, found, _APPLY)
    elif target != wanted:
        yield Finding(name, State.FAILED, f"dead-letters to {target}, not to {wanted}", _APPLY)
    else:
        receives = policy["maxReceiveCount"]
        yield Finding(name, State.OK, f"{_count(attributes)}; dead-letters after {receives} receives")


def _count(attributes: Mapping[str, str]) -> str:
    return (
        f"{attributes['ApproximateNumberOfMessages']} waiting, "
        f"{attributes['ApproximateNumberOfMessagesNotVisible']} in flight, "
        f"{attributes['ApproximateNumberOfMessagesDelayed']} delayed"
    )


def _dlq(name: str, subject: Subject) -> Iterator[Finding]:
    attributes = subject.queue(name)
    which = name.split(" ", maxsplit=1)[0]
    findings = [
        *_redrive_allow(name, attributes, subject.queue(f"{which} queue")["QueueArn"]),
        *_retention(name, attributes, subject.queue(f"{which} queue"), f"{which}_queue"),
    ]
    messages = sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))
    if messages:
        advice = f"look at them: {subject.command} dlq list --queue {which}"
        findings.append(Finding(name, State.WARNING, f"holds {_plural(messages, 'message')}", advice))
    days = int(attributes["MessageRetentionPeriod"]) / 86_400
    yield from findings or [Finding(name, State.OK, f"empty; keeps messages {days:g} days")]


def _redrive_allow(name: str, attributes: Mapping[str, str], source: str) -> Iterator[Finding]:
    policy = json.loads(attributes.get("RedriveAllowPolicy") or "{}")
    permission = policy.get("redrivePermission", "allowAll")
    allowed = policy.get("sourceQueueArns", []) if permission == "byQueue" else []
    others = ", ".join(arn for arn in allowed if arn != source)
    if permission == "allowAll":
        yield Finding(name, State.WARNING, "any queue of the account may dead-letter into it", _APPLY)
    elif source not in allowed:
        yield Finding(name, State.FAILED, f"does not let {source} dead-letter into it", _APPLY)
    elif others:
        yield Finding(name, State.WARNING, f"lets other queues dead-letter into it: {others}", _APPLY)


def _retention(name: str, attributes: Mapping[str, str], queue: Mapping[str, str], variable: str) -> Iterator[Finding]:
    keeps, queue_keeps = int(attributes["MessageRetentionPeriod"]), int(queue["MessageRetentionPeriod"])
    if keeps < queue_keeps:
        # SQS counts from when a message was first sent, not from when it was dead-lettered.
        found = f"keeps messages {keeps} s, its queue {queue_keeps} s: an old message is gone once it is dead-lettered"
        advice = f"{variable}.dlq_message_retention_seconds = {queue_keeps}, and terraform apply"
        yield Finding(name, State.WARNING, found, advice)


def _function(name: str, subject: Subject) -> Iterator[Finding]:
    configuration = subject.function(name)
    state, update = configuration.get("State"), configuration.get("LastUpdateStatus")
    if state == "Failed" or update == "Failed":
        why = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "no reason given"
        yield Finding(name, State.FAILED, f"state {state}, last update {update}: {why}", _APPLY)
    elif state != "Active" or update != "Successful":
        advice = "look again in a minute; a function that was idle for long wakes up with its next call"
        yield Finding(name, State.WARNING, f"state {state}, last update {update}", advice)
    else:
        build = _build_of(configuration)
        found = f"active; build {build}, timeout {configuration['Timeout']} s, {configuration['MemorySize']} MB"
        yield _foreign_build(name, configuration, subject) or Finding(name, State.OK, found)


def _build_of(configuration: Mapping[str, Any]) -> str:
    """Which code Terraform deployed to a function: the release, and what tells its zip from others."""
    variables = configuration.get("Environment", {}).get("Variables", {})
    return str(variables.get("AI_JOB_BUILD", "unknown"))


def _foreign_build(name: str, configuration: Mapping[str, Any], subject: Subject) -> Finding | None:
    """A warning when the function runs code that Terraform did not put there."""
    build = _build_of(configuration)
    expected = (subject.outputs.get("builds") or {}).get(name.lower().replace(" ", "_"), build)
    if build != expected:
        return Finding(name, State.WARNING, f"runs build {build}, but Terraform's outputs name {expected}", _APPLY)
    running = base64.b64decode(configuration.get("CodeSha256", "")).hex()
    zip_digits = build.rpartition("+")[2]
    if running and _ZIP_DIGITS.fullmatch(zip_digits) and not running.startswith(zip_digits):
        found = f"runs code with SHA-256 {running[:12]}, not build {build}: somebody replaced it by hand"
        return Finding(name, State.WARNING, found, _APPLY)
    return None


def _builds(subject: Subject) -> Iterator[Finding]:
    name = "builds"
    functions = {function: _build_of(subject.function(function)) for function in _FUNCTIONS}
    releases = sorted({build.partition("+")[0] for build in functions.values()})
    if len(releases) > 1:
        each = ", ".join(f"{function} {build}" for function, build in functions.items())
        yield Finding(name, State.WARNING, f"the functions are of different releases: {each}", _APPLY)
    else:
        yield Finding(name, State.OK, f"all functions are of release {releases[0]}")


def _concurrency(subject: Subject) -> Iterator[Finding]:
    """Does the account allow as many invocations at once as the functions may need?"""
    name = "concurrency"
    limits = get_lambda_client().get_account_settings()["AccountLimit"]
    allowed, shared = int(limits["ConcurrentExecutions"]), int(limits["UnreservedConcurrentExecutions"])
    workers = [_maximum_concurrency(queue, subject) for queue in _WORKERS]
    told = f"the account allows {allowed} concurrent executions in this region, {shared} of them not reserved"
    if any(most is None for most in workers):
        advice = "set processor.maximum_concurrency and result_handler.maximum_concurrency, and run terraform apply"
        yield Finding(name, State.FAILED, f"{told}; a trigger has no maximum concurrency", advice)
        return
    # The reconciler, and the event publisher for each shard of the stream, need one each.
    needed = sum(most for most in workers if most is not None) + _OTHER_FUNCTIONS
    waits, most_waits = _waits(subject)
    if needed > shared:
        found = f"{told}; the workers may need {needed}: what Lambda throttles counts as a receive and is dead-lettered"
        yield Finding(name, State.FAILED, found, _MORE_CONCURRENCY)
    elif waits and most_waits is None and allowed < _USUAL_CONCURRENCY:
        found = f"{told}; callers that wait (GET ?wait=) may take all of it from the workers"
        yield Finding(name, State.WARNING, found, f"set jobs_api.max_concurrent_waits, or {_MORE_CONCURRENCY}")
    elif waits and most_waits is not None and needed + most_waits > shared:
        found = f"{told}; the workers may need {needed}, callers that wait {most_waits} more"
        yield Finding(name, State.WARNING, found, f"lower jobs_api.max_concurrent_waits, or {_MORE_CONCURRENCY}")
    else:
        waiting = "no limit" if most_waits is None else f"at most {most_waits}"
        found = f"{told}; the workers may need {needed}, callers that wait: {waiting if waits else 'off'}"
        yield Finding(name, State.OK, found)


def _maximum_concurrency(queue: str, subject: Subject) -> int | None:
    function_name = subject.need(f"{_WORKERS[queue].replace(' ', '_')}_function_name")
    trigger = find_trigger(function_name, subject.queue(queue)["QueueArn"])
    if trigger is None:
        raise NotCheckedError(f"the {queue} has no trigger, see there")
    return trigger.maximum_concurrency


def _waits(subject: Subject) -> tuple[bool, int | None]:
    """Whether callers may wait at all, and how many at once (None: any number)."""
    variables = subject.function("jobs API").get("Environment", {}).get("Variables", {})
    most = variables.get("AI_JOB_MAX_CONCURRENT_WAITS")
    return variables.get("AI_JOB_MAX_WAIT_SECONDS") != "0", int(most) if most else None


def _visibility(queue: str, subject: Subject) -> Iterator[Finding]:
    name, function = f"{queue}'s timeout", _WORKERS[queue]
    attributes, configuration = subject.queue(queue), subject.function(function)
    visibility, timeout = int(attributes["VisibilityTimeout"]), int(configuration["Timeout"])
    if visibility < timeout:
        found = f"messages come back after {visibility} s, but the {function} may take {timeout} s: they run twice"
        variables = queue.replace(" ", "_"), function.replace(" ", "_")
        advice = f"{variables[0]}.visibility_timeout_seconds = {timeout}, or a lower {variables[1]}.timeout_seconds"
        yield Finding(name, State.FAILED, found, f"{advice}, and terraform apply")
        return
    # The processor decides by these what its last try is, and how long it may hold a job.
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    variables_of_function = configuration.get("Environment", {}).get("Variables", {})
    differing = [
        f"{variable} is {variables_of_function[variable]}, the queue has {actual}"
        for variable, actual in (
            ("AI_JOB_VISIBILITY_TIMEOUT_SECONDS", visibility),
            ("AI_JOB_MAX_RECEIVE_COUNT", policy.get("maxReceiveCount")),
        )
        if variable in variables_of_function and variables_of_function[variable] != str(actual)
    ]
    if differing:
        yield Finding(name, State.WARNING, f"the {function} counts on other values: {'; '.join(differing)}", _APPLY)
    else:
        yield Finding(
            name, State.OK, f"messages come back after {visibility} s, the {function} takes {timeout} s at most"
        )


def _trigger(queue: str, subject: Subject) -> Iterator[Finding]:
    name, which, function = f"{queue}'s trigger", queue.split(" ")[0], _WORKERS[queue]
    function_name = subject.need(f"{function.replace(' ', '_')}_function_name")
    attributes = subject.queue(queue)
    trigger = find_trigger(function_name, attributes["QueueArn"])
    if trigger is None:
        yield Finding(name, State.FAILED, f"nothing makes the {function} work on the {queue}", _APPLY)
        return
    if trigger.state == PAUSED:
        advice = f"resume it: {subject.command} resume {which}"
        waiting = _plural(int(attributes["ApproximateNumberOfMessages"]), "message")
        yield Finding(name, State.FAILED, f"paused: the {function} does not work, {waiting} waiting", advice)
    elif trigger.state != ENABLED:
        yield Finding(name, State.WARNING, trigger.state, "look again in a minute")
    if not trigger.reports_failures:
        found = "ReportBatchItemFailures is off: one failed message brings its whole batch back"
        yield Finding(name, State.FAILED, found, _APPLY)
    if trigger.last_result.startswith("PROBLEM"):
        advice = f"look at the function's log: aws logs tail /aws/lambda/{function_name} --since 15m"
        yield Finding(name, State.WARNING, f"last batch: {trigger.last_result}", advice)
    elif trigger.state == ENABLED and trigger.reports_failures:
        yield Finding(name, State.OK, "enabled, reports failed messages one by one")


def _loop_detection(function: str, subject: Subject) -> Iterator[Finding]:
    name = f"{function}'s loop detection"
    function_name = subject.need(f"{function.replace(' ', '_')}_function_name")
    answer = get_lambda_client().get_function_recursion_config(FunctionName=function_name)
    if answer.get("RecursiveLoop") == "Allow":
        yield Finding(name, State.OK, "off: what waits may go around as delayed copies")
    else:
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        found = "on: Lambda takes delayed copies for a runaway loop, and dead-letters them after some 16 rounds"
        yield Finding(name, State.FAILED, found, _APPLY)


def _schedule(subject: Subject) -> Iterator[Finding]:
    name = "reconciler's schedule"
    function_name = subject.need("reconciler_function_name")
    # The module gives both the same name (modules/ai-jobs/names.tf).
    schedule = get_scheduler_client().get_schedule(Name=function_name)
    target = schedule["Target"]["Arn"]
    if target.rpartition(":function:")[2] != function_name:
        yield Finding(name, State.FAILED, f"runs {target}, not the reconciler", _APPLY)
    elif schedule["State"] != "ENABLED":
        found = "disabled: jobs whose worker crashed stay open"
        yield Finding(name, State.FAILED, found, "reconciler.enabled = true, and terraform apply")
    else:
        yield Finding(name, State.OK, f"enabled, {schedule['ScheduleExpression']}")


def _table(subject: Subject) -> Iterator[Finding]:
    name = "table"
    client, table_name = get_dynamodb_client(), subject.need("table_name")
    table = client.describe_table(TableName=table_name)["Table"]
    findings = []
    if table["TableStatus"] != "ACTIVE":
        findings.append(Finding(name, State.WARNING, f"is {table['TableStatus']}", "look again in a minute"))
    indexes = {index["IndexName"]: index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes", [])}
    for index in _INDEXES:
        status = indexes.get(index, "missing")
        if status != "ACTIVE":
            state, advice = (State.FAILED, _APPLY) if index not in indexes else (State.WARNING, "look again later")
            findings.append(Finding(name, state, f"index {index} is {status}", advice))
    ttl = client.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != _TTL_ATTRIBUTE:
        found = f"expiry by {_TTL_ATTRIBUTE} is off: jobs are kept for ever"
        findings.append(Finding(name, State.FAILED, found, _APPLY))
    yield from findings or [Finding(name, State.OK, f"active, with its indexes {' and '.join(_INDEXES)}; jobs expire")]


def _bucket(subject: Subject) -> Iterator[Finding]:
    name = "bucket"
    client, bucket = get_s3_client(), subject.need("bucket_name")
    client.head_bucket(Bucket=bucket)
    try:
        block = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if code_of(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        block = {}
    if all(block.get(setting) for setting in _PUBLIC_ACCESS_BLOCK):
        yield Finding(name, State.OK, "is there, public access is blocked")
    else:
        yield Finding(name, State.FAILED, "public access is not blocked", _APPLY)


def _deployments(subject: Subject) -> list[Any]:
    """Those of our profile, the newest first."""
    pages = get_appconfig_client().get_paginator("list_deployments")
    found = [
        deployment
        for page in pages.paginate(
            ApplicationId=subject.need("config_application_id"), EnvironmentId=subject.need("config_environment_id")
        )
        for deployment in page["Items"]
        # Left out by some; the module's environment has one profile only.
        if deployment.get("ConfigurationProfileId") in (None, subject.need("config_profile_id"))
    ]
    return sorted(found, key=lambda deployment: int(deployment["DeploymentNumber"]), reverse=True)


def _document(subject: Subject) -> dict[str, Any]:
    """The deployed configuration document, and its AppConfig version as `deployedVersion`."""
    deployed = next((item for item in _deployments(subject) if item["State"] == "COMPLETE"), None)
    if deployed is None:
        raise NotCheckedError("nothing is deployed yet", _APPLY)
    version = int(deployed["ConfigurationVersion"])
    answer = get_appconfig_client().get_hosted_configuration_version(
        ApplicationId=subject.need("config_application_id"),
        ConfigurationProfileId=subject.need("config_profile_id"),
        VersionNumber=version,
    )
    return {"deployedVersion": version, "content": answer["Content"].read()}


def _job_types_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The job types of a deployed document, without the broken ones. Raises ValueError when it can't be used at all."""
    broken = _compiled(document).broken
    types = json.loads(document["content"])["jobTypes"]
    return {name: job_type for name, job_type in types.items() if name not in broken}


def _compiled(document: Mapping[str, Any]) -> JobTypes:
    """The job types as the functions read them. Raises ValueError, with what is wrong, when they can use none."""
    try:
        return JobTypes.from_document(document["content"])
    except JobError as error:
        raise ValueError(error.message) from error


def _job_types(subject: Subject) -> Iterator[Finding]:
    name = "job types"
    document = subject.once(name, partial(_document, subject))
    deployed = document["deployedVersion"]
    pages = (
        get_appconfig_client()
        .get_paginator("list_hosted_configuration_versions")
        .paginate(
            ApplicationId=subject.need("config_application_id"),
            ConfigurationProfileId=subject.need("config_profile_id"),
        )
    )
    latest = max((item["VersionNumber"] for page in pages for item in page["Items"]), default=deployed)
    newest = _deployments(subject)[0]
    if newest["State"] in ("BAKING", "VALIDATING", "DEPLOYING", "ROLLING_BACK"):
        found = f"version {newest['ConfigurationVersion']} is on its way ({newest['State'].lower()})"
        yield Finding(name, State.WARNING, found, "look again in a minute")
    elif latest != deployed:
        found = f"version {deployed} is deployed, but {latest} is there (last deployment: {newest['State'].lower()})"
        yield Finding(name, State.FAILED, found, "terraform apply deploys it; if it was rolled back, look at why")
    try:
        types = _compiled(document)
    except ValueError as error:
        yield Finding(name, State.FAILED, f"version {deployed} can't be used: {error}", _APPLY)
        return
    advice = f"correct the job type, try it with `{subject.command} types check`, and terraform apply"
    for broken, problem in sorted(types.broken.items()):
        yield Finding(f"job type {broken}", State.FAILED, f"all its jobs fail: {problem.message}", advice)
    expected = subject.outputs.get("job_types") or types.names
    if set(expected) != set(types.names):
        found = f"version {deployed} has {', '.join(types.names)}, but Terraform set {', '.join(sorted(expected))}"
        yield Finding(name, State.FAILED, found, _APPLY)
    elif latest == deployed and not types.broken:
        yield Finding(name, State.OK, f"version {deployed} is the latest, and deployed: {', '.join(types.names)}")


def _usable_types(subject: Subject) -> dict[str, Any]:
    document = subject.once("job types", partial(_document, subject))
    try:
        return _job_types_of(document)
    except ValueError:
        raise NotCheckedError("the job types can't be used, see there") from None


def _models(subject: Subject) -> Iterator[Finding]:
    types = _usable_types(subject)
    yield from check_models(subject, types)
    yield from check_guardrails(subject, types)


def _alarms(subject: Subject) -> Iterator[Finding]:
    name = "alarms"
    names = list(subject.need("alarm_names"))
    names += [subject.outputs["service_alarm_name"]] if subject.outputs.get("service_alarm_name") else []
    alarms = {alarm["AlarmName"]: alarm for alarm in describe_alarms(names)}
    findings: list[Finding] = []
    topics = set(subject.outputs.get("alarm_topic_arns") or [])
    for alarm_name in names:
        findings += _alarm(alarm_name, alarms.get(alarm_name), topics)
    yield from findings
    if not any(finding.state is State.FAILED for finding in findings):
        found = f"all {len(names)} exist and notify; in ALARM: {len(findings) or 'none'}"
        yield Finding(name, State.OK, found)


def _alarm(alarm_name: str, alarm: Mapping[str, Any] | None, topics: set[str]) -> Iterator[Finding]:
    name = f"alarm {alarm_name}"
    if alarm is None:
        yield Finding(name, State.FAILED, "does not exist", _APPLY)
        return
    if not alarm.get("ActionsEnabled"):
        advice = f"aws cloudwatch enable-alarm-actions --alarm-names {alarm_name}"
        yield Finding(name, State.FAILED, "its actions are switched off: nobody is told", advice)
    if not alarm.get("AlarmActions"):
        yield Finding(name, State.FAILED, "has no actions: nobody is told", _APPLY)
    elif topics and not topics & set(alarm["AlarmActions"]):
        others = ", ".join(alarm["AlarmActions"])
        yield Finding(name, State.FAILED, f"notifies {others}, none of the environment's topics", _APPLY)
    if alarm["StateValue"] == "ALARM":
        advice = alarm.get("AlarmDescription") or "docs/runbooks.md says what to do"
        yield Finding(name, State.WARNING, f"in ALARM: {alarm.get('StateReason', '')}", advice)


def _topics(subject: Subject) -> Iterator[Finding]:
    arns = subject.outputs.get("alarm_topic_arns") or [subject.need("alarm_topic_arn")]
    for arn in arns:
        yield from made(f"topic {arn.rpartition(':')[2]}", _topic(arn))


def _topic(arn: str) -> Iterator[Finding]:
    name = f"topic {arn.rpartition(':')[2]}"
    client = get_sns_client()
    key = client.get_topic_attributes(TopicArn=arn)["Attributes"].get("KmsMasterKeyId", "")
    if key.endswith("alias/aws/sns"):
        found = "is encrypted with alias/aws/sns, which CloudWatch may not use: alarms reach nobody"
        yield Finding(name, State.FAILED, found, "use no key, or one of your own that lets cloudwatch.amazonaws.com in")
    pages = client.get_paginator("list_subscriptions_by_topic")
    subscriptions = [item for page in pages.paginate(TopicArn=arn) for item in page["Subscriptions"]]
    # What is not confirmed has words in the place of the ARN: PendingConfirmation.
    confirmed = sum(item["SubscriptionArn"].startswith("arn:") for item in subscriptions)
    if confirmed:
        yield Finding(name, State.OK, _plural(confirmed, "confirmed subscription"))
        return
    pending = f", {len(subscriptions)} not confirmed" if subscriptions else ""
    advice = (
        "confirm what was sent to you"
        if subscriptions
        else f"aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint YOUR_ADDRESS"
    )
    yield Finding(name, State.WARNING, f"no confirmed subscription{pending}: alarms reach nobody", advice)


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


_CHECKS: dict[str, Check] = {
    **{queue: partial(_queue, queue) for queue in _WORKERS},
    **{dlq: partial(_dlq, dlq) for dlq in ("request DLQ", "response DLQ")},
    **{function: partial(_function, function) for function in _FUNCTIONS},
    "event publisher": where_events_are_on("event publisher", partial(_function, "event publisher")),
    "builds": _builds,
    **{f"{queue}'s timeout": partial(_visibility, queue) for queue in _WORKERS},
    **{f"{queue}'s trigger": partial(_trigger, queue) for queue in _WORKERS},
    **{f"{function}'s loop detection": partial(_loop_detection, function) for function in _WORKERS.values()},
    "concurrency": _concurrency,
    "reconciler's schedule": _schedule,
    **EVENT_CHECKS,
    "table": _table,
    "bucket": _bucket,
    "job types": _job_types,
    "models": _models,
    "alarms": _alarms,
    "topics": _topics,
}
