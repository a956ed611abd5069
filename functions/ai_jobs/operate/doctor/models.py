"""The models and guardrails of the job types: does Bedrock have them, and can the processor use them?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ai_jobs.aws.clients import get_bedrock_control_client, get_iam_client
from ai_jobs.aws.errors import CALL_ERRORS, code_of
from ai_jobs.contract.limits import PATTERNS
from ai_jobs.operate.doctor.findings import NOT_THERE, Finding, NotCheckedError, State, Subject, made
from ai_jobs.operate.doctor.job_types import usable_types

# A cross-region inference profile's id starts with its geography (modules/ai-jobs/models.tf).
_PROFILE_ID = re.compile(PATTERNS["inference_profile_prefix"])

_INVOKE = "bedrock:InvokeModel"
_APPLY_GUARDRAIL = "bedrock:ApplyGuardrail"


def check_models(subject: Subject) -> Iterator[Finding]:
    """Do the models of the job types exist, does the account have access to them, and can the processor call them?

    That includes fallback models, and the application inference profiles through which a type calls its models. The
    same for guardrails, in the versions that the job types name.
    """
    types = usable_types(subject)
    for model_id, names in _by(types, _called):
        yield from made(f"model {model_id}", _model(subject, model_id, names))
    for guardrail, names in _by(types, lambda job_type: [job_type["guardrail"]] if job_type.get("guardrail") else []):
        name = f"guardrail {guardrail['id']}"
        yield from made(name, _guardrail(subject, name, guardrail, names))


def _called(job_type: Mapping[str, Any]) -> list[str]:
    """The models that a type may call, each as the processor names it in the call."""
    profiles = job_type.get("inferenceProfiles", {})
    models = [job_type["modelId"], *job_type.get("fallbackModelIds", [])]
    return [profiles.get(model_id, model_id) for model_id in models]


def _by(types: Mapping[str, Mapping[str, Any]], of: Callable[[Mapping[str, Any]], list[Any]]) -> list[tuple[Any, str]]:
    """What job types use, each with the names of those that use it, as text for messages."""
    users: dict[str, tuple[Any, list[str]]] = {}
    for name, job_type in types.items():
        for used in of(job_type):
            users.setdefault(str(used), (used, []))[1].append(name)
    return [(used, ", ".join(sorted(names))) for _, (used, names) in sorted(users.items())]


def _model(subject: Subject, model_id: str, used_by: str) -> Iterator[Finding]:
    name = f"model {model_id}"
    try:
        if "inference-profile/" in model_id or _PROFILE_ID.match(model_id):
            finding, arns = _profile(name, model_id)
        elif model_id.startswith("arn:") and ":foundation-model/" not in model_id:
            raise NotCheckedError("it is neither a foundation model nor an inference profile")
        else:
            finding, arns = _foundation_model(name, model_id)
    except CALL_ERRORS as error:
        if code_of(error) not in (*NOT_THERE, "ValidationException"):
            raise
        where = "model_id, fallback_model_ids, or default_model_id"
        advice = f"set another model for {used_by} ({where}), and run terraform apply"
        yield Finding(name, State.FAILED, f"Bedrock does not have it in this region: {error}", advice)
        return
    yield finding
    yield from _permission(subject, name, _INVOKE, arns)


def _profile(name: str, model_id: str) -> tuple[Finding, list[str]]:
    """What Bedrock says about an inference profile, and the ARNs on which a call through it is authorized."""
    profile = get_bedrock_control_client().get_inference_profile(inferenceProfileIdentifier=model_id)
    models = [model["modelArn"] for model in profile.get("models", [])]
    if not models:
        raise NotCheckedError("Bedrock's response does not name a model behind the profile")
    # By its id, the model is looked up in this region, whichever regions the profile leads to.
    behind = models[0].rpartition("/")[2]
    finding = _legacy(name, behind) or _access(name, behind, through_profile=True)
    return finding, [profile["inferenceProfileArn"], *models]


def _foundation_model(name: str, model_id: str) -> tuple[Finding, list[str]]:
    details = _details(model_id)
    behind = model_id.rpartition("/")[2]
    arns = [details["modelArn"]]
    if "ON_DEMAND" not in details.get("inferenceTypesSupported", ["ON_DEMAND"]):
        found = "can be called only through an inference profile"
        advice = f"put the geography in front, for example eu.{behind}, and run terraform apply"
        return Finding(name, State.FAILED, found, advice), arns
    return _legacy(name, model_id) or _access(name, behind, through_profile=False), arns


def _details(model_id: str) -> dict[str, Any]:
    answer = get_bedrock_control_client().get_foundation_model(modelIdentifier=model_id)
    return dict(answer.get("modelDetails", {}))


def _legacy(name: str, model_id: str) -> Finding | None:
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html
    if _details(model_id).get("modelLifecycle", {}).get("status") != "LEGACY":
        return None
    found = "is LEGACY: its provider is retiring it, and an account that has not used it can't start now"
    return Finding(name, State.WARNING, found, "move to a newer model before its end of life")


def _access(name: str, model_id: str, *, through_profile: bool) -> Finding:
    answer = get_bedrock_control_client().get_foundation_model_availability(modelId=model_id)
    authorized, entitled = answer.get("authorizationStatus"), answer.get("entitlementAvailability")
    if not authorized or not entitled:
        raise NotCheckedError("Bedrock's response does not say whether the account has access")
    if not through_profile and answer.get("regionAvailability") == "NOT_AVAILABLE":
        return Finding(
            name, State.FAILED, "is not available in this region", "use an inference profile, or another model_id"
        )
    if authorized != "AUTHORIZED" or entitled != "AVAILABLE":
        found = f"the account does not have access (authorization {authorized}, entitlement {entitled})"
        return Finding(name, State.FAILED, found, "request access in the Bedrock console: Model access")
    agreement = answer.get("agreementAvailability", {}).get("status", "AVAILABLE")
    if agreement != "AVAILABLE":
        advice = "accept it in the Bedrock console (Model access), or call the model once with Marketplace permissions"
        return Finding(name, State.WARNING, f"the provider's agreement is {agreement}", advice)
    return Finding(name, State.OK, "the account has access")


def _guardrail(subject: Subject, name: str, guardrail: Mapping[str, str], used_by: str) -> Iterator[Finding]:
    try:
        answer: Any = get_bedrock_control_client().get_guardrail(
            guardrailIdentifier=guardrail["id"], guardrailVersion=str(guardrail["version"])
        )
    except CALL_ERRORS as error:
        if code_of(error) not in (*NOT_THERE, "ValidationException"):
            raise
        advice = f"set another guardrail for {used_by}, and run terraform apply"
        yield Finding(name, State.FAILED, f"version {guardrail['version']} does not exist: {error}", advice)
        return
    if answer["status"] == "READY":
        yield Finding(name, State.OK, f"version {answer['version']} is ready")
    else:
        yield Finding(name, State.FAILED, f"is {answer['status']}", "look at it in the Bedrock console: Guardrails")
    yield from _permission(subject, name, _APPLY_GUARDRAIL, [answer["guardrailArn"]])


def _permission(subject: Subject, of: str, action: str, arns: list[str]) -> Iterator[Finding]:
    name = f"{of}'s permission"
    yield from made(name, _simulated(subject, name, action, arns))


def _simulated(subject: Subject, name: str, action: str, arns: list[str]) -> Iterator[Finding]:
    """Whether IAM's simulation of the role's policies allows the processor this action."""
    role = subject.function("processor")["Role"]
    answer = get_iam_client().simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=[action],
        ResourceArns=arns,
        # The module allows the models behind a profile only through that profile; the first ARN is the profile's own.
        ContextEntries=[
            {
                "ContextKeyName": "bedrock:InferenceProfileArn",
                "ContextKeyType": "string",
                "ContextKeyValues": [arns[0]],
            }
        ],
    )
    denied = _denied(answer["EvaluationResults"])
    role_name = role.rpartition("/")[2]
    if denied:
        found = f"the processor's role {role_name} does not allow {action} on {', '.join(denied)}: every such job fails"
        advice = "run terraform apply; then look for a permissions boundary or an organization's policy that denies it"
        yield Finding(name, State.FAILED, found, advice)
    else:
        yield Finding(name, State.OK, f"the processor's role allows {action}")


def _denied(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """The resources that a simulation does not allow. IAM returns a result for each, or one that contains them all."""
    denied: list[str] = []
    for result in results:
        each = result.get("ResourceSpecificResults") or []
        denied += [part["EvalResourceName"] for part in each if part["EvalResourceDecision"] != "allowed"]
        if result["EvalDecision"] != "allowed" and not each:
            denied.append(result.get("EvalResourceName", "*"))
    return list(dict.fromkeys(denied))
