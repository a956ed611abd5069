"""The environment of local commands: nothing of the caller's AWS set-up gets in."""

from __future__ import annotations

import os

from ai_jobs.local.environment import CREDENTIALS, local_environment

CALLER = {
    "PATH": "/bin",
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ACCESS_KEY_ID": "real",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL_SQS": "https://sqs.example.com",
    "AWS_CONFIG_FILE": "the-callers-own/config",
    "TF_WORKSPACE": "other",
    "TF_DATA_DIR": "other",
    "TF_CLI_ARGS": "-lock=false",
    "TF_CLI_ARGS_init": "-backend-config=bucket=production",
    "TF_CLI_ARGS_plan": "-destroy",
    "TF_VAR_name": "acme",
    "NO_PROXY": "internal.example.com",
}


def test_nothing_of_the_callers_aws_configuration_is_left() -> None:
    environment = local_environment(base=CALLER)
    ours = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    assert ours == CREDENTIALS | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    of_terraform = {name for name in environment if name.startswith("TF_")}
    assert of_terraform == {"TF_VAR_name"}, "no other state, and no other options"
    assert environment["PATH"] == "/bin"


def test_the_endpoint_is_set_when_given() -> None:
    environment = local_environment("http://127.0.0.1:4566", base=CALLER)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


def test_loopback_goes_around_any_proxy() -> None:
    environment = local_environment(base=CALLER)
    assert environment["NO_PROXY"] == "internal.example.com,127.0.0.1,localhost"
    assert environment["no_proxy"] == "127.0.0.1,localhost"


def test_both_names_of_the_region_are_set() -> None:
    assert CREDENTIALS["AWS_REGION"] == CREDENTIALS["AWS_DEFAULT_REGION"]
    assert CREDENTIALS["AWS_ACCESS_KEY_ID"]
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
