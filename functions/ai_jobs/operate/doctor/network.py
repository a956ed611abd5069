"""Functions in a VPC: do their subnets lead to the services that they call?

A plan can't know: the endpoints and routes may be created by the same apply as the module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_jobs.aws.clients import get_ec2_client
from ai_jobs.operate.doctor.findings import Finding, State, Subject

_NAME = "network"
_GATEWAYS = ("dynamodb", "s3")
_INTERFACES = ("sqs", "appconfigdata", "bedrock-runtime", "xray")


def check_network(subject: Subject) -> Iterator[Finding]:
    """Does each subnet of the functions have a way out, or the endpoints of all services? No finding without a VPC."""
    network = subject.function("processor").get("VpcConfig", {})
    if not network.get("VpcId"):
        return
    in_vpc = [{"Name": "vpc-id", "Values": [network["VpcId"]]}]
    client = get_ec2_client()
    tables = _pages(client, "describe_route_tables", "RouteTables", in_vpc)
    endpoints = _pages(client, "describe_vpc_endpoints", "VpcEndpoints", in_vpc)
    # Without the event publisher, nothing calls EventBridge.
    services = (*_GATEWAYS, *_INTERFACES, *(() if subject.outputs.get("events_enabled") is False else ("events",)))
    for subnet in sorted(network["SubnetIds"]):
        table = _route_table(subnet, tables)
        yield _subnet_finding(subnet, table, [one for one in services if not _has_endpoint(one, table, endpoints)])


def _pages(client: Any, operation: str, key: str, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for page in client.get_paginator(operation).paginate(Filters=filters) for item in page[key]]


def _route_table(subnet: str, tables: list[dict[str, Any]]) -> Mapping[str, Any]:
    """The subnet's own route table, or the VPC's main one."""
    associations = [(table, each) for table in tables for each in table.get("Associations", [])]
    own = [table for table, each in associations if each.get("SubnetId") == subnet]
    main = [table for table, each in associations if each.get("Main")]
    return next(iter(own + main), {})


def _subnet_finding(subnet: str, table: Mapping[str, Any], missing: list[str]) -> Finding:
    name = f"{_NAME} of {subnet}"
    ways_out = [route for route in table.get("Routes", []) if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    usable = [route for route in ways_out if route.get("State") == "active" and not _is_to_the_internet(route)]
    if usable:
        return Finding(name, State.OK, "has a route out of the VPC")
    if not missing:
        return Finding(name, State.OK, "has no route out of the VPC, but the endpoints of all services")
    advice = (
        "create the endpoints that docs/how-it-works.md lists, or a NAT gateway, or name other subnets "
        "in vpc.subnet_ids"
    )
    if missing == ["xray"]:
        return Finding(name, State.WARNING, "does not lead to xray: there are no traces", advice)
    useless = " (functions have no public address, so a route to an internet gateway is none)" if ways_out else ""
    found = f"has no route out of the VPC{useless}, and no endpoints for {', '.join(missing)}: calls of these time out"
    return Finding(name, State.FAILED, found, advice)


def _is_to_the_internet(route: Mapping[str, Any]) -> bool:
    return str(route.get("GatewayId", "")).startswith("igw-")


def _has_endpoint(service: str, table: Mapping[str, Any], endpoints: list[dict[str, Any]]) -> bool:
    """Whether one of the VPC's endpoints is for the service, and serves subnets with this route table."""
    return any(
        endpoint["ServiceName"].endswith(f".{service}")
        and endpoint["State"].lower() == "available"
        and (endpoint.get("PrivateDnsEnabled") or table.get("RouteTableId") in endpoint.get("RouteTableIds", []))
        for endpoint in endpoints
    )
