"""Keys of vendors in the database: sealed, offered to settings, sealed anew, never shown."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.adapters.clients.alpaca import AlpacaOptions
from app.core import credentials as known
from app.core import env_example
from app.core.clock import system
from app.core.errors import ConfigurationError, InvalidInput, NotFound
from app.core.options import variable_of
from app.core.security import hash_password
from app.core.vault import Vault
from app.db.base import Base
from app.repositories import audit
from app.repositories import credentials as rows
from app.services.credentials import Credentials, offer

AUDIT = b"a" * 32
OLD, NEW = b"o" * 32, b"n" * 32
NAMED_ONLY = {("api_keys", "key_id"), ("backups", "key_id")}
"Names of keys that seal nothing in the row: who calls, and what a file was sealed under."
CANARY = "PKCANARY1234567890"


@pytest.fixture
async def pool(database_url: str) -> Iterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=3) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _nothing_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TRADEWRIGHT_ENV_FILE", str(tmp_path / ".env"))
    for name in known.NAMES:
        monkeypatch.delenv(name, raising=False)
    yield
    known.offer({})


def desk(pool: asyncpg.Pool, *keys: bytes) -> Credentials:
    return Credentials(pool, Vault(keys or (OLD,)), AUDIT, system)


def test_every_vendors_secret_can_be_stored() -> None:
    names = {
        variable_of(cls, name)
        for cls in env_example.option_classes()
        if cls not in env_example.FIRST
        for name, field in cls.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert names == set(known.NAMES)
    assert all(f"{p}_{n}".upper() == name for name, (p, n) in known.NAMES.items())


async def test_a_key_is_stored_sealed_and_audited_without_its_value(pool: asyncpg.Pool) -> None:
    row = await desk(pool).put("ada", None, "ALPACA_API_KEY", f" {CANARY}\n")
    assert (row["source"], row["is_stored"], row["provider"]) == ("stored", True, "alpaca")
    stored = await pool.fetchrow("SELECT provider, name, ciphertext FROM credentials")
    assert (stored["provider"], stored["name"]) == ("alpaca", "api_key")
    assert CANARY.encode() not in stored["ciphertext"]
    acts = await pool.fetch("SELECT action, payload::text AS payload FROM audit_trail")
    assert [act["action"] for act in acts] == ["stored"]
    assert CANARY not in acts[0]["payload"]
    assert await audit.verify(pool, AUDIT) == 1


async def test_settings_fall_back_on_a_stored_key_and_the_environment_goes_before_it(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = desk(pool)
    await at.put("ada", None, "ALPACA_API_KEY", CANARY)
    assert AlpacaOptions().api_key is None
    assert await offer(pool, Vault([OLD])) == ("ALPACA_API_KEY",)
    key = AlpacaOptions().api_key
    assert key is not None
    assert key.get_secret_value() == CANARY
    monkeypatch.setenv("ALPACA_API_KEY", "from-the-environment")
    key = AlpacaOptions().api_key
    assert key is not None
    assert key.get_secret_value() == "from-the-environment"
    assert (await at.entry("ALPACA_API_KEY"))["source"] == "environment"


async def test_a_key_in_the_env_file_is_of_the_environment(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("QUIVER_API_KEY=written\n")
    assert (await desk(pool).entry("QUIVER_API_KEY"))["source"] == "environment"
    assert (await desk(pool).entry("ALPACA_API_KEY"))["source"] is None


async def test_a_removed_key_is_offered_no_longer(pool: asyncpg.Pool) -> None:
    at = desk(pool)
    await at.put("ada", None, "ALPACA_API_KEY", CANARY)
    await offer(pool, Vault([OLD]))
    await at.remove("ada", None, "ALPACA_API_KEY")
    assert await offer(pool, Vault([OLD])) == ()
    assert AlpacaOptions().api_key is None
    with pytest.raises(NotFound, match="No ALPACA_API_KEY is stored"):
        await at.remove("ada", None, "ALPACA_API_KEY")


async def test_one_that_does_not_open_does_not_keep_the_others_away(pool: asyncpg.Pool) -> None:
    await desk(pool, NEW).put("ada", None, "ALPACA_API_KEY", "lost")
    await desk(pool).put("ada", None, "QUIVER_API_KEY", "there")
    assert await offer(pool, Vault([OLD])) == ("QUIVER_API_KEY",)


async def test_a_row_of_another_key_pasted_over_this_one_does_not_open(pool: asyncpg.Pool) -> None:
    at = desk(pool)
    await at.put("ada", None, "ALPACA_API_KEY", CANARY)
    await at.put("ada", None, "QUIVER_API_KEY", "other")
    await pool.execute(
        "UPDATE credentials SET ciphertext = (SELECT ciphertext FROM credentials"
        " WHERE provider = 'alpaca') WHERE provider = 'quiver'"
    )
    assert await offer(pool, Vault([OLD])) == ("ALPACA_API_KEY",)


async def test_a_rotation_seals_everything_under_the_newest_key(pool: asyncpg.Pool) -> None:
    await desk(pool).put("ada", None, "ALPACA_API_KEY", CANARY)
    await desk(pool).put("ada", None, "QUIVER_API_KEY", "other")
    counts = await desk(pool, NEW, OLD).rotate("ada")
    assert counts["credentials"] == 2
    assert sorted(await offer(pool, Vault([NEW]))) == ["ALPACA_API_KEY", "QUIVER_API_KEY"]
    again = await desk(pool, NEW, OLD).rotate("ada")
    assert again["credentials"] == 0


async def test_a_rotation_that_breaks_off_leaves_every_value_whole_and_is_run_again(
    pool: asyncpg.Pool,
) -> None:
    await desk(pool).put("ada", None, "ALPACA_API_KEY", CANARY)
    await desk(pool, b"l" * 32).put("ada", None, "QUIVER_API_KEY", "under a lost key")
    with pytest.raises(ConfigurationError, match="Bring back that key"):
        await desk(pool, NEW, OLD).rotate("ada")
    assert await offer(pool, Vault([OLD])) == ("ALPACA_API_KEY",)
    counts = await desk(pool, NEW, OLD, b"l" * 32).rotate("ada")
    assert counts["credentials"] == 2


@pytest.mark.parametrize("value", ["", "  \n", "x" * 5_000, "a\x00b"])
async def test_a_value_that_is_none_is_refused(pool: asyncpg.Pool, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await desk(pool).put("ada", None, "ALPACA_API_KEY", value)
    assert refused.value.field == "value"


async def test_a_wrong_name_is_answered_with_the_nearest(pool: asyncpg.Pool) -> None:
    with pytest.raises(NotFound, match="Did you mean ALPACA_API_KEY"):
        await desk(pool).entry("ALPACA_KEY")


def test_a_rotation_walks_every_table_that_holds_a_sealed_value() -> None:
    """A key may be thrown away only when nothing is sealed under it any more."""
    found = {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("key_id") and not column.foreign_keys
    }
    sealed = {(table, key) for table, (key, _) in rows.SEALED.items()}
    assert found - NAMED_ONLY == sealed


async def test_second_factors_and_channels_are_sealed_anew_too(pool: asyncpg.Pool) -> None:
    key_id, token = Vault([OLD]).seal(b"totp", "totp:1")
    await pool.execute(
        "INSERT INTO users (email, name, role, password_hash, totp_key_id, totp_secret)"
        " VALUES ('a@b', '', 'admin', $3, $1, $2)",
        key_id,
        token,
        hash_password("seven blue herons"),
    )
    counts = await desk(pool, NEW, OLD).rotate("ada")
    assert (counts["users"], counts["notification_channels"]) == (1, 0)
    row = await pool.fetchrow("SELECT totp_key_id, totp_secret FROM users")
    assert Vault([NEW]).open(row["totp_key_id"], row["totp_secret"], "totp:1") == b"totp"
    assert await rows.key_ids(pool) == {Vault([NEW]).key_id: 1}
