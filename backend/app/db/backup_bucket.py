"""Copies of backups in a bucket of S3 or of what speaks like it (extra `s3`)."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from app.core.backup import BackupOptions
from app.core.errors import BackupError, ConfigurationError
from app.db.backup_retention import NAME

SCHEME: Final = "s3://"
INSTALL: Final = ".venv/bin/python -m pip install -e '.[s3]'"
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 60
_ATTEMPTS: Final = 5


class Bucket:
    """One bucket. Whatever it refuses raises BackupError; a missing library ConfigurationError."""

    def __init__(self, options: BackupOptions) -> None:
        self.name, self.prefix = str(options.s3_bucket), options.s3_prefix
        self._client, self._errors = _client(options)

    def put(self, path: Path) -> str:
        """Copy a backup there, checked by its size; the copy's address."""
        key = f"{self.prefix}{path.name}"
        try:
            self._client.upload_file(str(path), self.name, key)
            found = self._client.head_object(Bucket=self.name, Key=key)["ContentLength"]
        except self._errors as error:
            raise self._refused("took no copy", error) from error
        if found != path.stat().st_size:
            raise BackupError(f"The copy of {path.name} in bucket {self.name} is not whole.")
        return f"{SCHEME}{self.name}/{key}"

    def get(self, address: str, folder: Path) -> Path:
        """Bring a copy back into a folder."""
        bucket, _, key = address.removeprefix(SCHEME).partition("/")
        name = key.rpartition("/")[2]
        if not NAME.fullmatch(name):
            raise BackupError(
                f"{address} is not the name of a backup.",
                remedy="`tradewright backup list` shows where the copies are.",
            )
        path, fresh = folder / name, folder / f"{name}.fetched"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._client.download_file(bucket, key, str(fresh))
            fresh.chmod(0o600)
            fresh.replace(path)
        except self._errors as error:
            raise self._refused(f"did not give {address}", error) from error
        finally:
            fresh.unlink(missing_ok=True)
        return path

    def names(self) -> list[str]:
        """Names of the backups that lie there."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=self.prefix
            )
            keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        except self._errors as error:
            raise self._refused("could not be listed", error) from error
        return [key.removeprefix(self.prefix) for key in keys if key.startswith(self.prefix)]

    def delete(self, name: str) -> None:
        """Remove a copy."""
        try:
            self._client.delete_object(Bucket=self.name, Key=f"{self.prefix}{name}")
        except self._errors as error:
            raise self._refused(f"did not delete {name}", error) from error

    def _refused(self, what: str, error: Exception) -> BackupError:
        return BackupError(
            f"Bucket {self.name} {what}: {str(error)[:300]}",
            remedy="Check BACKUP_S3_BUCKET, its region, endpoint and keys.",
        )


def _client(options: BackupOptions) -> tuple[Any, tuple[type[Exception], ...]]:
    if find_spec("boto3") is None:
        raise ConfigurationError(
            "Copies of backups in a bucket need the library boto3, which is not installed.",
            remedy=f"Install it: {INSTALL}",
        )
    # 20 MB, for those only who keep copies in a bucket
    import boto3  # noqa: PLC0415
    from boto3.exceptions import Boto3Error  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    secret = options.s3_secret_access_key
    client = boto3.client(
        "s3",
        endpoint_url=options.s3_endpoint,
        region_name=options.s3_region,
        aws_access_key_id=options.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
        ),
    )
    return client, (Boto3Error, BotoCoreError, ClientError, OSError)
