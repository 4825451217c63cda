"""The page docs/configuration.md, made from the settings."""

from typing import Final

from app.core import env_example, system_config
from app.core.options import Options, variable_of
from app.core.system_config import OPERATIONS

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

**Development and production.** A profile decides what nobody says: `ENVIRONMENT=development` logs
at DEBUG and readably on the console, and shows `/docs` and `/openapi.json` to anybody;
`production` logs at INFO and as JSON, shows those to who is signed in, and `config check` says
what a production system lacks (a backup key, a database of its own, strategies apart). What
protects is the same in both: beyond loopback TLS or a trusted proxy is required, and under TLS
cookies are Secure and bound to the host. Log files are JSON in both, one a component, rotated
daily and kept `LOG_RETENTION_DAYS`. Secrets never reach them.

`tradewright config show` lists what is not a default, and says of each value where it comes from:
`profile`, `environment` (also `.env` and the secrets folder) or `stored`; `--all` shows everything.
Of secrets only that they are there.

## Changed while it runs

People change some settings without a restart: on the trading-engine page, with
`tradewright config set KEY VALUE`, or `PUT /api/config/KEY`. They are stored in the database
(`system_config`) with who, when and why; a bad value is refused with the reason; `config history`
shows the past and `config rollback` takes a change back; `config set KEY null` takes away what is
stored. **A stored value goes before the environment.** API, worker and trading process take it
within a second; the guardian reads its log level at its start. The [limits](limits.md) of the risk
engine and the thresholds of [alerts](alerts.md) (`alerts.…`) are changed in the same way.

"""


def page() -> str:
    """The whole page: what people change while it runs, then one section a group of settings."""
    sections = (section(cls) for cls in env_example.option_classes())
    return INTRODUCTION + changeable() + "".join(sections)


def changeable() -> str:
    """What people change while it runs, with the bounds."""
    rows = "".join(
        f"| `{one.key}` | `{one.variable}` | {system_config.allowed(one)} |\n"
        for one in OPERATIONS.values()
    )
    return f"| key | of | takes |\n|---|---|---|\n{rows}"


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
