"""`make publish`: what it uploads, that it overwrites nothing, and what it says when it can't."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import hcl2
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from scripts import publish as publish_script
from scripts.project import Failure
from scripts.publish import publish

BUCKET = "releases"
ZIP = b"the zip of a processor"
SHA256 = hashlib.sha256(ZIP).hexdigest()
KEYS = [f"processor-{SHA256}.zip", "manifest-1.2.3.json"]


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "processor.zip").write_bytes(ZIP)
    function = {"file": "processor.zip", "key": KEYS[0], "sha256": SHA256}
    manifest = {"schema_version": 1, "release": "1.2.3", "interface": 1, "functions": {"processor": function}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def keys(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_the_zips_are_uploaded_by_their_hash_and_the_manifest_by_its_release(s3, dist):  # R-P5
    published = publish(dist, BUCKET, "/ai-jobs/", "eu-west-1")
    assert published.new == [f"ai-jobs/{key}" for key in KEYS]
    assert keys(s3) == sorted(published.new)
    assert s3.get_object(Bucket=BUCKET, Key=f"ai-jobs/{KEYS[0]}")["Body"].read() == ZIP
    manifest = s3.get_object(Bucket=BUCKET, Key=f"ai-jobs/{KEYS[1]}")
    assert manifest["Body"].read() == (dist / "manifest.json").read_bytes()
    # Terraform's data source aws_s3_object reads only what says that it is text.
    assert manifest["ContentType"] == "application/json"


def test_the_manifest_comes_last(s3, dist, monkeypatch):  # R-P5
    """If it is there, so are its zips."""
    uploaded = []
    monkeypatch.setattr(publish_script, "_put", lambda client, bucket, key, upload: uploaded.append(key))
    publish(dist, BUCKET)
    assert uploaded == KEYS


def test_the_same_again_changes_nothing(s3, dist):  # R-P5
    publish(dist, BUCKET)
    before = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert publish(dist, BUCKET).new == []
    assert s3.list_objects_v2(Bucket=BUCKET)["Contents"] == before


def test_the_same_bytes_without_a_stored_checksum_are_the_same(s3, dist):  # R-P5
    s3.put_object(Bucket=BUCKET, Key=KEYS[0], Body=ZIP)
    assert publish(dist, BUCKET).new == KEYS[1:]


def test_another_zip_under_the_key_is_not_overwritten(s3, dist):  # R-P5
    s3.put_object(Bucket=BUCKET, Key=KEYS[0], Body=b"something else")
    with pytest.raises(Failure, match=r"has other bytes .* nothing was overwritten.* a function would run it"):
        publish(dist, BUCKET)
    assert s3.get_object(Bucket=BUCKET, Key=KEYS[0])["Body"].read() == b"something else"
    assert keys(s3) == [KEYS[0]], "without its zip, the manifest is not uploaded either"


def test_a_published_release_stays_as_it_is(s3, dist):  # R-P5
    publish(dist, BUCKET)
    manifest, other = json.loads((dist / "manifest.json").read_text()), b"another processor"
    sha256 = hashlib.sha256(other).hexdigest()
    (dist / "processor.zip").write_bytes(other)
    function = {"file": "processor.zip", "key": f"processor-{sha256}.zip", "sha256": sha256}
    (dist / "manifest.json").write_text(json.dumps(manifest | {"functions": {"processor": function}}))
    with pytest.raises(Failure, match=r"manifest-1\.2\.3\.json has other bytes .* under another version"):
        publish(dist, BUCKET)
    assert keys(s3) == sorted(KEYS), "not even its zip is uploaded"


def test_an_upload_at_the_same_moment_is_waited_out(s3, dist, monkeypatch):  # R-P5
    conflict = {"Error": {"Code": "ConditionalRequestConflict"}, "ResponseMetadata": {"HTTPStatusCode": 409}}
    real, answers = publish_script.boto3.client, iter([ClientError(conflict, "PutObject")] * 2)

    def client(*arguments, **options):
        made = real(*arguments, **options)
        put = made.put_object

        def put_object(**parameters):
            for error in answers:
                raise error
            return put(**parameters)

        made.put_object = put_object
        return made

    monkeypatch.setattr(publish_script.boto3, "client", client)
    assert publish(dist, BUCKET).new == KEYS


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda dist: (dist / "processor.zip").write_bytes(b"other"), f"and the manifest says {SHA256}"),
        (lambda dist: (dist / "processor.zip").unlink(), r"processor\.zip does not exist, and the manifest names it"),
        (lambda dist: (dist / "manifest.json").unlink(), r"manifest\.json does not exist\. Run make package"),
        (lambda dist: (dist / "manifest.json").write_text("no JSON"), "is not the manifest of a release"),
        (lambda dist: (dist / "manifest.json").write_text("[]"), "is not the manifest of a release"),
        (lambda dist: (dist / "manifest.json").write_text('{"schema_version": 2}'), "has schema_version 2"),
    ],
)
def test_an_incomplete_release_is_refused_before_anything_is_uploaded(s3, dist, spoil, message):  # R-P5
    spoil(dist)
    with pytest.raises(Failure, match=message):
        publish(dist, BUCKET)
    assert keys(s3) == []


def test_a_bucket_in_another_region_is_refused(s3, dist):  # R-P5
    with pytest.raises(Failure, match=r"releases is in eu-west-1, not in us-east-1\. .* or set REGION=eu-west-1"):
        publish(dist, BUCKET, region="us-east-1")
    assert keys(s3) == []


def test_a_bucket_that_does_not_exist_is_refused(s3, dist):  # R-P5
    with pytest.raises(Failure, match=r"the bucket nowhere does not exist\. Create it, or check BUCKET"):
        publish(dist, "nowhere")


def answered(status: int, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "HeadBucket")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoCredentialsError(), "there are no AWS credentials. Set AWS_PROFILE"),
        (answered(400, "ExpiredToken"), "s3://releases: .*ExpiredToken"),
    ],
)
def test_what_the_caller_has_to_fix_is_told(s3, dist, monkeypatch, error, message):  # R-P5
    def refuse(client, bucket, region):
        raise error

    monkeypatch.setattr(publish_script, "_region_of", refuse)
    with pytest.raises(Failure, match=message):
        publish(dist, BUCKET)


def test_it_works_without_the_permission_to_look_at_the_bucket(s3, dist, monkeypatch):  # R-P5
    """Without s3:ListBucket, S3 also answers 403 for an object that is not there."""
    real = publish_script.boto3.client

    def client(*arguments, **options):
        made = real(*arguments, **options)

        def head_bucket(**parameters):
            raise answered(403, "403")

        def get_object(**parameters):
            raise answered(403, "AccessDenied")

        made.head_bucket, made.get_object = head_bucket, get_object
        return made

    monkeypatch.setattr(publish_script.boto3, "client", client)
    published = publish(dist, BUCKET, region="eu-west-1")
    assert (published.new, published.region) == (KEYS, None)


def test_it_prints_what_belongs_into_the_configuration(s3, dist, monkeypatch, capsys):  # R-P5
    arguments = ["publish", "--bucket", BUCKET, "--prefix", "ai-jobs", "--region", "", "--directory", str(dist)]
    monkeypatch.setattr("sys.argv", arguments)
    publish_script.main()
    printed = capsys.readouterr().out
    assert f"uploaded s3://{BUCKET}/ai-jobs/{KEYS[0]}" in printed
    (given,) = [hcl2.loads(printed[printed.index("packages = {") :])["packages"]]
    expected = {"bucket": BUCKET, "prefix": "ai-jobs", "region": "eu-west-1", "manifest": f"${{path.module}}/{KEYS[1]}"}
    assert {name: str(value).strip('"') for name, value in given["s3"].items()} == expected
