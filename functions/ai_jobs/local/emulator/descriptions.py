"""What MiniStack forgets of what it was given, or adds to it, and every plan would set again.

A forgotten description even replaces the job types, so that workers would have to read them again after each apply.
"""

from __future__ import annotations

import json
from typing import Any

_ROUTE = "hostedconfigurationversions"


def install(appconfig: Any, apigateway: Any, functions: Any) -> None:
    """Make MiniStack's modules of these services describe what was put."""
    _keep_descriptions_of_versions(appconfig)
    _keep_tags_of_deployments(appconfig)
    _leave_out_empty_access_logs(apigateway)
    _leave_out_the_default_age(functions)


def _keep_descriptions_of_versions(appconfig: Any) -> None:
    handle = appconfig.handle_request
    descriptions: dict[str, str] = {}

    async def handle_request(method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        status, sent, body = await handle(method, path, headers, *rest)
        if _ROUTE in path and "Version-Number" in sent:
            version = f"{sent['Configuration-Profile-Id']}/{sent['Version-Number']}"
            if method == "POST":
                descriptions[version] = headers.get("description", "")
            if descriptions.get(version):
                sent = sent | {"Description": descriptions[version]}
        return status, sent, body

    appconfig.handle_request = handle_request


def _keep_tags_of_deployments(appconfig: Any) -> None:
    start = appconfig._start_deployment

    def start_deployment(application: str, environment: str, request: dict[str, Any]) -> Any:
        response = start(application, environment, request)
        if response[0] == 201:
            number = json.loads(response[2])["DeploymentNumber"]
            appconfig._apply_tags(appconfig._deployment_arn(application, environment, number), request.get("Tags"))
        return response

    appconfig._start_deployment = start_deployment


def _leave_out_empty_access_logs(apigateway: Any) -> None:
    get = apigateway._get_stage

    def get_stage(*stage: str) -> Any:
        status, headers, body = get(*stage)
        found = json.loads(body)
        if not found.get("accessLogSettings"):
            found.pop("accessLogSettings", None)
        return status, headers, json.dumps(found).encode()

    apigateway._get_stage = get_stage


def _leave_out_the_default_age(functions: Any) -> None:
    put = functions._put_event_invoke_config

    def put_event_invoke_config(name: str, qualifier: str | None, request: dict[str, Any]) -> Any:
        response = put(name, qualifier, request)
        if response[0] == 200 and "MaximumEventAgeInSeconds" not in request:
            del functions._functions[name]["event_invoke_configs"][qualifier or ""]["MaximumEventAgeInSeconds"]
        return response

    functions._put_event_invoke_config = put_event_invoke_config
