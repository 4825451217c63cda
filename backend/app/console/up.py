"""`tradewright up`: check the settings, then become the supervisor."""

import os
import ssl
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.core.backup import BackupOptions
from app.core.config import Settings, get_settings
from app.core.environment import variables
from app.core.errors import ConfigurationError, InvalidInput
from app.core.guardian import GuardianOptions
from app.core.worker import WorkerOptions


def up(
    port: Annotated[int | None, typer.Option(help="Port of the API and the UI.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder of database, logs and keys.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Trade these bars (a file or a folder) on paper.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Times faster than the clock; 0: as fast as possible.")
    ] = None,
    backup: Annotated[
        bool | None,
        typer.Option(
            help="Save a database of an older version before it is migrated; no: you have a backup."
        ),
    ] = None,
) -> None:
    """Start everything and keep it running until SIGINT or SIGTERM."""
    given = {
        "API_PORT": port,
        "TRADEWRIGHT_HOME": home and home.expanduser().absolute(),
        "TRADEWRIGHT_REPLAY": replay and replay.expanduser().absolute(),
        "TRADEWRIGHT_REPLAY_SPEED": speed,
        "BACKUP_BEFORE_UPGRADE": backup,
    }
    variables().update({key: str(value) for key, value in given.items() if value is not None})
    get_settings.cache_clear()
    settings = get_settings()
    if settings.app.replay and not settings.app.replay.exists():
        raise InvalidInput(
            f"There is nothing at {settings.app.replay}.",
            field="replay",
            remedy="Name a file or a folder of bars.",
        )
    check_certificate(settings)
    variables().update(
        {
            **(
                {"API_TLS_CERTIFICATE": str(settings.api.tls_certificate)}
                if settings.api.tls_certificate
                else {}
            ),
            "TRADEWRIGHT_HOME": str(settings.home),
            "API_HOST": settings.api.host,
            "BACKUP_BEFORE_UPGRADE": str(BackupOptions().before_upgrade).lower(),
            "GUARDIAN_ENABLED": str(GuardianOptions().enabled).lower(),
            "WORKER_ENABLED": str(WorkerOptions().enabled).lower(),
            "API_PORT": str(settings.api.port),
            **({"DATABASE_URL": settings.database.url} if settings.database.is_given else {}),
            **({"REDIS_URL": settings.redis.url} if settings.redis.is_given else {}),
        }
    )
    # The same process without pydantic and the rest: a supervisor should be small.
    os.execv(sys.executable, [sys.executable, "-m", "app.supervisor"])


def check_certificate(settings: Settings) -> None:
    """Raises ConfigurationError for a certificate or key that the server could not start with."""
    certificate, key = settings.api.tls_certificate, settings.api.tls_key
    if certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"{certificate} cannot be used to serve TLS: {error.strerror or error}.",
            remedy="Set API_TLS_CERTIFICATE to a PEM file with the certificate (and its chain), and"
            " API_TLS_KEY to one with its private key, without a password.",
        ) from None
