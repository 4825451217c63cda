"""The page docs/configuration.md, made from the settings."""

from typing import Final

from app.core import env_example
from app.core.options import Options, variable_of

INTRODUCTION: Final = """\
# Configuration

This page is made from the settings by `tradewright reference configuration`; a test keeps it
true.

Nothing has to be set to trade on paper with simulated or replayed bars. Everything else is an
environment variable; `.env.example` lists them all with their defaults:

```sh
cp .env.example .env      # fill in what you use; .env is ignored by git
tradewright config check  # says what is in use and what a vendor still needs
```

**Where a value comes from**, the first that has it: a command's option (`up --port`), the
environment, the file `.env` (in the working directory, else in the project's root;
`TRADEWRIGHT_ENV_FILE` names another), a file of the variable's name in `TRADEWRIGHT_SECRETS_DIR`
(Docker secrets), the default. An empty variable counts as unset. A wrong value stops the start
with a sentence that names the variable and never shows what it held.

**Keys are asked for when they are needed**: a missing key is an error only once the vendor that
needs it is switched on, and the message says where to get one.

**Development and production.** `ENVIRONMENT=development` logs at DEBUG and readably on the
console; `production` logs at INFO and as JSON. Log files are JSON in both, one a component,
rotated daily and kept `LOG_RETENTION_DAYS`. Secrets never reach them.

**What is not here**: the [limits](limits.md) of the risk engine. People change them while it
runs, so they live in the database, with their history.
"""


def page() -> str:
    """The whole page: one section a group of settings."""
    return INTRODUCTION + "".join(section(cls) for cls in env_example.option_classes())


def section(cls: type[Options]) -> str:
    """A heading from the docstring, and one row a variable."""
    title = (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")
    rows = "".join(row(cls, name) for name in cls.model_fields)
    return f"\n## {title}\n\n| variable | default | meaning |\n|---|---|---|\n{rows}"


def row(cls: type[Options], name: str) -> str:
    """One variable; its aliases are named in its meaning."""
    field = cls.model_fields[name]
    default = env_example.default_of(field)
    meaning = env_example.explanation(field).replace("|", "\\|")
    return f"| `{variable_of(cls, name)}` | {f'`{default}`' if default else ''} | {meaning} |\n"
