"""What docs/operations.md says that the alarms cost."""

from __future__ import annotations

from pathlib import Path

from tests.plans import Plan

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


def test_the_bill_counts_the_metrics_of_all_alarms(plan: Plan) -> None:
    """CloudWatch bills an alarm on an expression by the metrics in it."""
    alarms = plan.of_type("aws_cloudwatch_metric_alarm")
    in_each = [sum(bool(query["metric"]) for query in alarm["metric_query"] or ()) or 1 for alarm in alarms]
    row = f"| alarms: {len(alarms)}, which CloudWatch bills by the {sum(in_each)} metrics in them | {sum(in_each)} |"
    assert row in OPERATIONS.read_text()
    assert len(plan.of_type("aws_cloudwatch_composite_alarm")) == 1
