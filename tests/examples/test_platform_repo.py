"""examples/platform-repo, from a folder outside the checkout, with zips from the local S3: R-P3, R-P5, R-P6."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.examples.conftest import Consumer
from tests.module_source import ROOT

BUCKET = "acme-artifacts"


def test_a_repository_of_its_own_runs_a_published_release(consumer: Callable[..., Consumer]) -> None:  # R-P3 R-P5 R-P6
    acme = consumer("platform-repo", "environments/development")
    acme.ai_jobs("local", "start")
    s3 = acme.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    publish = [sys.executable, "-m", "scripts.publish", f"--bucket={BUCKET}", "--prefix=ai-jobs"]
    acme.run(*publish, PYTHONPATH=str(ROOT), **acme.credentials())
    manifest = manifest_of(acme.root)
    manifest.parent.mkdir()
    s3.download_file(BUCKET, f"ai-jobs/{manifest.name}", str(manifest))

    acme.ai_jobs("local", "up")
    job = acme.submit(json.loads((acme.folder / "jobs/email-subject.json").read_text("utf-8")))
    assert (job["jobType"], job["userId"]) == ("email-subject", "agent-1001")


def manifest_of(root: Path) -> Path:
    """Where the root expects the manifest: the default of its variable."""
    (relative,) = re.findall(r'default *= "(.*\.json)"', (root / "variables.tf").read_text("utf-8"))
    return root / str(relative)
