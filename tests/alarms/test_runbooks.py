"""Whoever follows an alarm's description finds the section, and the commands in it exist."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from ai_jobs.cli.main import main
from tests.alarms.conftest import Service
from tests.plans import ROOT, Plan

RUNBOOKS = ROOT.joinpath("docs/runbooks.md").read_text()
ANCHORS = set(re.findall(r'<a id="([^"]+)">', RUNBOOKS)) | {
    heading.lower().replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.+)$", RUNBOOKS)
}
CLI = ROOT.joinpath("docs/cli.md").read_text()
# Some commands go on in the next line.
WHOLE_LINES = re.sub(r"\\\n\s*", "", RUNBOOKS + CLI)
COMMANDS = sorted(
    {found.strip() for found in re.findall(r"(?:`|^|\$ )(ai-jobs [a-z][^`\n#|]*)", WHOLE_LINES, re.MULTILINE)}
)


def test_every_alarm_has_its_section(plan: Plan):
    kinds = ("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
    for alarm in [alarm for kind in kinds for alarm in plan.of_type(kind)]:
        (anchor,) = re.findall(r"docs/runbooks\.md#(\S+)$", alarm["alarm_description"])
        assert anchor in ANCHORS


def test_every_section_of_an_alarm_has_its_alarm(service: Service):
    titles = re.findall(r"(?m)^## ([a-z-]+)$", RUNBOOKS)
    assert set(titles) <= {*service.alarms, "service-unhealthy"}


def test_what_pages_says_so(service: Service):
    sections = dict(re.findall(r"(?ms)^## ([a-z-]+)\n(.*?)(?=^## )", RUNBOOKS))
    paging = {name for name, text in sections.items() if text.startswith("\nPages.\n")}
    rule = service.page.definition["alarm_rule"]
    names = {name for name, alarm in service.alarms.items() if re.search(rf'(?<!NOT )ALARM\("{alarm.name}"\)', rule)}
    assert paging == names


def test_links_lead_somewhere():
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOKS)) <= ANCHORS


@pytest.mark.parametrize("text", COMMANDS)
def test_a_command_is_one_that_there_is(text: str):
    words = shlex.split(text.partition("…")[0])[1:]
    assert words, text
    command: click.Command = main
    context = click.Context(main)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found, text
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, text
