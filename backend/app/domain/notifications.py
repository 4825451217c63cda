"""What is sent to people, and the port of whatever sends it."""

from typing import Protocol

import msgspec

from app.domain.events import Severity


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One notification: plain text, without a secret."""

    title: str
    body: str
    severity: Severity


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What people may see of a channel's address."""

    service: str
    "What it is, e.g. `E-Mail`."
    hint: str
    "Where to, every secret left out."


class NotDelivered(Exception):
    """The message did not arrive, or nobody can say. The text holds no secret."""


class Notifier(Protocol):
    """Sends to one address."""

    async def describe(self, url: str) -> Address:
        """Raises InvalidInput (`field` url) for an address that cannot be used."""
        ...

    async def send(self, url: str, message: Message) -> None:
        """Return once the other side has taken it. Raises NotDelivered."""
        ...
