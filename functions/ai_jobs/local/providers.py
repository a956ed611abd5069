"""What the blocks `provider "aws"` of a root must not say on a local AWS: whose account it is, and how to get there.

The keys and the endpoint come from the environment (`environment`). What stays is what shapes the resources, such as
the region and the default tags.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ai_jobs.local.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# https://registry.terraform.io/providers/hashicorp/aws/latest/docs#argument-reference
_ARGUMENTS = (
    "access_key",
    "allowed_account_ids",
    "forbidden_account_ids",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "profile",
    "secret_key",
    "shared_config_files",
    "shared_credentials_files",
    "token",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
)
_BLOCKS = ("assume_role", "assume_role_with_web_identity", "endpoints")

# A dynamic block without elements replaces the blocks of its type with none.
_NO_BLOCKS: dict[str, Any] = {name: {"for_each": [], "content": {}} for name in _BLOCKS}


def overrides(root: Path) -> list[dict[str, Any]]:
    """For each block `provider "aws"` of a root, the block of an override file that takes the account out of it.

    Source: https://developer.hashicorp.com/terraform/language/files/override

    Raises:
        Failure: if a file with such a block can't be parsed.
    """
    aliases = [str(block["alias"]).strip('"') if "alias" in block else None for block in _blocks(root)]
    without = dict.fromkeys(_ARGUMENTS) | {"dynamic": _NO_BLOCKS}
    return [without if alias is None else without | {"alias": alias} for alias in aliases]


def region(root: Path) -> str | None:
    """The region of a root's resources, if its provider block has it as text; None if it is computed, or not there."""
    given = next((block.get("region", "") for block in _blocks(root) if "alias" not in block), "")
    found = re.fullmatch(r'"?([a-z0-9-]+)"?', given)
    return found[1] if found else None


def _blocks(root: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(root.iterdir()):
        if path.name.endswith((".tf", ".tf.json")):
            for entry in _as_list(_parsed(path).get("provider", [])):
                for name, blocks in entry.items():
                    if name.strip('"') == "aws":
                        yield from _as_list(blocks)


def _parsed(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    if "provider" not in text:
        return {}
    # This import takes a second, and not every root needs it.
    import hcl2

    try:
        document: dict[str, Any] = json.loads(text) if path.suffix == ".json" else hcl2.loads(text)
    except Exception as error:
        # The errors of hcl2 come from its parser generator; all that they say is where.
        raise Failure(
            f"{path} can't be parsed ({type(error).__name__}). Run terraform fmt, which says what is wrong with it."
        ) from error
    return document


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
