"""The files of a job, as they go to its model."""

from __future__ import annotations

from typing import Any

from ai_jobs.aws import uploads
from ai_jobs.contract.attachments import Attachment, is_upload
from ai_jobs.contract.limits import MEDIA_TYPES
from ai_jobs.contract.request import ReceivedJob
from ai_jobs.service.attachment_checks import check_content

# Amazon's own models read files in S3; the others of Bedrock want their bytes
# (https://docs.aws.amazon.com/nova/latest/userguide/modalities.html).
_READ_S3 = "amazon.nova"

# Nova counts about 800 to 2,600 for an image, by its size (https://docs.aws.amazon.com/nova/latest/userguide/
# modalities-image.html), Claude a 750th of its pixels, and at most 1,600 with most models
# (https://docs.claude.com/en/docs/build-with-claude/vision).
_TOKENS_PER_IMAGE = 1_800

# A page of a PDF counts 1,500 to 3,000 (https://docs.claude.com/en/docs/build-with-claude/pdf-support), and typically
# takes 50 to 100 KB. Text in Office documents is compressed, beside parts that no model reads. Plain text counts as in
# prompts (ai_jobs.service.budget).
_BYTES_PER_TOKEN = {"pdf": 30, "docx": 10}
_BYTES_OF_TEXT_PER_TOKEN = 3


def reads_from_s3(model_id: str) -> bool:
    """Does the model read files where they are, so that no worker has to hold them?"""
    return _READ_S3 in model_id


class JobFile:
    """One file of a prompt (`ai_jobs.service.job_type`); its content is read at most once, when it is first needed.

    Args:
        number: its place among the job's files, from 0.
    """

    def __init__(self, bucket: str, attachment: Attachment, number: int) -> None:
        self.attachment = attachment
        self._bucket = bucket
        self._number = number
        self._field = f"attachments.{number}"
        self._is_checked = False
        self._content: bytes | None = None

    @property
    def estimated_tokens(self) -> int:
        """How many tokens a model will probably count for it."""
        if self._kind == "image":
            return _TOKENS_PER_IMAGE
        return -(-self.attachment.bytes // _BYTES_PER_TOKEN.get(self._format, _BYTES_OF_TEXT_PER_TOKEN))

    def content_block(self, model_id: str) -> dict[str, Any]:
        """The file as a content block of Converse: its bytes, or where it is, if this model can read it there.

        Raises:
            JobError: `ATTACHMENT_NOT_FOUND`; `INVALID_ATTACHMENT` if it is not what the job says about it;
                `DEPENDENCY_UNAVAILABLE` or `DEPENDENCY_REFUSED`.
        """
        block: dict[str, Any] = {"format": self._format, "source": self._source(model_id)}
        if self._kind == "document":
            # Not the file's own name: few characters are allowed, and a model reads it like a prompt
            # (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html).
            block["name"] = f"document-{self._number + 1}"
        return {self._kind: block}

    def content(self) -> bytes:
        """The file's bytes. Raises what `content_block` raises."""
        if self._content is None:
            key, size = self.attachment.key, self.attachment.bytes
            content = uploads.read_file(self._bucket, key, size + 1, self._field)
            check_content(content, self.attachment, len(content), self._field)
            self._content = content
        return self._content

    def _source(self, model_id: str) -> dict[str, Any]:
        # An upload could be replaced between our look at it and the model's.
        if not reads_from_s3(model_id) or is_upload(self.attachment.key):
            return {"bytes": self.content()}
        self._check_in_place()
        return {"s3Location": uploads.s3_location(self._bucket, self.attachment.key)}

    def _check_in_place(self) -> None:
        """Otherwise the model would say that the request is wrong, which is an operator's error."""
        if self._is_checked:
            return
        stored = uploads.look_at(self._bucket, self.attachment.key)
        if stored is None:
            raise uploads.not_found(self._field)
        check_content(stored.beginning, self.attachment, stored.size, self._field)
        self._is_checked = True

    @property
    def _kind(self) -> str:
        return str(MEDIA_TYPES[self.attachment.media_type]["kind"])

    @property
    def _format(self) -> str:
        return str(MEDIA_TYPES[self.attachment.media_type]["format"])


def files_of(job: ReceivedJob, bucket: str) -> tuple[JobFile, ...]:
    """The files of a job that was checked; none of them is read yet."""
    return tuple(JobFile(bucket, attachment, number) for number, attachment in enumerate(job.attachments))
