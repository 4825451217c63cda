"""The process's environment and the project's root: the one module that reads them raw."""

import os
from collections.abc import MutableMapping
from pathlib import Path


def variables() -> MutableMapping[str, str]:
    """The live environment. Prefer `core.config.settings`; this is for starting processes."""
    return os.environ


def variable(name: str, default: str = "") -> str:
    """One variable, stripped; an empty one counts as unset."""
    return variables().get(name, "").strip() or default


def project_root() -> Path:
    """The checkout this package runs from (it holds alembic.ini), else the working directory."""
    checkout = Path(__file__).resolve().parents[3]
    return checkout if (checkout / "alembic.ini").is_file() else Path.cwd()


def home() -> Path:
    """TRADEWRIGHT_HOME, absolute; default `.tradewright` in the project's root."""
    given = variable("TRADEWRIGHT_HOME")
    return Path(given).expanduser().absolute() if given else project_root() / ".tradewright"


def strategy_folders() -> tuple[Path, ...]:
    """Where users keep strategy files; a folder need not exist."""
    folders = (Path.cwd() / "strategies", project_root() / "strategies", home() / "strategies")
    return tuple(dict.fromkeys(folders))
