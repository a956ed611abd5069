"""The environment of local commands: nothing of the caller's AWS set-up gets in."""

from __future__ import annotations

import os

import pytest

from scripts import project

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
    "NO_PROXY": "internal.example.com",
}


def test_nothing_of_the_callers_aws_configuration_is_left() -> None:
    environment = project.local_environment(base=CALLER)
    ours = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    assert ours == project.credentials() | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert "TF_WORKSPACE" not in environment
    assert environment["PATH"] == "/bin"


def test_the_endpoint_is_set_when_given() -> None:
    environment = project.local_environment("http://127.0.0.1:4566", base=CALLER)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


def test_loopback_goes_around_any_proxy() -> None:
    environment = project.local_environment(base=CALLER)
    assert environment["NO_PROXY"] == "internal.example.com,127.0.0.1,localhost"
    assert environment["no_proxy"] == "127.0.0.1,localhost"


def test_ctrl_c_says_what_is_left_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    for arguments, said in (((), "Run it again"), ((lambda: "Half of it is there.",), "Half of it is there.")):
        with pytest.raises(SystemExit) as ended:
            project.run(interrupted, *arguments)
        assert ended.value.code == 130
        assert f"interrupted. {said}" in capsys.readouterr().err


def test_both_names_of_the_region_are_set() -> None:
    credentials = project.credentials()
    assert credentials["AWS_REGION"] == credentials["AWS_DEFAULT_REGION"]
    assert credentials["AWS_ACCESS_KEY_ID"]
    assert credentials["AWS_SECRET_ACCESS_KEY"]
