"""The limits and names in functions/ai_jobs/contract/limits.json: whatever repeats one agrees with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from ai_jobs.cli import environment
from scripts.module_docs import blocks
from scripts.package import BUNDLES
from tests import contract

ROOT = Path(__file__).parents[2]
INTERFACE = Path(__file__).with_name("interface.json")
CONTRACT: dict[str, Any] = json.loads(ROOT.joinpath("functions/ai_jobs/contract/limits.json").read_text("utf-8"))
LIMITS, PATTERNS, STATES = CONTRACT["limits"], CONTRACT["patterns"], CONTRACT["states"]
MODULE = ROOT / "modules/ai-jobs"

JOB_TYPES = json.loads(ROOT.joinpath("modules/job-types/document.schema.json").read_text("utf-8"))["properties"]
(TYPE_PATTERN, TYPE_SCHEMA), *_ = JOB_TYPES["jobTypes"]["patternProperties"].items()
CHOICES = CONTRACT["model_settings"]
TYPE = TYPE_SCHEMA["properties"]
EVENT = json.loads(ROOT.joinpath("docs/schemas/job-event.json").read_text("utf-8"))["$defs"]["detail"]["properties"]
SCHEMAS = contract.SCHEMAS
PARAMETERS = {
    parameter["name"]: contract.resolved(parameter["schema"])
    for operation in contract.operations().values()
    for parameter in map(contract.resolved, operation.get("parameters", []))
}


def anchored(name: str) -> str:
    return f"^{PATTERNS[name]}$"


def bounds(schema: dict[str, Any]) -> tuple[Any, Any]:
    return schema.get("minimum"), schema.get("maximum")


# ---------------------------------------------------------------------------------------------------
# The file itself
# ---------------------------------------------------------------------------------------------------


def test_every_limit_is_a_range():
    assert [name for name, limit in LIMITS.items() if not 0 <= limit["min"] < limit["max"]] == []
    assert all(limit["min"] <= limit.get("default", limit["min"]) <= limit["max"] for limit in LIMITS.values())
    assert [name for name in LIMITS if not re.fullmatch(r"[a-z_]+", name)] == []


def test_what_does_not_go_into_a_message_fits_into_the_bucket():
    sizes = [LIMITS[name]["max"] for name in ("inline_bytes", "message_bytes", "put_body_bytes", "input_bytes")]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_has_no_anchors(name):
    assert re.compile(PATTERNS[name])
    assert not PATTERNS[name].startswith("^")
    assert not PATTERNS[name].endswith("$")


# ---------------------------------------------------------------------------------------------------
# OpenAPI and JSON Schemas
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "name"),
    [
        pytest.param(SCHEMAS["JobId"]["pattern"], "job_id", id="openapi JobId"),
        pytest.param(SCHEMAS["UserId"]["pattern"], "user_id", id="openapi UserId"),
        pytest.param(SCHEMAS["JobType"]["pattern"], "job_type", id="openapi JobType"),
        pytest.param(SCHEMAS["TraceId"]["pattern"], "trace_id", id="openapi TraceId"),
        pytest.param(
            SCHEMAS["JobFailure"]["properties"]["code"]["anyOf"][1]["pattern"], "error_code", id="openapi JobFailure"
        ),
        pytest.param(EVENT["jobId"]["pattern"], "job_id", id="event jobId"),
        pytest.param(EVENT["userId"]["pattern"], "user_id", id="event userId"),
        pytest.param(EVENT["jobType"]["pattern"], "job_type", id="event jobType"),
        pytest.param(EVENT["traceId"]["pattern"], "trace_id", id="event traceId"),
        pytest.param(EVENT["error"]["properties"]["code"]["pattern"], "error_code", id="event error.code"),
        pytest.param(TYPE_PATTERN, "job_type", id="AppConfig job type"),
        pytest.param(TYPE["handler"]["pattern"], "handler", id="AppConfig handler"),
    ],
)
def test_patterns_agree(found, name):
    assert found == anchored(name)


def test_the_path_of_a_job_ends_with_its_id():
    location = contract.DOCUMENT["components"]["headers"]["Location"]["schema"]["pattern"]
    assert location == f"/jobs/{PATTERNS['job_id']}$"


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        pytest.param(SCHEMAS["DeadlineSeconds"], "deadline_seconds", id="openapi POST deadlineSeconds"),
        pytest.param(
            SCHEMAS["JobPut"]["properties"]["deadlineSeconds"], "deadline_seconds", id="openapi PUT deadlineSeconds"
        ),
        pytest.param(SCHEMAS["JobPut"]["properties"]["delaySeconds"], "delay_seconds", id="openapi delaySeconds"),
        pytest.param(PARAMETERS["wait"], "wait_seconds", id="openapi wait"),
        pytest.param(PARAMETERS["limit"], "page_size", id="openapi limit"),
        pytest.param(TYPE["maxTokens"], "model_max_tokens", id="AppConfig maxTokens"),
        pytest.param(TYPE["temperature"], "model_temperature", id="AppConfig temperature"),
        pytest.param(TYPE["topP"], "model_top_p", id="AppConfig topP"),
        pytest.param(TYPE["timeoutSeconds"], "model_timeout_seconds", id="AppConfig timeout"),
        pytest.param(TYPE["output"]["properties"]["repairs"], "output_repairs", id="AppConfig repairs"),
        pytest.param(TYPE["attachments"]["properties"]["maxCount"], "attachment_count", id="AppConfig maxCount"),
        pytest.param(TYPE["attachments"]["properties"]["maxBytes"], "attachment_bytes", id="AppConfig maxBytes"),
    ],
)
def test_ranges_agree(schema, name):
    assert bounds(schema) == (LIMITS[name]["min"], LIMITS[name]["max"])


@pytest.mark.parametrize(
    ("key", "maximum", "name"),
    [
        ("fallbackModelIds", "maxItems", "fallback_models"),
        ("stopSequences", "maxItems", "stop_sequences"),
        ("requestMetadata", "maxProperties", "request_metadata"),
    ],
)
def test_the_longest_lists_of_a_job_type_agree(key, maximum, name):
    assert TYPE[key][maximum] == LIMITS[name]["max"]


@pytest.mark.parametrize(
    ("schema", "choices"),
    [
        pytest.param(TYPE["effort"], CHOICES["efforts"], id="effort"),
        pytest.param(TYPE["serviceTier"], CHOICES["service_tiers"], id="serviceTier"),
        pytest.param(TYPE["promptCache"]["properties"]["ttl"], CHOICES["prompt_cache_ttls"], id="ttl"),
        pytest.param(TYPE["output"]["properties"]["mode"], CHOICES["output_modes"], id="mode"),
        pytest.param(
            TYPE["attachments"]["properties"]["mediaTypes"]["items"], list(CONTRACT["media_types"]), id="mediaTypes"
        ),
    ],
)
def test_the_choices_of_a_job_type_agree(schema, choices):
    assert schema["enum"] == choices


def test_a_page_has_the_default_size():
    assert PARAMETERS["limit"]["default"] == LIMITS["page_size"]["default"]


@pytest.mark.parametrize(
    ("text", "name", "written"),
    [
        (contract.operations()["POST", "/jobs"]["description"], "message_bytes", lambda size: f"{size // 1024} KiB"),
        (contract.operations()["PUT", "/jobs/{jobId}"]["description"], "put_body_bytes", lambda size: f"{size:,} byte"),
        (ROOT.joinpath("modules/api/main.tf").read_text("utf-8"), "message_bytes", lambda size: f"{size // 1024} KiB"),
        (ROOT.joinpath("modules/api/main.tf").read_text("utf-8"), "put_body_bytes", lambda size: f"{size:,} byte"),
    ],
    ids=["openapi POST", "openapi PUT", "gateway POST", "gateway PUT"],
)
def test_sizes_in_texts_agree(text, name, written):
    assert written(LIMITS[name]["max"]) in text


def test_states_agree():
    assert SCHEMAS["JobStatus"]["enum"] == [*STATES["open"], *STATES["terminal"]]
    assert EVENT["status"]["enum"] == STATES["terminal"]
    (accepted,) = re.findall(r'"status": "(\w+)"', (ROOT / "modules/api/templates/post_jobs_response.vtl").read_text())
    assert accepted == STATES["open"][0]


def test_the_modes_that_trust_the_caller_agree():
    (user,) = [p for p in contract.operations()["GET", "/jobs"]["parameters"] if p.get("name") == "userId"]
    required = [SCHEMAS[name]["properties"]["userId"]["x-required-in"] for name in ("JobRequest", "JobPut")]
    assert [user["x-required-in"], *required] == [CONTRACT["authorization_modes"]["user_from_request"]] * 3


# ---------------------------------------------------------------------------------------------------
# Terraform
# ---------------------------------------------------------------------------------------------------


def local_values(path: Path) -> dict[str, Any]:
    """The locals of a file; what is not a literal is the text of its expression."""
    found = hcl2.loads(path.read_text("utf-8"))["locals"]
    return {name: value for block in found for name, value in block.items() if not name.startswith("__")}


RANGES = local_values(MODULE / "limits.tf")


def names_in(table: Any) -> set[str]:
    """The names of a table's rows: of an object, a reference to another local, or a merge of those."""
    if isinstance(table, dict):
        return {name for name in table if not name.startswith("__")}
    expression = table.removeprefix("${").removesuffix("}")
    if reference := re.fullmatch(r"local\.(\w+)", expression):
        return names_in(RANGES[reference[1]])
    (parent, more) = re.fullmatch(r"merge\((local\.\w+), (\{.*\})\)", expression).groups()
    return names_in(parent) | names_in(hcl2.loads(f"more = {more}\n")["more"])


