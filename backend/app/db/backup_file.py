"""The backup's file: a header, sealed frames of compressed archive, and a manifest as the last.

    magic (16 bytes) | header's length (4) | header (JSON)
    frame …          | kind (1), number (8), length (4), body
    offset of the manifest's frame (8) | end mark (8)

Numbers are big-endian. A frame's kind is 0 (archive, zstd) or 1 (manifest, JSON, the last one), its
number counts from 0. With a key each body is AES-256-GCM: the key by scrypt from BACKUP_KEY and the
header's salt, used for this file only; nonce = number, kind, three zero bytes; associated data =
SHA-256 of everything before the first frame. Without a key each body ends in a BLAKE2b-128 of the
same. So a frame that is changed, moved, repeated or missing is found, and an end that is missing.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

from app.core.errors import BackupError
from app.core.security import same, subkey

MAGIC: Final = b"TradewrightBack\n"
END: Final = b"BackEnd\n"
VERSION: Final = 1
CHUNK: Final = 1024**2
TAG: Final = 16
ARCHIVE: Final = 0
MANIFEST: Final = 1
_HEAD: Final = struct.Struct(">BQI")
_LENGTH: Final = struct.Struct(">I")
_OFFSET: Final = struct.Struct(">Q")
_LONGEST_HEADER: Final = 4096
_LONGEST_BODY: Final = 64 * CHUNK
_SCRYPT: Final = {"n": 2**15, "r": 8, "p": 1}
"32 MiB and about 0.1 s a guess."


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What may be read without the key."""

    version: int
    id: str
    made_at: str
    cipher: str | None = None
    salt: str = ""
    check: str = ""
    "Eight bytes that only the right key gives: a wrong key is told from a damaged file."


class Sealer:
    """Seals and opens the bodies of one file's frames."""

    def __init__(self, preamble: bytes, key: bytes | None) -> None:
        self._about = hashlib.sha256(preamble).digest()
        self._aes = AESGCM(subkey(key, "backup frames")) if key else None

    def seal(self, kind: int, number: int, plain: bytes) -> bytes:
        if self._aes:
            return self._aes.encrypt(_nonce(kind, number), plain, self._about)
        return plain + self._sum(kind, number, plain)

    def open(self, kind: int, number: int, body: bytes) -> bytes:
        """Raises InvalidTag."""
        if self._aes:
            return self._aes.decrypt(_nonce(kind, number), body, self._about)
        plain, tag = body[:-TAG], body[-TAG:]
        if not same(self._sum(kind, number, plain), tag):
            raise InvalidTag
        return plain

    def _sum(self, kind: int, number: int, plain: bytes) -> bytes:
        digest = hashlib.blake2b(self._about + _nonce(kind, number), digest_size=TAG)
        digest.update(plain)
        return digest.digest()


def _nonce(kind: int, number: int) -> bytes:
    return struct.pack(">QB3x", number, kind)


def _stretched(key: SecretStr, salt: bytes) -> bytes:
    return _scrypt(key.get_secret_value().strip().encode(), salt)


@lru_cache(maxsize=8)
def _scrypt(secret: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **_SCRYPT).derive(secret)


class Sink(Protocol):
    """Where a backup is written to."""

    def write(self, data: bytes, /) -> int: ...


class Writer:
    """Writes one backup into an open file. Raises OSError as the file does."""

    def __init__(self, file: Sink, key: SecretStr | None, *, id: str, made_at: str) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._compressor = zstandard.ZstdCompressor(level=3).compressobj()
        self._waiting = bytearray()
        self._number = 0
        self.size = 0
        salt = secrets.token_bytes(32)
        stretched = _stretched(key, salt) if key else None
        header = Header(
            version=VERSION,
            id=id,
            made_at=made_at,
            cipher="aes-256-gcm" if key else None,
            salt=salt.hex() if key else "",
            check=subkey(stretched, "backup check", 8).hex() if stretched else "",
        )
        encoded = msgspec.json.encode(header)
        preamble = MAGIC + _LENGTH.pack(len(encoded)) + encoded
        self._sealer = Sealer(preamble, stretched)
        self._put(preamble)

    def write(self, archive: bytes) -> None:
        """More of the archive."""
        self._waiting += self._compressor.compress(archive)
        while len(self._waiting) >= CHUNK:
            self._frame(ARCHIVE, bytes(self._waiting[:CHUNK]))
            del self._waiting[:CHUNK]

    def finish(self, manifest: bytes) -> bytes:
        """The rest, the manifest, the end; SHA-256 of the whole file."""
        self._waiting += self._compressor.flush()
        if self._waiting:
            self._frame(ARCHIVE, bytes(self._waiting))
        offset = self.size
        self._frame(MANIFEST, manifest)
        self._put(_OFFSET.pack(offset) + END)
        return self._sha256.digest()

    def _frame(self, kind: int, plain: bytes) -> None:
        body = self._sealer.seal(kind, self._number, plain)
        self._put(_HEAD.pack(kind, self._number, len(body)) + body)
        self._number += 1

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._sha256.update(data)
        self.size += len(data)


