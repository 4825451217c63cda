"""Ports of this machine, and whether our own server answers on one."""

import errno
import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

ANSWER_TIMEOUT_SECONDS: Final = 1.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this instant."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now. Raises OSError when the host is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def ask_health(host: str, port: int, certificate: Path | None = None) -> dict[str, Any] | None:
    """The body of GET /health when it comes with 200 and a status; None otherwise.

    Over TLS where our own certificate is given.
    """
    with suppress(OSError, ValueError, IndexError, AttributeError):
        with _connected(host, port, certificate) as peer:
            peer.settimeout(ANSWER_TIMEOUT_SECONDS)
            peer.sendall(f"GET /health HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: peer.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        found: dict[str, Any] = json.loads(body)
        if head.split()[1] == b"200" and found.get("status"):
            return found
    return None


def _connected(host: str, port: int, certificate: Path | None) -> socket.socket:
    peer = socket.create_connection((host, port), ANSWER_TIMEOUT_SECONDS)
    if certificate is None:
        return peer
    from app.core.tls import trusting  # noqa: PLC0415 - a supervisor without TLS stays small

    try:
        return trusting(certificate).wrap_socket(peer)
    except BaseException:
        peer.close()
        raise