def numbers_of(variable: str) -> set[str]:
    """The names of all numbers that a caller may set in a variable, however deep."""
    return set(re.findall(r"(\w+) += (?:optional\()?number\b", VARIABLES[variable]))


VARIABLES = {
    block.name: block.attributes["type"]
    for path in sorted(MODULE.glob("variables*.tf"))
    for block in blocks(path.read_text("utf-8"))
}

# Numbers that have a rule of their own: fractions, lists of values, and what modules/api checks.
OTHERWISE_CHECKED = {
    "alarms": names_in(RANGES["threshold_limits"]),
    "api": {"throttling_rate_limit", "result_ttl_seconds", "rate_limit", "burst_limit", "limit", "max_age_seconds"},
    "job_types": names_in(RANGES["job_type_fractions"]),
    "logs": {"retention_days"},
    "model_prices": {"input", "output", "cache_read", "cache_write"},
}


@pytest.mark.parametrize("variable", [name for name in VARIABLES if numbers_of(name)])
def test_every_number_has_a_row_and_every_row_a_number(variable):
    rows = names_in(RANGES["ranges"][variable]) if variable in RANGES["ranges"] else set()
    assert rows | OTHERWISE_CHECKED.get(variable, set()) == numbers_of(variable)


def test_every_table_is_of_a_variable():
    assert set(RANGES["ranges"]) < set(VARIABLES)


