"""The deployed job types of the applied stack, changed as `terraform apply` changes them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3


class DeployedTypes:
    """Deploys new versions of the document that Terraform deployed first, always from that one."""

    def __init__(self, outputs: SimpleNamespace) -> None:
        self._appconfig = boto3.client("appconfig")
        self._application = outputs.config_application_id
        self._environment, self._profile = outputs.config_environment_id, outputs.config_profile_id
        self._strategy = self._deployments()[-1]["DeploymentStrategyId"]

    def _deployments(self) -> list[Any]:
        where = {"ApplicationId": self._application, "EnvironmentId": self._environment}
        numbers = [found["DeploymentNumber"] for found in self._appconfig.list_deployments(**where)["Items"]]
        return [self._appconfig.get_deployment(**where, DeploymentNumber=number) for number in sorted(numbers)]

    def deploy(self, change: Callable[[str], str]) -> None:
        """Deploy Terraform's document with this change."""
        where = {"ApplicationId": self._application, "ConfigurationProfileId": self._profile}
        first = self._appconfig.get_hosted_configuration_version(**where, VersionNumber=1)["Content"].read().decode()
        version = self._appconfig.create_hosted_configuration_version(
            **where, Content=change(first).encode(), ContentType="application/json"
        )
        self._appconfig.start_deployment(
            **where,
            EnvironmentId=self._environment,
            ConfigurationVersion=str(version["VersionNumber"]),
            DeploymentStrategyId=self._strategy,
        )

    def restore(self) -> None:
        """Deploy Terraform's document as it was."""
        self.deploy(lambda document: document)
