"""Settings of rate limits: those that people may widen or narrow without giving up protection."""

from typing import Annotated, Final

from limits import parse_many
from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from app.core.options import Options

_LEAST_A_SECOND: Final = 1
_MOST_A_SECOND: Final = 10_000


def _is_sensible(text: str) -> str:
    try:
        items = parse_many(text)
    except ValueError:
        raise ValueError("must be like 100/second, or 100/second; 3000/minute") from None
    for item in items:
        a_second = item.amount / item.get_expiry()
        if not _LEAST_A_SECOND <= a_second <= _MOST_A_SECOND:
            raise ValueError(
                f"must let through {_LEAST_A_SECOND} to {_MOST_A_SECOND} a second on average"
            )
    return text


Rate = Annotated[str, AfterValidator(_is_sensible)]


class RateOptions(Options):
    """Rate limits of reading and of orders.

    Signing in, wrong passwords, unknown keys, and the buckets of halts and of the emergency stop
    are fixed: they protect.
    """

    model_config = SettingsConfigDict(env_prefix="RATE_")

    public: Rate = Field(
        default="50/second; 1000/minute", description="What needs no sign-in, by address"
    )
    default: Rate = Field(
        default="100/second; 3000/minute", description="Everything that is not named, by user"
    )
    bars: Rate = Field(default="30/second; 600/minute", description="Bars and exports, by user")
    orders: Rate = Field(default="10/second", description="Orders by hand, by user")
