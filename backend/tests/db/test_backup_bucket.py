"""Copies in a bucket, at a loopback server that speaks S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from app.core.backup import BackupOptions
from app.core.errors import BackupError, ConfigurationError
from app.db import backup_bucket
from app.db.backup_bucket import Bucket

NAME = "tradewright-20261120T030000Z-0a1b2c3d.backup"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(endpoint: str, request: pytest.FixtureRequest) -> BackupOptions:
    """A bucket of this test's own."""
    found = BackupOptions(
        s3_bucket=f"kept-{abs(hash(request.node.name))}",
        s3_endpoint=endpoint,
        s3_region="us-east-1",
        s3_access_key_id="loopback",
        s3_secret_access_key=SecretStr("loopback-secret"),
    )
    Bucket(found)._client.create_bucket(Bucket=found.s3_bucket)
    return found


def test_a_copy_goes_there_and_comes_back(options: BackupOptions, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"sealed" * 1000)
    bucket = Bucket(options)
    address = bucket.put(path)
    assert address == f"s3://{options.s3_bucket}/tradewright/{NAME}"
    assert bucket.names() == [NAME]

    back = bucket.get(address, tmp_path / "fetched")
    assert back.read_bytes() == path.read_bytes()
    assert back.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in back.parent.iterdir()] == [NAME]

    bucket.delete(NAME)
    assert bucket.names() == []


def test_what_is_not_there_cannot_be_fetched(options: BackupOptions, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="did not give"):
        Bucket(options).get(f"s3://{options.s3_bucket}/tradewright/{NAME}", tmp_path)
    with pytest.raises(BackupError, match="not the name of a backup"):
        Bucket(options).get(f"s3://{options.s3_bucket}/../../etc/passwd", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_is_not_there_says_so(options: BackupOptions, tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"sealed")
    other = options.model_copy(update={"s3_bucket": "nowhere"})
    for work in (lambda: Bucket(other).put(path), Bucket(other).names):
        with pytest.raises(BackupError, match="Bucket nowhere"):
            work()
    with pytest.raises(BackupError, match="did not delete"):
        Bucket(other).delete(NAME)


def test_without_the_library_the_command_that_installs_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup_bucket, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="boto3") as refused:
        Bucket(BackupOptions(s3_bucket="kept"))
    assert "pip install" in str(refused.value)
