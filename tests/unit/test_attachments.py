"""R-A2: what a message says about a job's files, the rules of that, and what is in files of each type."""

from __future__ import annotations

import contextlib
import io
import json
import random
import zipfile
from datetime import UTC, datetime

import pytest

from ai_jobs import AIJobMessage, JobError
from ai_jobs.contract.attachments import Attachment, check_name_and_type, distinct_names, media_type_of
from ai_jobs.contract.limits import MEDIA_TYPES
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service.file_content import problem_of

SENT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ID = "3f2c1b0a-5d4e-4f6a-8b7c-9d0e1f2a3b4c"
UPLOADED = f"uploads/user=user-1/{ID}"
KEPT = f"inputs/user=user-1/job=job-1/{ID}"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)


def message(*attachments):
    return AIJobMessage("user-1", "photos", {}, job_id="job-1", timestamp=SENT, attachments=attachments)


def received(*documents, **fields):
    document = {"jobId": "job-1", "userId": "user-1", "jobType": "photos", "input": {}} | fields
    if documents:
        document["attachments"] = list(documents)
    return ReceivedJob.parse(json.dumps(document), {}, "sqs-id", SENT)


def photo(**changes):
    return {"name": "photo.png", "mediaType": "image/png", "bytes": 108, "key": UPLOADED} | changes


def office(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"<{name}/>" * 20)
    return content.getvalue()


# What a message says


def test_a_message_says_what_and_where_the_files_are():  # R-A2
    sent = message(
        Attachment("photo.png", "image/png", 108, UPLOADED), Attachment("plan.pdf", "application/pdf", 9, KEPT)
    )
    assert json.loads(sent.to_body())["attachments"] == [
        photo(),
        {"name": "plan.pdf", "mediaType": "application/pdf", "bytes": 9, "key": KEPT},
    ]
    job = ReceivedJob.parse(sent.to_body(), sent.attributes(), "sqs-id", SENT)
    job.check()
    assert job.attachments == tuple(sent.attachments)
    assert job == ReceivedJob.of(sent)


def test_a_message_without_files_is_what_it_was():  # R-A2
    body = '{"schemaVersion": 1, "jobId": "job-1", "userId": "user-1", "jobType": "photos", '
    assert message().to_body() == body + '"timestamp": "2026-01-31T12:00:00.000Z", "input": {}}'
    # Of release 0.1.0: rows that are there already must know their jobs again.
    of_old = "a62973b966dc57e022d46b70eac14b2b619076c8c426b41f9d1d783dacce6c82"
    assert received().payload_hash == ReceivedJob.of(message()).payload_hash == received(attachments=[]).payload_hash
    assert received().payload_hash == of_old


def test_the_keys_tell_jobs_apart_and_nothing_else_of_a_file_does():  # R-A2
    one = received(photo())
    assert one.payload_hash == received(photo(name="other.png", bytes=5)).payload_hash
    assert one.payload_hash == ReceivedJob.of(message(), attachment_keys=[UPLOADED]).payload_hash
    others = [received(), received(photo(key=KEPT)), received(photo(), photo(key=KEPT))]
    assert one.payload_hash not in {other.payload_hash for other in others}


def test_the_order_of_the_files_counts():  # R-A2
    assert received(photo(), photo(key=KEPT)).payload_hash != received(photo(key=KEPT), photo()).payload_hash


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 97 + ".png"}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "../photo.png"}, "name"),
        ({"name": "a\\photo.png"}, "name"),
        ({"name": "photo\n.png"}, "name"),
        ({"name": "gnp.\u202eexe.png"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "photo"}, "name"),
        ({"name": "png"}, "name"),
        ({"name": "photo.jpg"}, "name"),
        ({"mediaType": "image/tiff"}, "mediaType"),
        ({"mediaType": None}, "mediaType"),
        ({"mediaType": ["image/png"]}, "mediaType"),
        ({"bytes": 0}, "bytes"),
        ({"bytes": 25_000_001}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"bytes": "108"}, "bytes"),
        ({"key": f"uploads/user=user-2/{ID}"}, "key"),
        ({"key": f"uploads/user=user-1/{ID}/x"}, "key"),
        ({"key": f"uploads/user=user-1/../user=user-2/{ID}"}, "key"),
        ({"key": "uploads/user=user-1/photo.png"}, "key"),
        ({"key": f"inputs/user=user-1/job=job-2/{ID}"}, "key"),
        ({"key": f"inputs/user=user-2/job=job-1/{ID}"}, "key"),
        ({"key": f"results/user=user-1/job=job-1/{ID}"}, "key"),
        ({"key": None}, "key"),
    ],
)
def test_each_field_of_a_file_has_its_rule(changes, field):  # R-A2
    with pytest.raises(JobError) as caught:
        received(photo(key=KEPT), photo(**changes)).check()
    assert (caught.value.code, caught.value.field) == ("INVALID_ATTACHMENT", f"attachments.1.{field}")
    assert caught.value.message.startswith(f"attachments.1.{field} is ")


@pytest.mark.parametrize("field", ["name", "mediaType", "bytes", "key"])
def test_a_field_that_a_file_lacks_is_missing(field):  # R-A2
    document = photo()
    del document[field]
    with pytest.raises(JobError, match=rf"^attachments\.0\.{field} is missing\. It must be "):
        received(document).check()


