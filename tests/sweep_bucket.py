"""The bucket of a sweep, in memory, and what can befall a worker while it writes there."""

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from botocore.exceptions import ClientError

from ecr_warden.adapters.sweep_store import SweepStore


class KilledError(BaseException):
    """A function whose process ends: no code of its own sees it."""


@dataclass
class FakeS3:
    """S3's client, with what was asked of it as (operation, key), and the reasons to refuse a key."""

    objects: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def _called(self, operation, key):
        self.calls.append((operation, key))
        if key in self.refused:
            raise ClientError({"Error": {"Code": self.refused[key], "Message": "no"}}, operation)

    def put_object(self, *, Bucket, Key, Body, ContentType):  # noqa: N803  # the SDK's names
        self._called("PutObject", Key)
        assert Bucket == "bucket"
        self.objects[Key], self.types[Key] = Body, ContentType

    def get_object(self, *, Bucket, Key):  # noqa: N803  # the SDK's names
        self._called("GetObject", Key)
        assert Bucket == "bucket"
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no such key"}}, "GetObject")
        return {"Body": BytesIO(self.objects[Key])}

    def upload_file(self, filename, bucket, key, /, *, ExtraArgs):  # noqa: N803  # the SDK's name
        self.put_object(Bucket=bucket, Key=key, Body=Path(filename).read_bytes(), **ExtraArgs)


@dataclass
class Bucket:
    """A store on a bucket in memory."""

    s3: FakeS3 = field(default_factory=FakeS3)

    @property
    def store(self):
        return SweepStore(self.s3, "bucket")
