"""Files that `ai-jobs submit --attach` gives to a job."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ai_jobs.aws.uploads import put_file
from ai_jobs.cli.exits import Problem
from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.client.files import LocalFile, read_local_file
from ai_jobs.contract.attachments import Attachment, check_name_and_type, distinct_names
from ai_jobs.contract.errors import AWSError, JobError
from ai_jobs.contract.locations import job_input_prefix
from ai_jobs.contract.request import AIJobMessage
from ai_jobs.service.attachment_checks import check_content


def read_files(paths: Iterable[str]) -> list[LocalFile]:
    """Read the files, and check all that can be checked without the job's type. Raises Problem at the first bad one.

    Files from different folders may have the same name; in a job, these are numbered.
    """
    files = [_checked(path) for path in dict.fromkeys(paths)]
    names = distinct_names(file.name for file in files)
    return [replace(file, name=name) for file, name in zip(files, names, strict=True)]


def with_files(message: AIJobMessage, files: Sequence[LocalFile], bucket: str) -> AIJobMessage:
    """The job with its files, which are stored where PUT would have copied them.

    The keys are made of the contents: the same job sent twice has the same files, and so counts as the same job.

    Raises:
        AWSError: S3 is unreachable, or refuses.
    """
    prefix = job_input_prefix(message.user_id, message.job_id)
    attachments = [
        Attachment(file.name, file.media_type, len(file.content), f"{prefix}{_id_of(file)}") for file in files
    ]
    try:
        for attachment, file in zip(attachments, files, strict=True):
            put_file(bucket, attachment.key, file.content, file.name, file.media_type)
    except JobError as error:
        raise AWSError(f"Cannot store {file.name} in {bucket}: {error.message}", error.code, message.job_id) from error
    return replace(message, attachments=attachments)


def _checked(path: str) -> LocalFile:
    try:
        file = read_local_file(path, None)
        check_name_and_type(file.name, file.media_type)
        check_content(
            file.content, Attachment(file.name, file.media_type, len(file.content), ""), len(file.content), path
        )
    except (InvalidArgumentError, JobError) as error:
        raise Problem(str(error)) from None
    return file


def _id_of(file: LocalFile) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(f"{file.name}/".encode() + file.content).digest()[:16])
