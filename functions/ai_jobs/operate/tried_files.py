"""Files that go with an input that is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ai_jobs.contract.attachments import Attachment
from ai_jobs.contract.locations import upload_prefix
from ai_jobs.service.attached_files import JobFile
from ai_jobs.service.attachment_checks import check_rules
from ai_jobs.service.job_type import JobType, Prompt


class TriedFile(JobFile):
    """A file that is in no bucket; a model gets its bytes, as it gets those of a new upload.

    Args:
        content: the file's bytes, which were checked (`ai_jobs.service.attachment_checks`).
        number: its place among the files of its input, from 0.
    """

    def __init__(self, name: str, media_type: str, content: bytes, number: int) -> None:
        super().__init__("", Attachment(name, media_type, len(content), f"{upload_prefix('nobody')}{number}"), number)
        self._given = content

    def content(self) -> bytes:
        """The file's bytes."""
        return self._given


def prompt_of(job_type: JobType, job_input: Mapping[str, Any], files: Sequence[TriedFile] = ()) -> Prompt:
    """The prompt of an input with its files, which the type must allow.

    Raises:
        JobError: `INVALID_ATTACHMENT`, or what `JobType.prepare` raises.
    """
    attachments = [file.attachment for file in files]
    check_rules(attachments, job_type.attachments, job_type.name)
    prompt = job_type.prepare(job_input, [attachment.for_prompts() for attachment in attachments])
    return replace(prompt, files=tuple(files))
