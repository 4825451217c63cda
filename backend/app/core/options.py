"""Base of every settings class: where values come from, and errors that name the variable."""

from pathlib import Path
from typing import Any, Final, cast

from pydantic import AliasChoices, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from app.core.changed import changed
from app.core.credentials import offered
from app.core.environment import project_root, variable
from app.core.errors import ConfigurationError
from app.core.redaction import remember

TIME_OF_DAY: Final = r"^([01]\d|2[0-3]):[0-5]\d$"
"Hours and minutes, as 01:30."


class Options(BaseSettings):
    """Values from arguments, what people changed while it runs, the environment, `.env`, the
    secrets folder, then stored credentials.

    An empty variable counts as unset. A value that cannot be used raises ConfigurationError, which
    names the variable and never shows what it held.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError(explain(type(self), error)) from None
        for name in type(self).model_fields:
            if isinstance(secret := getattr(self, name), SecretStr):
                remember(secret.get_secret_value())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look for the files when asked, not when the class is made: they move in tests."""
        sources = [init_settings, _Changed(settings_cls), env_settings]
        sources.append(DotEnvSettingsSource(settings_cls, env_file()))
        if secrets_dir().is_dir():
            sources.append(_Secrets(settings_cls, secrets_dir()))
        return (*sources, _Stored(settings_cls))

    def require(self, *names: str) -> "Options":
        """These options, once each of `names` has a value.

        Raises ConfigurationError with the first missing variable and where to get it.
        """
        for name in names:
            if not _plain(getattr(self, name)):
                raise ConfigurationError(
                    f"{variable_of(type(self), name)} is not set, and what is switched on needs it"
                    f" ({type(self).model_fields[name].description}).",
                    remedy=remedy_of(type(self), name),
                    variable=variable_of(type(self), name),
                )
        return self

    def missing(self) -> list[str]:
        """Variables without a value, of the fields that say where to get one."""
        cls = type(self)
        return [
            variable_of(cls, name)
            for name, field in cls.model_fields.items()
            if where_of(field) and not _plain(getattr(self, name))
        ]


class _Secrets(SecretsSettingsSource):
    """One file a variable (Docker secrets); an empty file counts as unset."""

    def __call__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__call__().items() if value != ""}


class _Changed(PydanticBaseSettingsSource):
    """What `core.system_config` lets people change, as it is stored."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """pydantic-settings' way to ask; none of ours is complex."""
        cls = cast(type[Options], self.settings_cls)
        return changed(variable_of(cls, field_name)), key_of(cls, field_name), False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = [self.get_field_value(field, name) for name, field in fields.items()]
        return {key: value for value, key, _ in found if value is not None}


class _Stored(PydanticBaseSettingsSource):
    """Credentials that were kept in the database and offered to this process; the last resort."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """pydantic-settings' way to ask; none of ours is complex."""
        return (
            offered(f"{self.config.get('env_prefix', '')}{field_name}".upper()),
            field_name,
            False,
        )

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def given(variable_name: str) -> bool:
    """Whether environment, `.env` or the secrets folder say a variable; that goes first."""
    file = secrets_dir() / variable_name
    written = DotEnvSettingsSource(Options, env_file()).env_vars
    return bool(
        variable(variable_name)
        or written.get(variable_name.lower())
        or (file.is_file() and file.read_text().strip())
    )


def env_file() -> Path:
    """TRADEWRIGHT_ENV_FILE, else `.env` in the working directory, else the project root's."""
    here = Path.cwd() / ".env"
    return Path(variable("TRADEWRIGHT_ENV_FILE") or (here if here.is_file() else _root_env()))


def _root_env() -> Path:
    return project_root() / ".env"


def secrets_dir() -> Path:
    """TRADEWRIGHT_SECRETS_DIR, default `/run/secrets` (where Docker puts them)."""
    return Path(variable("TRADEWRIGHT_SECRETS_DIR", "/run/secrets"))


def variable_of(cls: type[Options], name: str) -> str:
    """The environment variable of a field, in capitals: its first alias, or prefix and name."""
    alias = cls.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return alias if isinstance(alias, str) else f"{cls.model_config['env_prefix']}{name}".upper()


def key_of(cls: type[Options], name: str) -> str:
    """What a field's value is called among the arguments of its class."""
    return name if cls.model_fields[name].validation_alias is None else variable_of(cls, name)


def where_of(field: FieldInfo) -> str | None:
    """Where a person gets the value, if the field says so."""
    extra = field.json_schema_extra
    return str(extra["where"]) if isinstance(extra, dict) and "where" in extra else None


def remedy_of(cls: type[Options], name: str) -> str:
    """What to do about a missing field."""
    where = where_of(cls.model_fields[name])
    source = f" Get it at {where}." if where else ""
    return f"Set {variable_of(cls, name)} in .env or the environment.{source}"


def explain(cls: type[Options], error: ValidationError) -> str:
    """One sentence a wrong value, naming the variable and hiding the value."""
    return " ".join(
        f"{_culprit(cls, problem['loc'])}: {_sentence(problem['msg'])}"
        for problem in error.errors(include_input=False, include_url=False)
    )


def _culprit(cls: type[Options], place: tuple[int | str, ...]) -> str:
    name = str(place[0]) if place else cls.__name__
    return variable_of(cls, name) if name in cls.model_fields else name.upper()


def _sentence(text: str | None) -> str:
    text = (text or "no description").removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
