"""The docs site: what is staged for it, the reference of the HTTP API, and what its check finds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from scripts.project import Failure
from scripts.site import commands, http_api
from scripts.site.check import check
from scripts.site.links import Links
from scripts.site.lists import widened
from scripts.site.stage import pages, stage

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/your-org/ai-jobs"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# ---------------------------------------------------------------------------------------------------
# Links
# ---------------------------------------------------------------------------------------------------


@pytest.fixture
def links(tmp_path: Path) -> Links:
    write(tmp_path, {"examples/a.py": "", "docs/api.md": "", "modules/queue/README.md": "", "UPGRADING.md": ""})
    found = {
        "docs/api.md": "api.md",
        "docs/how-to/index.md": "how-to/index.md",
        "modules/queue/README.md": "reference/modules/queue.md",
        "UPGRADING.md": "project/upgrading.md",
    }
    return Links(tmp_path, found, REPOSITORY)


@pytest.mark.parametrize(
    ("source", "written", "expected"),
    [
        ("docs/api.md", "[a](../examples/a.py)", f"[a]({REPOSITORY}/blob/main/examples/a.py)"),
        ("docs/api.md", "[a](../examples)", f"[a]({REPOSITORY}/tree/main/examples)"),
        ("docs/api.md", "[a](../modules/queue/README.md#url)", "[a](reference/modules/queue.md#url)"),
        ("docs/how-to/index.md", "[a](../api.md#x), ![b](../api.md)", "[a](../api.md#x), ![b](../api.md)"),
        ("modules/queue/README.md", "[a](../../docs/api.md)", "[a](../../api.md)"),
        ("UPGRADING.md", "[a](docs/api.md 'title')", "[a](../api.md 'title')"),
        ("docs/api.md", f"[a]({REPOSITORY}/blob/main/UPGRADING.md#x)", "[a](project/upgrading.md#x)"),
        ("docs/api.md", "[a]: ../UPGRADING.md", "[a]: project/upgrading.md"),
        ("docs/api.md", "[a](#here) [b](https://aws.amazon.com/x) [c](mailto:a@b.c)", None),
        ("docs/api.md", "`[a](../nowhere)`", None),
        ("docs/api.md", "```\n[a](../nowhere)\n```\n", None),
        ("docs/api.md", "- a:\n\n  ```sh\n  [a](../nowhere)\n  ```\n", None),
    ],
)
def test_links_lead_to_the_page_or_to_the_file_in_the_repository(links, source, written, expected):  # R-P7
    assert links.rewritten(written, source) == (expected or written)
    assert links.broken == []


@pytest.mark.parametrize("target", ["../nowhere.py", f"{REPOSITORY}/blob/main/nowhere.py"])
def test_a_link_to_a_file_that_does_not_exist_is_named(links, target):  # R-P7
    links.rewritten(f"[a]({target}#L1)", "docs/api.md")
    assert links.broken == [f"docs/api.md: the link {target}#L1 leads to nowhere.py, which does not exist."]


# ---------------------------------------------------------------------------------------------------
# Lists
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("- a\n  b\n- c", "- a\n    b\n- c"),
        ("- a\nlazy\n\nb", "- a\n    lazy\n\nb"),
        ("1. a\n   - b\n     c\n   - d", "1. a\n    - b\n        c\n    - d"),
        ("- a\n\n  ```\n    b\n  ```", "- a\n\n    ```\n      b\n    ```"),
        ("- a\n\n    four spaces", "- a\n\n    four spaces"),
        ("- a\n\n  a paragraph\n- b", "- a\n\n    a paragraph\n\n- b"),
        ("```\n- a\n  b\n```", "```\n- a\n  b\n```"),
    ],
)
def test_lists_are_indented_for_the_sites_markdown(written, expected):  # R-P7
    assert widened(written) == expected


# ---------------------------------------------------------------------------------------------------
# What is staged
# ---------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    configuration = f'[project]\nrepo_url = "{REPOSITORY}"\n'
    openapi = ROOT.joinpath("docs/openapi.yaml").read_text()
    files = {"docs/index.md": "[a](img/a.svg)\n", "docs/img/a.svg": "<svg/>", "docs/openapi.yaml": openapi}
    write(tmp_path, files | {"zensical.toml": configuration, "CHANGELOG.md": "- [a](docs/index.md)\n  b\n"})
    write(tmp_path, {"modules/queue/README.md": "# queue\n"})
    return tmp_path


def test_the_pages_are_staged_with_what_is_elsewhere_on_github(repository):  # R-P7
    target = repository / "build/docs"
    write(target, {"gone.md": "of a page that was deleted"})
    stage(repository, target)
    staged = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    generated = {"reference/http-api.md", "reference/commands.md", "reference/modules/queue.md", "project/changelog.md"}
    assert staged == {"index.md", "img/a.svg", "openapi.yaml", *generated}
    assert (target / "project/changelog.md").read_text() == "- [a](../index.md)\n    b\n"


def test_nothing_is_staged_if_a_link_is_broken(repository):  # R-P7
    write(repository, {"docs/index.md": "[a](../nowhere.md)\n"})
    with pytest.raises(Failure, match=r"docs/index\.md: the link \.\./nowhere\.md"):
        stage(repository, repository / "build/docs")
    assert not (repository / "build/docs").exists()


def test_every_module_has_its_inputs_and_outputs_on_the_site():  # R-P7
    modules = {path.parent.name for path in ROOT.glob("modules/*/main.tf")}
    staged = {page for page in pages(ROOT).values() if page.startswith("reference/modules/")}
    assert staged == {f"reference/modules/{name}.md" for name in modules}


# ---------------------------------------------------------------------------------------------------
# The HTTP API
# ---------------------------------------------------------------------------------------------------

OPENAPI = yaml.safe_load(ROOT.joinpath("docs/openapi.yaml").read_text())
HTTP_API = http_api.page(ROOT / "docs/openapi.yaml")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^### ", HTTP_API, flags=re.MULTILINE)}
OPERATIONS = [
    pytest.param(f"`{method.upper()} {path}` {{ #{operation['operationId']} }}", operation, id=operation["operationId"])
    for path, item in OPENAPI["paths"].items()
    for method, operation in item.items()
]


def resolved(item):
    found = OPENAPI
    for name in item["$ref"].removeprefix("#/").split("/") if "$ref" in item else []:
        found = found[name]
    return found if "$ref" in item else item


@pytest.mark.parametrize(("heading", "operation"), OPERATIONS)
def test_an_operation_has_its_parameters_responses_and_error_codes(heading, operation):  # R-P7
    section = SECTIONS[heading]
    assert operation["description"].split(".")[0] in section
    for parameter in map(resolved, operation.get("parameters", [])):
        assert f"| `{parameter['name']}` | {parameter['in']} |" in section
    for status, response in operation["responses"].items():
        (row,) = [line for line in section.splitlines() if line.startswith(f"| {status} |")]
        assert set(re.findall(r"'enum': \[([^\]]*)\]", str(resolved(response)))) <= {
            re.sub(r"`(\w+)`", r"'\1'", row.partition("#schema-Error): ")[2].partition(" |")[0])
        }


@pytest.mark.parametrize(("heading", "operation"), OPERATIONS)
def test_an_operation_has_its_examples(heading, operation):  # R-P7
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", SECTIONS[heading], flags=re.DOTALL)]
    answers = [resolved(response) for status, response in operation["responses"].items() if status < "400"]
    bodies = [
        item["content"]["application/json"]
        for item in [operation.get("requestBody", {}), *answers]
        if "content" in item
    ]
    assert shown == [resolved(example)["value"] for body in bodies for example in body["examples"].values()]


def test_every_schema_has_a_section_with_all_its_fields():  # R-P7
    for name, schema in OPENAPI["components"]["schemas"].items():
        fields = re.findall(r"^\| `(\w+)` \|", SECTIONS[f"{name} {{ #schema-{name} }}"], flags=re.MULTILINE)
        assert fields == list(schema.get("properties", {}))


def test_no_reference_is_left_and_every_anchor_exists():  # R-P7
    assert "#/components" not in HTTP_API
    anchors = set(re.findall(r'\{ #([\w-]+) \}|<a id="([\w-]+)">', HTTP_API))
    assert set(re.findall(r"\]\(#([\w-]+)\)", HTTP_API)) <= {a or b for a, b in anchors}


def test_every_command_and_option_is_in_the_reference():  # R-P7
    """As the shell sees them: `ai-jobs dlq retry` and its options."""
    sections = re.split(r"^## ", commands.page(), flags=re.MULTILINE)
    (section,) = [part for part in sections if part.startswith("`ai-jobs dlq retry`")]
    assert re.search(r"^  --error-code CODE +Only this error code", section, flags=re.MULTILINE)
    assert {"`ai-jobs`", "`ai-jobs local up`", "`ai-jobs types try`"} <= {part.partition("\n")[0] for part in sections}


# ---------------------------------------------------------------------------------------------------
# The check of the built site
# ---------------------------------------------------------------------------------------------------

POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'self\'">'
NAVIGATION = '<a class="md-nav__link" href="./">Home</a><a class="md-nav__link" href="api/">API</a>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write(tmp_path, {"docs/index.md": "", "docs/api.md": ""})
    write(
        tmp_path / "site",
        {
            "404.html": '<a href="/ai-jobs/nowhere/">',
            "index.html": f'{POLICY}{NAVIGATION}<a href="api/#list">b</a><a href="https://aws.amazon.com/a">c</a>',
            "api/index.html": f'{POLICY}<h2 id="list"></h2><a href="../#"></a><img src="../a%20b.png">',
            "a b.png": "",
        },
    )
    return tmp_path


def add(site: Path, html: str) -> None:
    path = site / "site/api/index.html"
    path.write_text(path.read_text() + html)


def test_a_site_in_order_passes(site):
    check(site / "site", site / "docs", site)


@pytest.mark.parametrize(
    ("html", "message"),
    [
        (
            '<a href="../nowhere/">',
            r"api/index\.html: the link \.\./nowhere/ leads to nowhere/index\.html, which does not exist",
        ),
        ('<a href="#nowhere">', r"the link #nowhere leads to an anchor that api/index\.html does not have"),
        ('<a href="../#nowhere">', r"leads to an anchor that index\.html does not have"),
        ('<img src="nowhere.png">', r"the link nowhere\.png leads to api/nowhere\.png, which does not exist"),
        ('<a href="https://exa mple">', r"the link https://exa mple is not a URL"),
        ('<script src="https://unpkg.com/x.js">', r"would fetch https://unpkg\.com/x\.js from another server"),
        ('<link rel="stylesheet" href="//fonts.googleapis.com/css">', r"would fetch //fonts\.googleapis\.com/css"),
        ('<link rel="preconnect" href="https://fonts.gstatic.com">', r"would fetch https://fonts\.gstatic\.com"),
    ],
)
def test_what_is_wrong_with_a_page_is_named(site, html, message):  # R-P7
    add(site, html)
    with pytest.raises(Failure, match=message):
        check(site / "site", site / "docs", site)


def test_a_page_that_the_navigation_does_not_lead_to_is_named(site):  # R-P7
    write(site, {"docs/how-to/lost.md": "", "site/how-to/lost/index.html": POLICY})
    with pytest.raises(
        Failure, match=r"how-to/lost\.md: the page is not in the navigation\. Add it to docs/\.nav\.yml"
    ):
        check(site / "site", site / "docs", site)


def test_a_page_that_looks_different_on_github_is_named(site):  # R-P7
    write(site, {"docs/api.md": "- a\n\n  ```\n  b\n  ```\n"})
    add(site, "<article><ul><li>a</li></ul></article><pre>not of the text</pre>")
    with pytest.raises(Failure, match=r"api\.md: the site does not show the same code blocks as GitHub"):
        check(site / "site", site / "docs", site)


def test_a_page_that_lets_browsers_fetch_from_anywhere_is_named(site):
    write(site, {"docs/api.md": "", "site/api/index.html": '<h2 id="list">L</h2>'})
    with pytest.raises(Failure, match=r"api/index\.html: the page has no Content-Security-Policy"):
        check(site / "site", site / "docs", site)


def test_a_style_sheet_that_fetches_from_another_server_is_named(site):
    write(site, {"site/a.css": "@import url('https://fonts.example.com/a.css');"})
    with pytest.raises(Failure, match=r"a\.css: browsers would fetch https://fonts\.example\.com/a\.css"):
        check(site / "site", site / "docs", site)


@pytest.mark.parametrize("named", ["docs/nowhere.md", "docs/api.md#nowhere"])
def test_code_that_names_a_page_that_does_not_exist_is_named(site, named):  # R-P7
    write(site, {"modules/queue/main.tf": f'error_message = "See {named}. And docs/api.md#list, docs/index.md."'})
    with pytest.raises(Failure) as failure:
        check(site / "site", site / "docs", site)
    assert str(failure.value).splitlines()[1:] == [f"modules/queue/main.tf: it names {named}, which does not exist."]