def test_every_token_mode_has_an_authorizer():
    authorizer = local_values(ROOT / "modules/api/authorizer.tf")
    modes = set(CONTRACT["authorization_modes"]["user_from_token"])
    assert names_in(authorizer["token_users"]) == names_in(authorizer["authorizer"]) == modes


@pytest.mark.parametrize(
    "text",
    [
        *PATTERNS.values(),
        CONTRACT["table"]["by_user_index"],
        CONTRACT["table"]["by_user_sort_key"],
        CONTRACT["table"]["open_jobs_index"],
        *CONTRACT["bucket"].values(),
        f'attribute_name = "{CONTRACT["table"]["ttl_attribute"]}"',
        str(STATES["terminal"]),
        str(CONTRACT["functions"]),
        f'name = "{CONTRACT["bundles"]["alias"]}"',
        str(LIMITS["message_bytes"]["max"]),
        str(LIMITS["daily_tokens"]["max"]),
        str(LIMITS["model_max_tokens"]["max"]),
    ],
)
def test_terraform_refers_to_what_the_file_holds(text):
    """Apart from comments, descriptions, and messages, no module repeats it."""
    repeated = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "modules").glob("*/*.tf"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if text.replace("'", '"') in line.replace("\\\\", "\\")
        and not re.match(r"\s*(#|description|error_message)", line)
    ]
    assert repeated == []


# ---------------------------------------------------------------------------------------------------
# Python
# ---------------------------------------------------------------------------------------------------


def python_sources() -> dict[Path, str]:
    return {path: path.read_text("utf-8") for path in sorted((ROOT / "functions").rglob("*.py"))}


@pytest.mark.parametrize("text", [*PATTERNS.values(), *CONTRACT["bucket"].values()])
def test_python_does_not_repeat_what_the_file_holds(text):
    repeated = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, source in python_sources().items()
        for number, line in enumerate(source.splitlines(), 1)
        if re.search(rf"""["']\^?{re.escape(text)}""", line)
    ]
    assert repeated == []


def test_every_shared_limit_is_used_by_python():
    sources = "\n".join(source for path, source in python_sources().items() if path.name != "limits.py")
    assert [name for name in LIMITS if f'"{name}"' not in sources] == []


def test_the_functions_are_the_packages_that_are_bundled():
    packages = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
    assert sorted(CONTRACT["functions"]) == packages == sorted(bundle.name for bundle in BUNDLES)


def variables_read() -> set[str]:
    return {name for source in python_sources().values() for name in re.findall(r'"(AI_JOB_[A-Z_]+)"', source)}


def variables_written() -> set[str]:
    return {
        name
        for path in sorted((ROOT / "modules").glob("*/*.tf"))
        for name in re.findall(r"\b(AI_JOB_[A-Z_]+) += ", path.read_text("utf-8"))
    }


def test_terraform_sets_the_variables_that_the_functions_read():
    read, written = variables_read(), variables_written()
    # The command is told of an environment by variables of its own, where it has no outputs.
    assert read - (set(environment.VARIABLES.values()) - written) == written


def test_the_interface_of_the_functions_is_the_recorded_one():  # R-P5
    """A manifest says which interface its functions have, so that no module runs functions that it can't configure."""
    recorded = json.loads(INTERFACE.read_text("utf-8"))
    current = {"interface": CONTRACT["bundles"]["interface"], "variables": sorted(variables_written())}
    assert current == recorded, (
        "The module sets other variables than those that are recorded. If a function does not run without a new one, "
        "increase interface.max in limits.json; if functions that interface.min admits need one that is gone, increase "
        f"interface.min, too (docs/releases.md). Then record it: write {json.dumps(current)} to {INTERFACE.name}"
    )


def test_the_command_reads_the_outputs_of_the_module():
    outputs = {block.name for block in blocks((MODULE / "outputs.tf").read_text("utf-8")) if block.kind == "output"}
    assert set(environment.VARIABLES) <= outputs
