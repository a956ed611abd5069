"""docs/openapi.yaml, and whether what the API answers keeps to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

DOCUMENT: dict[str, Any] = yaml.safe_load(Path(__file__).parents[1].joinpath("docs/openapi.yaml").read_text())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node, or what it refers to."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """The operations by method and path."""
    return {
        (method.upper(), path): item[method]
        for path, item in DOCUMENT["paths"].items()
        for method in _METHODS
        if method in item
    }


def responses() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where it stands, its status, and each response; those that no operation lists are named by their component."""
    for (method, path), operation in operations().items():
        for status, response in operation["responses"].items():
            yield f"{method} {path}", status, resolved(response)
    for name, status in (("MethodNotAllowed", "405"), ("NotFound", "404")):
        yield name, status, DOCUMENT["components"]["responses"][name]


def error_codes(response: Mapping[str, Any]) -> set[str]:
    """The codes that an error response may have; none for one that is no error."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return {
        code
        for part in schema.get("allOf", [])[1:]
        for code in part["properties"]["error"]["properties"]["code"]["enum"]
    }


def in_mode(authorization: str) -> dict[str, Any]:
    """The document as it is for one mode of authorization, in which a `userId` is required or not there at all."""
    document = copy.deepcopy(DOCUMENT)
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = [
                parameter | ({"required": True} if "x-required-in" in parameter else {})
                for parameter in operation.get("parameters", [])
                if authorization in parameter.get("x-required-in", [authorization])
            ]
    for schema in document["components"]["schemas"].values():
        for name, member in list(schema.get("properties", {}).items()):
            if authorization in member.get("x-required-in", []):
                schema["required"] = [name, *schema["required"]]
            elif "x-required-in" in member:
                del schema["properties"][name]
    return document


def schema_problems(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What breaks the schema in a value, in words; an empty list when nothing does."""
    checker = jsonschema.Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=jsonschema.FormatChecker()
    )
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def answer_problems(method: str, path: str, status: int, headers: Mapping[str, str], body: Any) -> list[str]:
    """What an answer has that the document does not allow.

    Args:
        path: as the document has it, such as `/jobs/{jobId}`.
        headers: by name in lower case.
        body: the parsed JSON, None when there was none.
    """
    found = operations()[method, path]["responses"].get(str(status))
    if found is None:
        return [f"{method} {path} does not know the status {status}"]
    response = resolved(found)
    problems = [
        f"the header {name} is missing"
        for name, header in response.get("headers", {}).items()
        if resolved(header).get("required") and name.lower() not in headers
    ]
    for name, header in response.get("headers", {}).items():
        if name.lower() in headers:
            schema = resolved(resolved(header)["schema"])
            text = headers[name.lower()]
            problems += schema_problems(schema, int(text) if schema["type"] == "integer" else text)
    if "content" not in response:
        return problems + ([] if body is None else ["there is a body"])
    if headers.get("content-type") != "application/json":
        problems.append(f"the content type is {headers.get('content-type')}")
    return problems + schema_problems(response["content"]["application/json"]["schema"], body)
