"""Settings of monitoring: who is asked, how often, and where traces go."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.config import split_list
from app.core.options import Options


class MonitoringOptions(Options):
    """Health on a port of its own, the clock, vendors' reachability, measurements over time."""

    model_config = SettingsConfigDict(env_prefix="MONITORING_")

    health_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        validation_alias="HEALTH_PORT",
        description="Port, e.g. 8080, on which /ping, /health, /health/live, /health/ready, /system"
        " and /metrics are served too, and nothing else; unset: only on API_PORT",
    )
    health_host: str = Field(
        default="127.0.0.1",
        validation_alias="HEALTH_HOST",
        description="Address of that port; anything but loopback shows others the health score,"
        " never its details",
    )
    api_url: str | None = Field(
        default=None,
        description="Where the worker asks whether the API is available; unset: API_HOST and"
        " API_PORT of its own settings",
    )
    time_server: str | None = Field(
        default=None,
        description="Host or host:port of an NTP server that the clock is held against; unset: the"
        " database's clock and the vendors' answers",
    )
    vendor_seconds: float = Field(
        default=60.0,
        ge=5,
        le=3_600,
        description="How often each vendor that is switched on is asked whether it can be reached",
    )
    measure_seconds: float = Field(
        default=60.0, ge=1, le=3_600, description="How often all figures are stored in metrics"
    )


class TracingOptions(Options):
    """OpenTelemetry: one trace from a bar to its executions, sent by OTLP over HTTP."""

    model_config = SettingsConfigDict(env_prefix="OTEL_")

    endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Address of the collector, e.g. http://127.0.0.1:4318; unset: no traces."
        " Needs the extra otel",
    )
    headers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="Comma-separated name=value pairs that are sent with traces",
        repr=False,
    )
    service_name: str = Field(
        default="tradewright",
        validation_alias="OTEL_SERVICE_NAME",
        description="Name under which traces appear",
    )

    @field_validator("headers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split_list(value)

    @field_validator("endpoint", mode="after")
    @classmethod
    def _is_http(cls, endpoint: str | None) -> str | None:
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https:// (OTLP over HTTP)")
        return endpoint
