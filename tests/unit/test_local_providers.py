"""What is taken out of a root's provider blocks while it is applied to a local AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_jobs.local.failure import Failure
from ai_jobs.local.providers import overrides, region

PROVIDERS = """
provider "aws" {
  region              = "eu-west-1"
  profile             = "acme-production"
  allowed_account_ids = ["123456789012"]
  assume_role {
    role_arn = "arn:aws:iam::123456789012:role/deploy"
  }
}

provider "aws" {
  alias  = "replica"
  region = "us-west-2"
}

provider "random" {}
"""


def test_each_block_loses_its_account_and_keeps_its_region(tmp_path: Path) -> None:
    (tmp_path / "providers.tf").write_text(PROVIDERS)
    (tmp_path / "main.tf").write_text('module "ai_jobs" {}')
    main, replica = overrides(tmp_path)
    gone = ("profile", "allowed_account_ids", "access_key", "secret_key", "shared_config_files", "https_proxy")
    assert all(main[name] is None for name in gone)
    assert main["dynamic"].keys() == {"assume_role", "assume_role_with_web_identity", "endpoints"}
    assert all(block["for_each"] == [] for block in main["dynamic"].values())
    assert "region" not in main
    assert replica == main | {"alias": "replica"}


@pytest.mark.parametrize(
    "provider",
    [
        {"aws": {"profile": "p"}},
        {"aws": [{"profile": "p"}, {"alias": "replica"}]},
        [{"aws": {"profile": "p"}}, {"aws": {"alias": "replica"}}],
    ],
)
def test_json_counts_too(tmp_path: Path, provider: object) -> None:
    (tmp_path / "providers.tf.json").write_text(json.dumps({"provider": provider}))
    aliases = [block.get("alias") for block in overrides(tmp_path)]
    assert aliases == [None, "replica"][: len(aliases)]
    assert aliases


def test_a_root_without_provider_blocks_has_nothing_to_lose(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('terraform {\n  required_providers {}\n}\nprovider "random" {}\n')
    assert overrides(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PROVIDERS, "eu-west-1"),
        ('provider "aws" {\n  region = var.region\n}\n', None),
        ('provider "aws" {\n  region = "eu-${var.place}"\n}\n', None),
        ('provider "aws" {}\n', None),
        ('provider "aws" {\n  alias  = "replica"\n  region = "us-west-2"\n}\n', None),
        ("", None),
    ],
)
def test_a_region_is_known_if_it_is_text(tmp_path: Path, text: str, found: str | None) -> None:
    (tmp_path / "main.tf").write_text(text)
    assert region(tmp_path) == found


@pytest.mark.parametrize("name", ["main.tf", "main.tf.json"])
def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path, name: str) -> None:
    """Otherwise, its provider could go to the account that it names."""
    (tmp_path / name).write_text('provider "aws" {')
    with pytest.raises(Failure, match=rf"{name} can't be parsed .* terraform fmt"):
        overrides(tmp_path)
