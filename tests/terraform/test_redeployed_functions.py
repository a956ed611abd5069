"""Which functions an apply deploys: those whose zip has other bytes, and no others, whatever the release is called."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path

from scripts.project import ROOT
from scripts.record_release import STATE, recorded
from tests.plans import FOLDER
from tests.release_plans import Root, caller

RECONCILER = "module.ai_jobs.module.reconciler"


class Consumer:
    """The root of the newest release in another repository, with zips of its own."""

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        self.release, self.zips = recorded()[-1], folder / "terraform/fixtures/packages"
        # The same relative path as in the state, because another one is a change of its own.
        shutil.copytree(FOLDER / "fixtures/packages", self.zips)
        root = folder / "releases" / self.release.name
        root.mkdir(parents=True)
        text, here = (self.release / "main.tf").read_text(), '"../../../modules/'
        assert here in text
        # Relative, too: an absolute path would stand for a copy of the module.
        (root / "main.tf").write_text(text.replace(here, f'"{os.path.relpath(ROOT / "modules", root)}/'))
        self.root = Root(root, folder / ".terraform", endpoint_url)

    def change_reconciler_and_release(self) -> None:
        data = (self.zips / "reconciler.zip").read_bytes() + b"changed"
        (self.zips / "reconciler.zip").write_bytes(data)
        manifest = json.loads((self.zips / "manifest.json").read_text())
        digest = hashlib.sha256(data)
        hashes = {"sha256": digest.hexdigest(), "base64sha256": base64.b64encode(digest.digest()).decode()}
        manifest["functions"]["reconciler"].update(hashes)
        (self.zips / "manifest.json").write_text(json.dumps(manifest | {"release": "9.9.9"}))

    def changes(self) -> dict[str, str]:
        """What an apply would do to functions and their aliases, as Terraform prints it, by address."""
        texts = self.root.texts(self.release / STATE)
        kinds = ("aws_lambda_function.this", "aws_lambda_alias.live")
        return {address: text for address, text in texts.items() if address.endswith(kinds)}


def test_exactly_the_function_with_another_zip_is_deployed(tmp_path: Path) -> None:  # R-P5
    with caller() as endpoint_url:
        consumer = Consumer(tmp_path, endpoint_url)
        # What this version of the module changes by itself since the release.
        before = consumer.changes()
        assert [address for address, text in before.items() if "source_code_hash" in text] == []
        consumer.change_reconciler_and_release()
        after = consumer.changes()
    function = f"{RECONCILER}.aws_lambda_function.this"
    changed = {address for address in before | after if before.get(address) != after.get(address)}
    assert function in changed
    assert changed <= {function, f"{RECONCILER}.aws_lambda_alias.live"}
    assert "~ source_code_hash" in after[function]