class Reader:
    """Reads one backup. Everything wrong with it raises BackupError with a sentence."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self.path = path
        self.header, self._preamble = self._read_header()
        self._sealer: Sealer | None = None

    @property
    def is_encrypted(self) -> bool:
        return self.header.cipher is not None

    def unlock(self, key: SecretStr | None, *, accept_unsealed: bool = False) -> None:
        """Take the key, before anything but the header is read.

        Who has a key expects its seal: without one anybody may have written the file.
        """
        if not self.is_encrypted:
            if key is not None and not accept_unsealed:
                raise BackupError(
                    f"{self.path} is not encrypted, and there is a key: nothing proves who made"
                    " it.",
                    remedy="If it is your own, from before the key: say --accept-unsealed"
                    " (`tradewright backup verify` and `restore`).",
                )
            self._sealer = Sealer(self._preamble, None)
            return
        if key is None:
            raise BackupError(
                f"{self.path} is encrypted, and there is no key.",
                remedy="Set BACKUP_KEY, or name its file with --key-file.",
            )
        stretched = _stretched(key, bytes.fromhex(self.header.salt))
        if not same(
            subkey(stretched, "backup check", 8).hex().encode(), self.header.check.encode()
        ):
            raise BackupError(
                f"The key does not fit {self.path}: it was made with another one.",
                remedy="Give the key of that time with --key-file.",
            )
        self._sealer = Sealer(self._preamble, stretched)

    def manifest(self) -> bytes:
        """The manifest alone, found from the end."""
        tail = _OFFSET.size + len(END)
        size = self._file.seek(0, 2)
        if size < len(self._preamble) + _HEAD.size + tail:
            raise self._torn()
        self._file.seek(size - tail)
        offset, mark = _OFFSET.unpack(self._file.read(_OFFSET.size)), self._file.read(len(END))
        if mark != END or not len(self._preamble) <= offset[0] < size - tail:
            raise self._torn()
        self._file.seek(offset[0])
        kind, _, plain = self._next(None)
        if kind != MANIFEST:
            raise self._damaged()
        return plain

    def archive(self) -> Iterator[bytes]:
        """The archive, whole: the end is reached only if nothing is missing behind it."""
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        self._file.seek(len(self._preamble))
        number = 0
        while True:
            offset = self._file.tell()
            kind, _, plain = self._next(number)
            if kind == MANIFEST:
                break
            try:
                if data := decompressor.decompress(plain):
                    yield data
            except zstandard.ZstdError:
                raise self._damaged() from None
            number += 1
        if self._file.read() != _OFFSET.pack(offset) + END:
            raise self._torn()

    def _next(self, number: int | None) -> tuple[int, int, bytes]:
        """A frame here: kind, number, content. `number` is the one expected, None any."""
        assert self._sealer, "unlock first"
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise self._torn()
        kind, found, length = _HEAD.unpack(head)
        if kind not in (ARCHIVE, MANIFEST) or length > _LONGEST_BODY or length < TAG:
            raise self._damaged()
        body = self._file.read(length)
        if len(body) < length:
            raise self._torn()
        try:
            plain = self._sealer.open(kind, found if number is None else number, body)
        except InvalidTag:
            raise self._damaged() from None
        return kind, found, plain

    def _read_header(self) -> tuple[Header, bytes]:
        start = self._file.read(len(MAGIC) + _LENGTH.size)
        if not start.startswith(MAGIC) or len(start) < len(MAGIC) + _LENGTH.size:
            if MAGIC.startswith(start[: len(MAGIC)]) and start:
                raise self._torn()
            raise BackupError(
                f"{self.path} is no backup of Tradewright.",
                remedy="`tradewright backup list` shows those that are at hand.",
            )
        length = _LENGTH.unpack(start[len(MAGIC) :])[0]
        if length > _LONGEST_HEADER:
            raise self._damaged()
        encoded = self._file.read(length)
        if len(encoded) < length:
            raise self._torn()
        try:
            header = msgspec.json.decode(encoded, type=Header)
            bytes.fromhex(header.salt)
        except (msgspec.DecodeError, ValueError):
            raise self._damaged() from None
        if header.version != VERSION:
            raise BackupError(
                f"{self.path} has format {header.version}, and this program reads {VERSION}.",
                remedy="Restore it with the version that made it, or a newer one.",
            )
        return header, start + encoded

    def _torn(self) -> BackupError:
        return BackupError(
            f"{self.path} is torn: its end is missing.",
            remedy="Take another backup, or its copy.",
        )

    def _damaged(self) -> BackupError:
        return BackupError(
            f"{self.path} is damaged: what it holds is not what was written.",
            remedy="Take another backup, or its copy.",
        )
