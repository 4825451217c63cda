"""The file of a backup: what is changed, moved, cut off or foreign is found, and says so."""

import io
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from pydantic import SecretStr

from app.core.errors import BackupError
from app.db import backup_file
from app.db.backup_file import CHUNK, Reader, Writer

KEY = SecretStr("a key for tests, long enough")
NOISE = secrets.token_bytes(3 * CHUNK + 17)
"Does not compress, so that there are several frames."


def written(key: SecretStr | None, archive: bytes = NOISE) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, key, id="ab12", made_at="2026-11-20T03:00:00+00:00")
    for start in range(0, len(archive), 100_000):
        writer.write(archive[start : start + 100_000])
    writer.finish(b'{"rows": 7}')
    assert writer.size == len(file.getvalue())
    return file.getvalue()


def reader(data: bytes, key: SecretStr | None) -> Reader:
    found = Reader(io.BytesIO(data), Path("x.backup"))
    found.unlock(key)
    return found


def whole(data: bytes, key: SecretStr | None) -> bytes:
    return b"".join(reader(data, key).archive())


@pytest.fixture(scope="module", params=["encrypted", "plain"])
def key(request: pytest.FixtureRequest) -> SecretStr | None:
    return KEY if request.param == "encrypted" else None


@pytest.fixture(scope="module")
def data(key: SecretStr | None) -> bytes:
    return written(key)


def frames(data: bytes) -> list[tuple[int, int]]:
    """[start, end) of each frame."""
    place = len(backup_file.MAGIC) + 4
    place += int.from_bytes(data[place - 4 : place], "big")
    found = []
    while place < len(data) - 16:
        length = int.from_bytes(data[place + 9 : place + 13], "big")
        found.append((place, place + 13 + length))
        place += 13 + length
    return found


def test_what_was_written_is_read(data: bytes, key: SecretStr | None) -> None:
    assert whole(data, key) == NOISE
    assert reader(data, key).manifest() == b'{"rows": 7}'
    assert len(frames(data)) == 5


def test_an_empty_archive_is_read_too(key: SecretStr | None) -> None:
    assert whole(written(key, b""), key) == b""


def test_a_file_that_is_cut_off_anywhere_is_torn(data: bytes, key: SecretStr | None) -> None:
    middle = [frame[0] for frame in frames(data)] + [frame[0] + 5 for frame in frames(data)]
    for end in [1, 10, 18, 60, *middle, len(data) - 16, len(data) - 1]:
        with pytest.raises(BackupError, match="torn"):
            whole(data[:end], key)
        with pytest.raises(BackupError, match="torn"):
            reader(data[:end], key).manifest()


def test_a_file_that_goes_on_is_not_whole(data: bytes, key: SecretStr | None) -> None:
    with pytest.raises(BackupError, match="torn"):
        whole(data + b"more", key)


def _without(data: bytes, number: int) -> bytes:
    start, end = frames(data)[number]
    return data[:start] + data[end:]


def _swapped(data: bytes) -> bytes:
    (a, b), (_, c) = frames(data)[:2]
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _twice(data: bytes) -> bytes:
    start, end = frames(data)[1]
    return data[:end] + data[start:]


def _flipped(place: int) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1
        return bytes(changed)

    return flip


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: _without(data, 0),
        lambda data: _without(data, 2),
        lambda data: _without(data, 3),
        _swapped,
        _twice,
        lambda data: _flipped(frames(data)[1][0] + 500)(data),
        lambda data: _flipped(frames(data)[3][0])(data),
        lambda data: _flipped(frames(data)[0][0] + 9)(data),
        lambda data: _flipped(frames(data)[4][1] - 1)(data),
        lambda data: data.replace(b'"id":"ab12"', b'"id":"ab13"'),
    ],
)
def test_a_file_that_was_changed_is_found_out(
    data: bytes, key: SecretStr | None, spoil: Callable[[bytes], bytes]
) -> None:
    spoiled = spoil(data)
    assert spoiled != data
    with pytest.raises(BackupError, match=r"damaged|torn"):
        whole(spoiled, key)


