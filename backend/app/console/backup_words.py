"""What the backup commands say: a line of the list, and what follows a restore."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.config import settings

if TYPE_CHECKING:
    from app.db.backup import Found, Manifest


def listed(found: "Found", row: dict[str, Any]) -> dict[str, Any]:
    """One line of `backup list`; `row` is what the database knows of the file."""
    manifest = found.manifest
    return {
        "name": found.path.name,
        "path": found.path,
        "made_at": f"{manifest.made_at:%Y-%m-%d %H:%M:%S}" if manifest else None,
        "mb": round(found.size / 1e6, 1),
        "rows": manifest.state.rows if manifest else None,
        "revision": manifest.revision if manifest else None,
        "state_hash": manifest.state_hash if manifest else None,
        "encrypted": "yes" if found.is_encrypted else "no",
        "proved_at": f"{row['verified_at']:%Y-%m-%d %H:%M}" if row.get("verified_at") else None,
        "copy": row.get("copied_to"),
        "problem": found.error or row.get("check_error"),
    }


def restored_lines(result: dict[str, Any]) -> list[str]:
    """What was done, and what a person does next."""
    from app.db import revisions

    head = revisions.head()
    return [
        f"Restored {result['path']} of {result['made_at']:%Y-%m-%d %H:%M:%S} UTC in"
        f" {result['seconds']:.1f} s: {result['rows']} rows, state hash equal.",
        *(
            [f"The database that was there is now called {result['kept']}."]
            if result["kept"]
            else []
        ),
        *(
            [f"It has revision {result['revision']}; `tradewright db upgrade` brings it to {head}."]
            if result["revision"] != head
            else []
        ),
        *_redis_lines(result),
        *(["Trading is halted, as after an emergency stop."] if result["halted"] else []),
        *(
            [
                "The anchors in this home are those of the database that was there: `tradewright"
                " audit anchor --restart` sets them aside."
            ]
            if result["kept"]
            else []
        ),
        "Before you trade: `tradewright up`, `tradewright audit verify`, and compare every account"
        " with its broker (`tradewright reconcile`): what happened since is known only there."
        " Then `tradewright resume`.",
    ]


def _redis_lines(result: dict[str, Any]) -> list[str]:
    """Redis must not tell of what happened after the backup."""
    if (gone := result.get("redis_keys_removed")) is not None:
        return [f"Redis has forgotten the database that was there ({gone} removed)."]
    if problem := result.get("redis_problem"):
        return [
            f"{problem} It may still tell of what happened after the backup: empty it before the"
            ' first start (`redis-cli -u "$REDIS_URL" FLUSHDB`); nothing is lost by that.'
        ]
    return []


def key_lines(into: Path, manifest: "Manifest") -> list[str]:
    """Whether the home has the master key that the restored rows were signed and sealed with."""
    from app.core import vault
    from app.core.security import master_key
    from app.db.backup import secret_id

    given = settings.app.secret_key
    if given is None and not (into / "secret.key").exists():
        return [
            f"{into} has no secret.key: copy the one of the old home there before the first start,"
            f" and {vault.FILE} beside it if there is one. Without them sealed credentials cannot"
            " be opened, nor the journal be verified."
        ]
    if manifest.secret_id and secret_id(master_key(into, given)) != manifest.secret_id:
        return [
            "The secret key here is not the one that this backup was made under: credentials"
            " cannot be opened, and `tradewright audit verify` will not hold. Put the old one in"
            f" its place, and the {vault.FILE} that was beside it."
        ]
    return []
