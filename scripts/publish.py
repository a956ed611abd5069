"""Uploads a release to a bucket, from which modules/ai-jobs takes it: the zips by their hash, then the manifest.

    python -m scripts.publish --bucket BUCKET [--prefix PREFIX] [--region REGION] [--directory DIRECTORY]

A zip's key contains its SHA-256, so that a zip that two releases have in common is there once, and the manifest's key
contains the release. Nothing is ever overwritten: what is there already is compared, and other bytes under the same key
end the command. Therefore it can be repeated, and two pipelines can run it at the same time. The manifest comes last:
if it is there, so are its zips. It is also compared first: of a release that is another one there, nothing is uploaded.

It needs s3:PutObject, and s3:GetObject to compare what is there already.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from scripts import release_files
from scripts.project import DIST, Failure, run

if TYPE_CHECKING:
    from collections.abc import Iterator

# S3 answers 409 while another upload of the same key is under way.
_ATTEMPTS = 3

_ZIP_DIFFERS = (
    "It was not written by this command, and a function would run it: find out who did, delete it, and publish again."
)
_MANIFEST_DIFFERS = (
    "A published release stays as it is. Publish these zips under another version (in pyproject.toml), or builds that "
    "are not releases under another PREFIX."
)


@dataclass(frozen=True)
class Published:
    """What is in the bucket now.

    Attributes:
        region: the bucket's region; None if it is not known.
        new: the keys that were not there before.
    """

    bucket: str
    prefix: str
    region: str | None
    release: str
    new: list[str]

    def as_hcl(self) -> str:
        """The value of the module's variable `packages`, for a configuration with the manifest beside it."""
        values = {
            "bucket": self.bucket,
            "prefix": self.prefix,
            "region": self.region,
            "manifest": f"${{path.module}}/{manifest_key(self.release)}",
        }
        lines = [f'    {name:<8} = "{value}"' for name, value in values.items() if value]
        return "\n".join(["packages = {", "  s3 = {", *lines, "  }", "}"])


@dataclass(frozen=True)
class _Upload:
    """One object: where it comes from, its bytes, and the key below the prefix."""

    path: Path
    data: bytes
    key: str
    content_type: str
    if_different: str

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.data).digest()


def publish(directory: Path, bucket: str, prefix: str = "", region: str | None = None) -> Published:
    """Upload the release in this directory, unless it is there already.

    Args:
        prefix: what comes before each key, with or without slashes around it.
        region: where the bucket must be; None means anywhere.

    Raises:
        Failure: if the directory has no complete release, the bucket can't be used, or it has other bytes under a key.
    """
    release, uploads = release_files.read_manifest(directory)["release"], list(_uploads(directory))
    prefix = prefix.strip("/")
    try:
        client: Any = boto3.client("s3", region_name=region)
        found = _region_of(client, bucket, region)
        *_, manifest = uploads
        _check_release(client, bucket, prefix, manifest)
        new = [key for upload in uploads if (key := _upload(client, bucket, prefix, upload))]
    except NoCredentialsError:
        raise Failure("there are no AWS credentials. Set AWS_PROFILE, or sign in (aws sso login).") from None
    except (ClientError, BotoCoreError) as error:
        raise Failure(f"s3://{bucket}: {error}") from None
    return Published(bucket, prefix, found, release, new)


def manifest_key(release: str) -> str:
    """The key of a release's manifest, below the prefix."""
    return f"manifest-{release}.json"


def _uploads(directory: Path) -> Iterator[_Upload]:
    """The zips, compared with the manifest, and the manifest."""
    manifest = release_files.read_manifest(directory)
    for function in manifest["functions"].values():
        path = directory / function["file"]
        if not path.is_file():
            raise Failure(f"{path} does not exist, and the manifest names it. Run make package, or download it again.")
        upload = _Upload(path, path.read_bytes(), function["key"], "application/zip", _ZIP_DIFFERS)
        if upload.sha256.hex() != function["sha256"]:
            raise Failure(
                f"{path} has the SHA-256 {upload.sha256.hex()}, and the manifest says {function['sha256']}. "
                "Run make package, or download both again."
            )
        yield upload
    path = directory / release_files.MANIFEST
    yield _Upload(path, path.read_bytes(), manifest_key(manifest["release"]), "application/json", _MANIFEST_DIFFERS)


def _region_of(client: Any, bucket: str, expected: str | None) -> str | None:
    """Where the bucket is. Raises a Failure if it does not exist, or if it is elsewhere than expected."""
    try:
        answer = client.head_bucket(Bucket=bucket)["ResponseMetadata"]
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        if answer["HTTPStatusCode"] == 404:
            raise Failure(f"the bucket {bucket} does not exist. Create it, or check BUCKET.") from None
        # Without s3:ListBucket. Even then, the answer says where the bucket is.
        if answer["HTTPStatusCode"] != 403:
            raise
    found: str | None = answer.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    if expected and found and found != expected:
        raise Failure(
            f"the bucket {bucket} is in {found}, not in {expected}. Lambda takes zips only from a bucket in its own "
            f"region: use a bucket in {expected}, or set REGION={found} if the functions are to run there."
        )
    return found


def _check_release(client: Any, bucket: str, prefix: str, manifest: _Upload) -> None:
    """Raise a Failure if the release is there with another manifest."""
    try:
        _check_bytes(client, bucket, _below(prefix, manifest), manifest)
    except ClientError as error:
        # Without s3:ListBucket, S3 answers 403 for what does not exist. The upload compares it again.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (403, 404):
            raise


def _below(prefix: str, upload: _Upload) -> str:
    return f"{prefix}/{upload.key}" if prefix else upload.key


def _upload(client: Any, bucket: str, prefix: str, upload: _Upload) -> str | None:
    """Upload it unless it is there, and return its key; None if the same bytes were there already."""
    key = _below(prefix, upload)
    try:
        _put(client, bucket, key, upload)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
            raise
        _check_bytes(client, bucket, key, upload)
        return None
    return key


def _put(client: Any, bucket: str, key: str, upload: _Upload, attempts: int = _ATTEMPTS) -> None:
    checksum = base64.b64encode(upload.sha256).decode()
    options = {"ContentType": upload.content_type, "ChecksumSHA256": checksum, "IfNoneMatch": "*"}
    try:
        client.put_object(Bucket=bucket, Key=key, Body=upload.data, **options)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 409 or attempts == 1:
            raise
        _put(client, bucket, key, upload, attempts - 1)


def _check_bytes(client: Any, bucket: str, key: str, upload: _Upload) -> None:
    # Downloaded, not asked for: whoever wrote it need not have stored a SHA-256, and it is a few megabytes at most.
    found = hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).digest()
    if found != upload.sha256:
        raise Failure(
            f"s3://{bucket}/{key} has other bytes (SHA-256 {found.hex()}) than {upload.path} "
            f"({upload.sha256.hex()}), and nothing was overwritten. {upload.if_different}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.publish", description="Upload a release to a bucket.")
    parser.add_argument("--bucket", required=True, help="the bucket, in the region of the functions")
    parser.add_argument("--prefix", default="", help="what the keys begin with")
    parser.add_argument("--region", help="where the bucket must be")
    parser.add_argument("--directory", type=Path, default=DIST, help="the folder of the release (dist)")
    options = parser.parse_args()
    published = publish(options.directory, options.bucket, options.prefix, options.region or None)
    for key in published.new:
        print(f"uploaded s3://{published.bucket}/{key}")
    print(f"Release {published.release} is in s3://{published.bucket}. In your configuration, beside its manifest:")
    print(published.as_hcl())


if __name__ == "__main__":
    run(main)
