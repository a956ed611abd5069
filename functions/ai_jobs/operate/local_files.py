"""Files of this machine, attached to an input that is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_jobs.contract.attachments import MAX_BYTES, Attachment, check_name_and_type, media_type_of
from ai_jobs.contract.errors import JobError
from ai_jobs.contract.locations import upload_prefix
from ai_jobs.service.attached_files import JobFile
from ai_jobs.service.attachment_checks import check_content, check_rules
from ai_jobs.service.job_type import JobType, Prompt


class LocalFile(JobFile):
    """A file that is not in the bucket; a model gets its bytes, as it gets those of a new upload."""

    def __init__(self, content: bytes, attachment: Attachment, number: int) -> None:
        super().__init__("", attachment, number)
        self._local = content

    def content(self) -> bytes:
        """The file's bytes."""
        return self._local


def read_file(path: Path, number: int) -> LocalFile:
    """The file, whose media type is that of its extension.

    Args:
        number: its place among the files of its input, from 0.

    Raises:
        JobError: `INVALID_ATTACHMENT`, if no job can have such a file.
    """
    field = f"attachments.{number}"
    size, media_type = path.stat().st_size, media_type_of(path.name)
    check_name_and_type(path.name, media_type, f"{field}.")
    if size > MAX_BYTES:
        raise JobError("INVALID_ATTACHMENT", f"{field} has {size} bytes. At most {MAX_BYTES} are allowed.", field)
    content = path.read_bytes()
    attachment = Attachment(path.name, str(media_type), len(content), f"{upload_prefix('local')}{number}")
    check_content(content, attachment, len(content), field)
    return LocalFile(content, attachment, number)


def prompt_of(job_type: JobType, job_input: Mapping[str, Any], files: Sequence[LocalFile] = ()) -> Prompt:
    """The prompt of an input with its files, which the type must allow.

    Raises:
        JobError: `INVALID_ATTACHMENT`, or what `JobType.prepare` raises.
    """
    attachments = [file.attachment for file in files]
    check_rules(attachments, job_type.attachments, job_type.name)
    prompt = job_type.prepare(job_input, [attachment.for_prompts() for attachment in attachments])
    return replace(prompt, files=tuple(files))
