"""The environment of everything that talks to a local AWS, in which nothing of the caller's own AWS set-up is left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Nothing here opens a real account: MiniStack listens only on loopback, and treats any key as its account's root user.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local-secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""The keys of the local AWS, and the region of a root that names none."""

_TO_NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def local_environment(endpoint_url: str | None = None, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for everything that talks to the local AWS.

    It contains nothing of the caller's AWS configuration: no profile, key, token, region, endpoint, or configuration
    file. Therefore no local command can ever reach a real account. Nor does it contain what makes Terraform work on
    another state, or with other options. Loopback never goes through a proxy.

    Args:
        endpoint_url: where the local AWS is; None for what does not call it.
        base: the caller's environment; by default, that of this process.
    """
    caller = os.environ if base is None else base
    environment = {name: value for name, value in caller.items() if not _belongs_to_the_caller(name)}
    environment |= CREDENTIALS | _TO_NOWHERE
    if endpoint_url:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, [caller.get(name), "127.0.0.1", "localhost"]))
    return environment


def _belongs_to_the_caller(name: str) -> bool:
    # With a workspace, a data folder, or options (-backend-config, -destroy) that the caller chose for another root,
    # terraform would not find the local state, or do something else with it.
    return name.startswith(("AWS_", "TF_CLI_ARGS")) or name in {"TF_WORKSPACE", "TF_DATA_DIR"}
