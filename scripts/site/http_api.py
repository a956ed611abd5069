"""The reference of the HTTP API, in Markdown, from docs/openapi.yaml.

Markdown, and not a viewer such as Redoc: it is part of the search, of dark mode, and of the link check, and needs no
JavaScript. The generators on PyPI do not follow `allOf` and `$ref` beside other keys, which OpenAPI 3.1 allows.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from scripts.generated import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METHODS = ("put", "post", "get", "delete")
PAGE = re.compile(r"\bdocs/([\w-]+\.md)")
RESPONSE = re.compile(r"`#/components/responses/(\w+)`")


def page(path: Path) -> str:
    """The page about the API that the file describes. Its anchors: the operations' ids, and `schema-` and a name."""
    return _Page(yaml.safe_load(path.read_text(encoding="utf-8"))).text()


class _Page:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def text(self) -> str:
        operations = [
            (f"{method.upper()} {path}", item[method])
            for path, item in self._paths()
            for method in METHODS
            if method in item
        ]
        parts = [
            "# HTTP API",
            "[openapi.yaml](../openapi.yaml) is the same for machines, and [The API](../api.md) has examples to run.",
            _linked(self.document["info"]["description"]),
            "## Operations",
            markdown_table(
                ("operation", ""),
                [(f"[`{name}`](#{item['operationId']})", item["summary"]) for name, item in operations],
            ),
            *(part for name, item in operations for part in self._operation(name, item)),
            "## Responses of every path",
            self._other_responses(),
            "## Credentials",
            *self._credentials(),
            "## Schemas",
            *(part for name, schema in self._components("schemas") for part in self._schema(name, schema)),
        ]
        return "\n\n".join(part.strip() for part in parts) + "\n"

    def _paths(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from self.document["paths"].items()

    def _components(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from self.document["components"][kind].items()

    def _resolved(self, item: dict[str, Any]) -> dict[str, Any]:
        """What a reference stands for; what is beside it takes precedence."""
        if "$ref" not in item:
            return item
        found: Any = self.document
        for name in item["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return {**self._resolved(found), **{key: value for key, value in item.items() if key != "$ref"}}

    # --- Operations ---

    def _operation(self, name: str, operation: dict[str, Any]) -> Iterator[str]:
        yield f"### `{name}` {{ #{operation['operationId']} }}"
        yield f"{operation['summary']}."
        yield _linked(operation["description"])
        if parameters := operation.get("parameters"):
            yield "**Parameters**"
            rows = [self._parameter(self._resolved(parameter)) for parameter in parameters]
            yield markdown_table(("name", "in", "type", "description"), rows)
        if body := operation.get("requestBody"):
            content = body["content"]["application/json"]
            yield f"**Body**: {self._type(content['schema'])}, as JSON."
            yield from self._examples("Body", content)
        yield "**Responses**"
        responses = [(status, self._resolved(response)) for status, response in operation["responses"].items()]
        yield markdown_table(("status", "meaning", "body", "headers"), [self._response(*row) for row in responses])
        for status, response in responses:
            if status < "400":
                yield from self._examples(status, response.get("content", {}).get("application/json", {}))

    def _parameter(self, parameter: dict[str, Any]) -> tuple[str, ...]:
        text = _cell(parameter.get("description", "")) + _required(parameter)
        return f"`{parameter['name']}`", parameter["in"], self._type(parameter["schema"]), text

    def _response(self, status: str, response: dict[str, Any]) -> tuple[str, ...]:
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        headers = ", ".join(f"`{name}`" for name in response.get("headers", {}))
        return status, _cell(response["description"]), self._body(schema) if schema else "none", headers

    def _body(self, schema: dict[str, Any]) -> str:
        """The type of a body. That of an error is `Error`, with the codes that it may have."""
        if "allOf" not in schema:
            return self._type(schema)
        base, narrowed = schema["allOf"]
        codes = narrowed["properties"]["error"]["properties"]["code"]["enum"]
        return f"{self._type(base)}: {', '.join(f'`{code}`' for code in codes)}"

    def _other_responses(self) -> str:
        """The responses that the introduction names, because every path may give them."""
        names = RESPONSE.findall(self.document["info"]["description"])
        responses = self.document["components"]["responses"]
        rows = [(f'<a id="response-{name}"></a>{name}', *self._response("", responses[name])[1:]) for name in names]
        return markdown_table(("name", "meaning", "body", "headers"), rows)

    def _examples(self, title: str, content: dict[str, Any]) -> Iterator[str]:
        for example in map(self._resolved, content.get("examples", {}).values()):
            text = json.dumps(example["value"], indent=2, ensure_ascii=False)
            yield f'??? example "{title}: {example["summary"]}"\n\n' + _indented(f"```json\n{text}\n```")

    # --- Credentials and schemas ---

    def _credentials(self) -> Iterator[str]:
        yield "Which of them a deployment wants is its choice: see [who can call the API](../access.md)."
        rows = [
            (f"`{name}`", f"`{item.get('name', 'Authorization')}`", _cell(item["description"]))
            for name, item in self._components("securitySchemes")
        ]
        yield markdown_table(("name", "header", "description"), rows)

    def _schema(self, name: str, schema: dict[str, Any]) -> Iterator[str]:
        yield f"### {name} {{ #schema-{name} }}"
        yield _linked(schema.get("description", ""))
        if "properties" in schema:
            yield markdown_table(("field", "type", "description"), self._fields(schema))
        else:
            yield f"Type: {self._type(schema)}"

    def _fields(self, schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
        """The fields of an object, and below each of them those that it has itself."""
        for name, item in schema["properties"].items():
            text = _cell(self._resolved(item).get("description", ""))
            required = _required({**item, "required": name in schema.get("required", [])})
            yield f"`{prefix}{name}`", self._type(item), text + required
            if "properties" in item:
                yield from self._fields(item, f"{prefix}{name}.")

    def _type(self, schema: dict[str, Any]) -> str:
        """A type in a few words, with a link if it has a name."""
        if "$ref" in schema:
            name = schema["$ref"].split("/")[3]  # of a schema, or of the one that a field is in
            return f"[{name}](#schema-{name})"
        if "items" in schema:
            return f"list of {self._type(schema['items'])}{_bounds(schema, 'Items')}"
        if "anyOf" in schema and "properties" not in schema:
            return " or ".join(map(self._type, schema["anyOf"]))
        return f"{schema.get('type', 'any value')}{_rules(schema)}"


def _rules(schema: dict[str, Any]) -> str:
    """What a type restricts its values to."""
    values = [*schema.get("enum", []), *([schema["const"]] if "const" in schema else [])]
    found = ", ".join(f"`{value}`" for value in values or ([schema["pattern"]] if "pattern" in schema else []))
    default = f", default `{schema['default']}`" if "default" in schema else ""
    ranges = _bounds(schema, "imum") or _bounds(schema, "Length")
    return (ranges + (f": {found}" if found else "") + default).replace("|", "\\|")


def _bounds(schema: dict[str, Any], suffix: str) -> str:
    low, high = schema.get(f"min{suffix}"), schema.get(f"max{suffix}")
    unit = {"Items": " items", "Length": " characters", "imum": ""}[suffix]
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low:,}{unit}"
    return f", {low:,} to {high:,}{unit}" if low is not None else f", at most {high:,}{unit}"


def _required(item: dict[str, Any]) -> str:
    if modes := item.get("x-required-in"):
        return f" **Required** in the modes {' and '.join(f'`{mode}`' for mode in modes)}."
    return " **Required.**" if item.get("required") else ""


def _linked(text: str) -> str:
    """The text, in which the pages of docs/ and the document's responses are links."""
    return RESPONSE.sub(r"[\1](#response-\1)", PAGE.sub(r"[\1](../\1)", text))


def _cell(text: str) -> str:
    return _linked(" ".join(text.split())).replace("|", "\\|")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
