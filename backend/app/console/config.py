"""`tradewright config`: what the settings say, what is missing, and the file to fill in."""

import sys
from typing import Annotated

import typer
from pydantic.fields import FieldInfo

from app.console import limits
from app.console.output import Json, show, table
from app.core import env_example, system_config, tasks
from app.core.backup import BackupOptions
from app.core.config import Settings, get_settings
from app.core.errors import TradewrightError
from app.core.live import FEED_ORDER, LiveOptions
from app.core.options import Options, env_file, variable_of
from app.core.strategies import StrategyOptions
from app.core.system_config import OPERATIONS

app = typer.Typer(
    help="Settings and limits: check, show, example, get, set, history, rollback.",
    add_completion=False,
)
app.command()(limits.get)
app.command("set")(limits.change)
app.command()(limits.history)
app.command()(limits.rollback)


@app.command()
def check(as_json: Json = False) -> None:
    """Load every setting; say what is in use, what is switched on and what is missing."""
    settings = get_settings()
    vendors = {
        _name(cls): cls()
        for cls in env_example.option_classes()
        if _name(cls) and cls not in env_example.FIRST
    }
    result: dict[str, object] = {
        "ok": True,
        "environment": settings.environment.value,
        "env_file": str(env_file()) if env_file().is_file() else None,
        "home": str(settings.home),
        "log_level": settings.log_level.value,
        "log_dir": str(settings.log_dir),
        "database": "given" if settings.database.is_given else "embedded",
        "redis": "given" if settings.redis.is_given else "embedded",
        "market_data": _market_data(settings, vendors),
        "address": settings.api.url,
        "cors_origins": list(settings.api.cors_origins),
        "vendors": {name: _state(options) for name, options in vendors.items()},
        "advice": _advice(settings),
    }
    show(result, _lines(result, vendors), as_json=as_json)


@app.command()
def example() -> None:
    """Print .env.example: every variable with its default and where to get it."""
    print(env_example.document(), end="")


@app.command("show")
def show_all(
    every: Annotated[
        bool, typer.Option("--all", help="Also what has its default and was never said.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what settings are, and why: default, profile, environment, or stored while it ran."""
    stored = _stored()
    keys = {one.variable: one.key for one in OPERATIONS.values()}
    rows = [
        _row(cls, name, keys, stored)
        for cls in env_example.option_classes()
        for name in cls.model_fields
    ]
    rows = [row for row in rows if every or row["source"] != "default"]
    show(rows, table(rows, ("variable", "value", "source", "key")), as_json=as_json)


def _row(
    cls: type[Options], name: str, keys: dict[str, str], stored: dict[str, object]
) -> dict[str, object]:
    """One setting; of a secret only whether there is one."""
    variable = variable_of(cls, name)
    key = keys.get(variable, "")
    value, source = system_config.unchanged(cls, name)
    if _is_secret(cls.model_fields[name]):
        value = "(set)" if value else None
    if key in stored:
        value, source = stored[key], "stored"
    return {"variable": variable, "value": value, "source": source, "key": key or None}


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation) or not field.repr


def _stored() -> dict[str, object]:
    """What people changed while it ran, where a database answers; nothing is started for this."""
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.repositories import config

    async def work() -> dict[str, object]:
        async with opened_pool(database_url(), min_size=0, max_size=1) as pool:
            return {key: row["value"] for key, row in (await config.values(pool)).items()}

    import asyncpg

    try:
        return tasks.run(work())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TradewrightError) as error:
        print(f"What people changed while it ran is not shown: {error}", file=sys.stderr)
        return {}


def _market_data(settings: Settings, vendors: dict[str, Options]) -> str:
    """What a first start takes its prices from."""
    speed = settings.app.replay_speed
    pace = f"at {speed:g}x" if speed else "as fast as possible"
    if settings.app.replay:
        return f"replay of {settings.app.replay} {pace}"
    ready = [name for name in FEED_ORDER if name in vendors and not vendors[name].missing()]
    feeds = LiveOptions().feeds or ready
    return f"live: {', '.join(feeds)}" if feeds else f"simulator {pace}"


def _name(cls: type[Options]) -> str:
    """Name of a vendor; the platform's own groups have no prefix."""
    return str(cls.model_config["env_prefix"]).rstrip("_").lower()


def _state(options: Options) -> dict[str, object]:
    missing = options.missing()
    return {"ready": not missing, "missing": missing}


def _advice(settings: Settings) -> list[str]:
    """What a person should know about; none of it stops anything."""
    advice = []
    if settings.environment == "production" and not settings.database.is_given:
        advice.append(
            "Production runs on the embedded database: mind the backups, or set DATABASE_URL."
        )
    if settings.environment == "production" and BackupOptions().key is None:
        advice.append("Backups are not encrypted: set BACKUP_KEY.")
    if settings.environment == "production" and StrategyOptions().host == "in_process":
        advice.append("Strategies run inside the trading process: leave STRATEGY_HOST as it is.")
    if settings.api.host not in ("127.0.0.1", "localhost", "::1"):
        advice.append(f"API_HOST={settings.api.host} is open to other machines: put TLS before it.")
    return advice


def _lines(result: dict[str, object], vendors: dict[str, Options]) -> list[str]:
    lines = ["Config loaded successfully"]
    lines += [
        f"  {key:<13}{value}"
        for key, value in result.items()
        if key not in ("ok", "vendors", "advice") and value not in (None, [])
    ]
    for name, options in vendors.items():
        missing = options.missing()
        said = f"not switched on; needs {', '.join(missing)}" if missing else "ready"
        lines.append(f"  {name:<13}{said}")
    return lines + [str(line) for line in _advice(get_settings())]
