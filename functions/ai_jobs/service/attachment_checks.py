"""Whether the files of a job may go to its model: the rules of its type, and what is in the files."""

from __future__ import annotations

from collections.abc import Sequence

from ai_jobs.contract.attachments import Attachment
from ai_jobs.contract.errors import JobError, shown
from ai_jobs.service.file_content import problem_of
from ai_jobs.service.model_settings import AttachmentRules


def check_rules(attachments: Sequence[Attachment], rules: AttachmentRules | None, job_type: str) -> None:
    """Check a job's files against the rules of its type.

    Raises:
        JobError: `INVALID_ATTACHMENT`, naming the field.
    """
    check_count(len(attachments), rules, job_type)
    for place, attachment in enumerate(attachments):
        if rules:
            check_type_and_size(attachment.media_type, attachment.bytes, rules, job_type, f"attachments.{place}")
    documents = sum(attachment.is_document for attachment in attachments)
    if rules and documents > rules.max_documents:
        reason = f"attachments has {documents} documents. A model call takes at most {rules.max_documents}."
        raise JobError("INVALID_ATTACHMENT", f"{reason} Omit the others, or merge them.", "attachments")


def check_count(count: int, rules: AttachmentRules | None, job_type: str) -> None:
    """Raise JobError `INVALID_ATTACHMENT` when jobs of this type can't have so many files."""
    if rules is None and count:
        reason = f"A job of type {shown(job_type)} takes no files. Omit attachments."
        raise JobError("INVALID_ATTACHMENT", reason, "attachments")
    if rules and count > rules.max_count:
        reason = f"attachments has {count} files. A job of type {shown(job_type)} takes at most {rules.max_count}."
        raise JobError("INVALID_ATTACHMENT", f"{reason} Omit the others.", "attachments")


def check_type_and_size(media_type: str, size: int, rules: AttachmentRules, job_type: str, field: str) -> None:
    """Raise JobError `INVALID_ATTACHMENT` when jobs of this type can't have such a file."""
    if media_type not in rules.media_types:
        rule = f"A job of type {shown(job_type)} takes: {', '.join(rules.media_types)}."
        raise JobError("INVALID_ATTACHMENT", f"{field} is a file of type {shown(media_type, 100)}. {rule}", field)
    if size > rules.max_bytes:
        rule = f"A job of type {shown(job_type)} takes at most {rules.max_bytes}. Shrink or split the file."
        raise JobError("INVALID_ATTACHMENT", f"{field} has {size} bytes. {rule}", field)


def check_content(beginning: bytes, attachment: Attachment, found_bytes: int, field: str) -> None:
    """Check that a file is what the job says about it.

    Args:
        beginning: the first bytes of the file, or all of them.
        found_bytes: the size of the file.

    Raises:
        JobError: `INVALID_ATTACHMENT`, with the field and with what was found.
    """
    problem = problem_of(beginning, attachment.media_type, is_whole=len(beginning) == found_bytes)
    if problem is None and found_bytes != attachment.bytes:
        problem = f"does not have the {attachment.bytes} bytes that the job says. Send the job with the file's size."
    if problem:
        raise JobError("INVALID_ATTACHMENT", f"{field} ({shown(attachment.name)}) {problem}", field)