def test_a_manifest_cannot_be_taken_from_an_archives_frame(
    data: bytes, key: SecretStr | None
) -> None:
    offset = frames(data)[0][0].to_bytes(8, "big")
    with pytest.raises(BackupError, match="damaged"):
        reader(data[:-16] + offset + backup_file.END, key).manifest()


def test_a_wrong_key_and_no_key_are_told_apart_from_damage() -> None:
    data = written(KEY, b"secret")
    with pytest.raises(BackupError, match="key does not fit"):
        whole(data, SecretStr("another key, as long as it"))
    with pytest.raises(BackupError, match="there is no key"):
        whole(data, None)


def test_nothing_of_the_archive_can_be_read_without_the_key() -> None:
    text = b"DU12345 holds 100 AAPL"
    assert text not in written(KEY, text)
    assert written(KEY, text) != written(KEY, text)


def test_an_unencrypted_backup_is_refused_where_there_is_a_key_unless_told() -> None:
    found = Reader(io.BytesIO(written(None, b"open")), Path("x.backup"))
    with pytest.raises(BackupError, match="nothing proves who made it") as refused:
        found.unlock(KEY)
    assert "--accept-unsealed" in (refused.value.remedy or "")
    found.unlock(KEY, accept_unsealed=True)
    assert b"".join(found.archive()) == b"open"


@pytest.mark.parametrize("data", [b"", b"PGDMP...", b"%PDF-1.7 and so on, a long file of another"])
def test_a_foreign_file_is_no_backup(data: bytes) -> None:
    with pytest.raises(BackupError, match="no backup of Tradewright"):
        reader(data, None)


def test_a_header_that_is_no_header_is_damage() -> None:
    for header in (b"[]", b'{"version":1,"id":"a","made_at":"b","salt":"zz"}', b"x" * 5000):
        data = backup_file.MAGIC + len(header).to_bytes(4, "big") + header + bytes(100)
        with pytest.raises(BackupError, match="damaged"):
            reader(data, None)


def test_a_newer_format_is_not_guessed_at() -> None:
    header = b'{"version":2,"id":"a","made_at":"b"}'
    data = backup_file.MAGIC + len(header).to_bytes(4, "big") + header + bytes(100)
    with pytest.raises(BackupError, match="has format 2"):
        reader(data, None)


def test_a_body_that_is_not_compressed_archive_is_damage() -> None:
    header = b'{"version":1,"id":"a","made_at":"b"}'
    preamble = backup_file.MAGIC + len(header).to_bytes(4, "big") + header
    body = backup_file.Sealer(preamble, None).seal(0, 0, b"no zstd at all")
    frame = bytes([0]) + bytes(8) + len(body).to_bytes(4, "big") + body
    with pytest.raises(BackupError, match="damaged"):
        whole(preamble + frame, None)


@pytest.mark.parametrize(("order", "is_whole"), [((0, 1), True), ((1, 0), False), ((1,), False)])
def test_the_place_of_a_frame_is_sealed_with_it(order: tuple[int, ...], is_whole: bool) -> None:
    """Though the archive would be read all the same: one frame holds all of it, the other none."""
    header = b'{"version":1,"id":"a","made_at":"b"}'
    data = backup_file.MAGIC + len(header).to_bytes(4, "big") + header
    sealer = backup_file.Sealer(data, None)
    kinds = ((0, b""), (0, zstandard.compress(b"all of it")), (1, b"{}"))
    sealed = [
        bytes([kind]) + number.to_bytes(8, "big") + len(body).to_bytes(4, "big") + body
        for number, (kind, plain) in enumerate(kinds)
        for body in [sealer.seal(kind, number, plain)]
    ]
    data += b"".join(sealed[number] for number in order)
    data += sealed[2] + len(data).to_bytes(8, "big") + backup_file.END
    if is_whole:
        assert whole(data, None) == b"all of it"
        return
    with pytest.raises(BackupError, match="damaged"):
        whole(data, None)
