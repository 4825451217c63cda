"""Settings of backups: where they lie, the key, how many are kept, and the copy in a bucket."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from app.core.options import TIME_OF_DAY, Options

SHORTEST_KEY = 16


class BackupOptions(Options):
    """Backups: made daily, each proved by a restore; encrypted when there is a key."""

    model_config = SettingsConfigDict(env_prefix="BACKUP_")

    folder: Path | None = Field(
        default=None,
        validation_alias="BACKUP_DIR",
        description="Folder of the backups, better on another disk; unset: backups in"
        " TRADEWRIGHT_HOME",
    )
    key: SecretStr | None = Field(
        default=None,
        description=f"Encrypts backups: at least {SHORTEST_KEY} characters, best 64 random hex"
        " digits; keep it elsewhere, for without it they cannot be read",
    )
    time: str = Field(
        default="01:30",
        pattern=TIME_OF_DAY,
        description="When the daily backup is made: hours and minutes in New York",
    )
    keep_daily: int = Field(
        default=7, ge=1, le=3_650, description="Days of which the newest backup is kept"
    )
    keep_weekly: int = Field(
        default=4, ge=0, le=520, description="Weeks of which the newest backup is kept besides"
    )
    before_upgrade: bool = Field(
        default=True,
        description="Whether `up` saves a database of an older version, and tries the migration on"
        " a copy, before it migrates it; false, or `up --no-backup`: you have a backup of your own",
    )
    spare_mb: int = Field(
        default=1024,
        ge=0,
        le=100_000_000,
        description="Room in MiB that a backup leaves on the disk: a full one would stop trading",
    )
    s3_bucket: str | None = Field(
        default=None, description="Bucket that gets a copy of each backup (extra s3)"
    )
    s3_prefix: str = Field(default="tradewright/", description="What the copies' names begin with")
    s3_endpoint: str | None = Field(
        default=None, description="Address of another object store than Amazon's, https://host"
    )
    s3_region: str | None = Field(default=None, description="The bucket's region")
    s3_access_key_id: str | None = Field(
        default=None, description="Access key; unset: as boto3 finds it (role, profile)"
    )
    s3_secret_access_key: SecretStr | None = Field(
        default=None, description="Its secret, which may write into the bucket"
    )

    @field_validator("key", mode="after")
    @classmethod
    def _is_long(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"must have at least {SHORTEST_KEY} characters")
        return key

    @field_validator("folder", mode="after")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        return folder.expanduser().absolute() if folder else None

    def place(self, home: Path) -> Path:
        """The folder of the backups."""
        return self.folder or home / "backups"