@pytest.mark.parametrize(
    ("attachments", "field"),
    [
        ({}, "attachments"),
        ("photo.png", "attachments"),
        (None, "attachments"),
        ([photo(key=f"{KEPT[:-2]}{number:02}") for number in range(21)], "attachments"),
        (["photo.png"], "attachments.0"),
        ([None], "attachments.0"),
        ([photo(), photo()], "attachments.1.key"),
        ([photo(), photo(key=KEPT)], "attachments.1.name"),
    ],
)
def test_the_list_of_files_has_its_rules(attachments, field):  # R-A2
    with pytest.raises(JobError) as caught:
        received(attachments=attachments).check()
    assert (caught.value.code, caught.value.field) == ("INVALID_ATTACHMENT", field)


def test_names_that_occur_again_are_numbered():  # R-A2
    assert distinct_names(["a.png", "b.png", "a.png", "a-2.png", "a.png"], ["b.png"]) == [
        "a.png",
        "b-2.png",
        "a-2.png",
        "a-2-2.png",
        "a-3.png",
    ]
    longest = "x" * 96 + ".png"
    assert distinct_names([longest, longest]) == [longest, "x" * 94 + "-2.png"]


ODD = (None, True, 0, -1, 10**400, 1.5, [], [[]], {}, {"a": None}, "", " ", "\x00", "\ud800", "\uffff", "x" * 2000)


@pytest.mark.parametrize("field", ["name", "mediaType", "bytes", "key", "more"])
def test_nothing_else_than_a_rule_is_broken_by_an_odd_value(field):
    for value in ODD:
        for document in (photo(**{field: value}), value, {field: value}):
            with contextlib.suppress(JobError):
                received(attachments=[document]).check()


def test_a_sender_is_told_too():  # R-A2
    with pytest.raises(JobError, match="attachments.0.key is .*user-2") as caught:
        message(Attachment("photo.png", "image/png", 108, f"uploads/user=user-2/{ID}"))
    assert caught.value.code == "INVALID_ATTACHMENT"


@pytest.mark.parametrize(
    "name", ["photo.png", "PHOTO.PNG", "Grundriß (2).png", "Screenshot at 1.00.00\u202fPM.png", "👩‍👧.png"]
)
def test_people_name_their_files_as_they_like(name):
    check_name_and_type(name, "image/png")
    assert media_type_of(name) == "image/png"


def test_the_type_of_a_name_is_known_or_not():
    assert {media_type_of(f"x.{one}") for known in MEDIA_TYPES.values() for one in known["extensions"]} == set(
        MEDIA_TYPES
    )
    assert [media_type_of(name) for name in ("x.tiff", "png", "", "x.")] == [None] * 4


# What is in a file

GOOD = {
    "image/png": PNG,
    "image/jpeg": JPEG,
    "image/gif": b"GIF89a" + bytes(20),
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(20),
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    DOCX: office("[Content_Types].xml", "_rels/.rels", "word/document.xml"),
    XLSX: office("docProps/app.xml", "xl/workbook.xml"),
    "text/csv": b"a,b\n1,2\n",
    "text/html": b"<!doctype html><p>Hi",
    "text/markdown": b"# Hi\n",
    "text/plain": "Grüße\n".encode(),
}


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_file_of_each_type_is_what_it_says(media_type):  # R-A2
    assert problem_of(GOOD[media_type], media_type, is_whole=True) is None


@pytest.mark.parametrize(
    ("content", "media_type", "found"),
    [
        (b"", "image/png", "empty (0 bytes)"),
        (office("a.txt"), "image/png", "application/zip"),
        (office("a.txt"), DOCX, "application/zip"),
        (office("[Content_Types].xml", "xl/workbook.xml"), DOCX, "application/zip"),
        (b"<html><script>", "image/png", "text/html"),
        (b"\n<!DOCTYPE html>", "application/pdf", "text/html"),
        (b"<svg/>", "image/png", "text"),
        (JPEG, "image/png", "image/jpeg"),
        (PNG, "text/plain", "image/png"),
        (b"%PDF-1.7", "text/plain", "application/pdf"),
        (b"\x00\x00\x00\x18ftypheic", "image/jpeg", "image/heic"),
        (b"MZ\x90\x00\x03", "image/png", "unknown"),
        (b"a\x00b", "text/plain", "a byte 0"),
        ("Grüße".encode("latin-1"), "text/csv", "byte 3"),
        ("Grüße".encode("utf-16"), "text/plain", "byte"),
    ],
)
def test_a_file_that_is_something_else_is_found_out(content, media_type, found):  # R-A2
    assert found in (problem_of(content, media_type, is_whole=True) or "nothing")


def test_a_word_document_may_contain_an_excel_document():  # R-A2
    beginning = office("[Content_Types].xml", *(f"word/media/{number}" for number in range(100)))
    assert problem_of(beginning + office("xl/workbook.xml"), DOCX, is_whole=True) is None


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_any_bytes_can_be_looked_at(media_type):
    for size in (1, 3, 12, 40, 4096):
        for number in range(20):
            content = GOOD[media_type][: number * 4] + random.Random(number).randbytes(size)
            problem_of(content, media_type, is_whole=bool(number % 2))


def test_a_beginning_may_end_within_a_character():
    beginning = "ü".encode()[:1]
    assert problem_of(b"x" + beginning, "text/plain", is_whole=False) is None
    assert problem_of(b"x" + beginning, "text/plain", is_whole=True)
