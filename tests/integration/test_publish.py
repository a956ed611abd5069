"""A release on the local AWS: Lambda runs what was published, and everything invokes the live version."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import uuid

import boto3
import pytest

from ai_jobs.contract.limits import LIVE
from scripts import release_files
from scripts.project import DIST, ROOT, TERRAFORM, Failure
from scripts.publish import publish

FUNCTIONS = ("processor", "result_handler", "jobs_api", "reconciler", "event_publisher")


@pytest.fixture
def bucket():
    name = f"releases-{uuid.uuid4()}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


def test_lambda_runs_what_was_published(bucket, outputs):  # R-P5
    published = publish(DIST, bucket, "ai-jobs", "us-east-1")
    assert (len(published.new), published.region) == (6, "us-east-1")
    function = release_files.read_manifest()["functions"]["reconciler"]
    role = boto3.client("lambda").get_function_configuration(FunctionName=outputs.reconciler_function_name)["Role"]
    created = boto3.client("lambda").create_function(
        FunctionName=bucket[:60],
        Role=role,
        Runtime=function["runtime"],
        Handler=function["handler"],
        Code={"S3Bucket": bucket, "S3Key": f"ai-jobs/{function['key']}"},
    )
    assert created["CodeSha256"] == function["base64sha256"]


ROOT_OF_ONE_FUNCTION = """
terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws", version = "5.100.0" }}
  }}
}}
variable "function" {{ type = any }}
module "function" {{
  source             = "{source}"
  name               = "{name}"
  role_name          = "{name}"
  role_path          = "/"
  description        = "Released, and rolled back."
  handler            = var.function.handler
  package = {{
    s3 = {{
      bucket       = "{bucket}"
      key          = var.function.key
      sha256       = var.function.sha256
      base64sha256 = var.function.base64sha256
    }}
  }}
  timeout_seconds    = 10
  memory_mb          = 256
  log_retention_days = 7
}}
"""


@pytest.fixture
def deploy(bucket, tmp_path):
    """Plans one function with a zip that was published, applies that, and returns what it changed."""
    source = os.path.relpath(ROOT / "modules/function", tmp_path)
    text = ROOT_OF_ONE_FUNCTION.format(source=source, name=f"released-{bucket[-12:]}", bucket=bucket)
    (tmp_path / "main.tf").write_text(text)

    def terraform(command, *arguments):
        program = [os.environ.get("AI_JOBS_TERRAFORM", str(TERRAFORM)), f"-chdir={tmp_path}"]
        options = ("-input=false", "-no-color", *arguments)
        done = subprocess.run([*program, command, *options], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(function):
        lines = terraform("plan", "-json", "-out=plan", f"-var=function={json.dumps(function)}").splitlines()
        changes = [line["change"] for line in map(json.loads, lines) if line["type"] == "planned_change"]
        terraform("apply", "plan")
        return {change["resource"]["resource_type"]: change["action"] for change in changes}

    terraform("init")
    return run


def test_a_release_and_its_rollback_move_the_alias(bucket, deploy):  # R-P5
    publish(DIST, bucket)
    functions, name = release_files.read_manifest()["functions"], f"released-{bucket[-12:]}"
    moved = {"aws_lambda_function": "update", "aws_lambda_alias": "update"}
    assert deploy(functions["reconciler"])["aws_lambda_alias"] == "create"
    assert deploy(functions["reconciler"]) == {}, "unchanged zips change no function"
    assert deploy(functions["event_publisher"]) == moved
    assert deploy(functions["event_publisher"]) == {}
    assert deploy(functions["reconciler"]) == moved
    running = boto3.client("lambda").get_function_configuration(FunctionName=name, Qualifier=LIVE)
    assert (running["Version"], running["CodeSha256"]) == ("3", functions["reconciler"]["base64sha256"])


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ({"ChecksumAlgorithm": "SHA256"}, "has the SHA-256 "),
        ({"ChecksumAlgorithm": "CRC32"}, "has no SHA-256 stored with it, "),
    ],
)
def test_an_object_that_somebody_else_wrote_is_not_deployed(bucket, deploy, stored, found):  # R-P5
    publish(DIST, bucket)
    function = release_files.read_manifest()["functions"]["reconciler"]
    boto3.client("s3").put_object(Bucket=bucket, Key=function["key"], Body=b"something else", **stored)
    with pytest.raises(AssertionError) as refused:
        deploy(function)
    assert f"s3://{bucket}/{function['key']} (packages.s3), {found}" in str(refused.value)
    assert "delete it, and run `make publish` again" in str(refused.value)


def test_a_zip_that_is_not_there_is_an_error_of_the_plan(deploy):  # R-P5
    function = release_files.read_manifest()["functions"]["reconciler"]
    with pytest.raises(AssertionError, match="reading S3 Bucket .* Object .*couldn't find resource") as failed:
        deploy(function)
    assert "run `make publish`, or correct packages.s3" in str(failed.value), "the line that Terraform shows"


def test_it_is_stored_with_its_checksum_and_not_overwritten(bucket):  # R-P5
    publish(DIST, bucket)
    assert publish(DIST, bucket).new == []
    s3, function = boto3.client("s3"), release_files.read_manifest()["functions"]["processor"]
    stored = s3.head_object(Bucket=bucket, Key=function["key"], ChecksumMode="ENABLED")
    assert stored["ChecksumSHA256"] == function["base64sha256"]
    s3.put_object(Bucket=bucket, Key=function["key"], Body=b"something else")
    with pytest.raises(Failure, match="has other bytes"):
        publish(DIST, bucket)


def test_everything_invokes_the_live_version(outputs):  # R-P5
    client = boto3.client("lambda")
    for name in FUNCTIONS:
        function = getattr(outputs, f"{name}_function_name")
        alias = client.get_alias(FunctionName=function, Name=LIVE)
        running = client.get_function_configuration(FunctionName=function, Qualifier=LIVE)
        assert (alias["FunctionVersion"], running["Version"]) == (running["Version"], "1"), name
        zipped = base64.b64encode(hashlib.sha256((DIST / f"{name}.zip").read_bytes()).digest()).decode()
        assert running["CodeSha256"] == zipped, name
        for trigger in client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            assert trigger["FunctionArn"] == alias["AliasArn"]
    schedule = boto3.client("scheduler").get_schedule(Name=outputs.reconciler_function_name)
    assert schedule["Target"]["Arn"].endswith(f":{outputs.reconciler_function_name}:{LIVE}")


def test_what_is_not_published_does_not_run(outputs, api):  # R-P5
    """Somebody edits the function in the console: callers do not notice."""
    client, name = boto3.client("lambda"), outputs.jobs_api_function_name
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    broken = variables | {"AI_JOB_TABLE_NAME": "nowhere"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": broken})
    try:
        assert api.call("GET", "/jobs?userId=user-1")[0] == 200
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
