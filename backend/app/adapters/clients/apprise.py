"""Sends one notification and ends: `python -m app.adapters.clients.apprise`, told on stdin.

Whatever the plugin does, this process connects to no address that must not be called: an audit
hook, which nothing can take away again, sees every address that a socket is connected or sent to,
after it was resolved and redirects included, so there is nothing to rebind.
"""

import re
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from app.core.errors import InvalidInput
from app.core.outgoing import check_address

LOCAL: Final = frozenset(
    ("syslog", "dbus", "gnome", "glib", "gio", "kde", "qt", "macosx", "windows", "blink1", "signl")
)
"Services that act on the machine itself: nobody would see it on a server."
FILES: Final = frozenset(
    ("template", "keyfile", "pgpkey", "pgpprv", "subfile", "cert", "key_file", "attach")
)
"Arguments that name a file of this machine, which would be read and sent away."
_KINDS: Final = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}
_SHORTEST: Final = 4
"Parts of an address that are shorter are no secrets worth hiding."
Answer = dict[str, Any]


def main() -> None:
    """Read a wish, write an answer."""
    wish = orjson.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(orjson.dumps(answer(wish)))


def answer(wish: Mapping[str, Any]) -> Answer:
    """What came of a wish; `error` is a sentence without a secret."""
    try:
        plugin = plugin_of(wish["url"], allow_private=wish["allow_private"])
    except InvalidInput as error:
        return {"error": error.message, "remedy": error.remedy}
    if wish["do"] == "describe":
        return {"service": str(plugin.service_name), "hint": hint_of(plugin)}
    refused = guard_sockets(allow_private=wish["allow_private"])
    said = send(plugin, wish)
    return {"error": refused[0]} if refused and "error" in said else said


def plugin_of(url: str, *, allow_private: bool) -> Any:  # noqa: ANN401 - apprise is not typed
    """The plugin that an address names. Raises InvalidInput, which never repeats the address."""
    scheme = url.partition("://")[0].lower()
    arguments = {key.lower(): value for key, value in parse_qsl(urlsplit(url).query)}
    if scheme in LOCAL:
        raise InvalidInput(
            f"{scheme}:// shows things on the server's own screen or log, where nobody looks.",
            field="url",
            remedy="Use e-mail, a webhook or a messenger.",
        )
    if named := sorted(FILES & arguments.keys()):
        raise InvalidInput(
            f"The address names a file of this machine ({', '.join(named)}).",
            field="url",
            remedy="Leave that argument out.",
        )
    if not allow_private and arguments.get("verify", "yes").lower() in ("no", "false", "0"):
        raise InvalidInput(
            "The address switches the check of certificates off.",
            field="url",
            remedy="Leave verify=no out, or set NOTIFICATIONS_ALLOW_PRIVATE=true.",
        )
    return _instantiate(url)


def _instantiate(url: str) -> Any:  # noqa: ANN401 - apprise is not typed
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - half a second, and only needed here

    # One message is one message: a second try is the dispatcher's, which writes it down.
    plugin = Apprise.instantiate(url, asset=AppriseAsset(secure_logging=True))
    if plugin is None:
        raise InvalidInput(
            "No service reads this address.",
            field="url",
            remedy="Write it as docs/alerts.md shows, e.g. mailtos://user:password@example.com.",
        )
    return plugin


def hint_of(plugin: Any) -> str:  # noqa: ANN401 - apprise is not typed
    """Scheme and host only: paths and arguments of webhooks are secrets as well."""
    masked = urlsplit(str(plugin.url(privacy=True)))
    return f"{masked.scheme}://{masked.netloc.rpartition('@')[2]}"


def guard_sockets(*, allow_private: bool) -> list[str]:
    """From here on no socket of this process reaches an address that must not be called.

    The list tells what was refused: apprise says only that something went wrong.
    """
    refused: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        why = None
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            why = _why_not(arguments[-1], allow_private=allow_private)
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            why = "A notification starts no program."
        if why is not None:
            refused.append(why)
            raise PermissionError(why)

    sys.addaudithook(hook)
    return refused


def _why_not(place: object, *, allow_private: bool) -> str | None:
    """Why a socket must not go there; None: it may, or it is connected already."""
    if place is None:
        return None
    if not isinstance(place, tuple):
        return "Local sockets are no way to people."
    try:
        check_address(str(place[0]), allow_private)
    except InvalidInput as error:
        return str(error)
    except ValueError:
        return "The service calls a name that nobody has resolved and checked."
    return None


def send(plugin: Any, wish: Mapping[str, Any]) -> Answer:  # noqa: ANN401 - apprise is not typed
    """Send, and say why when the service did not take it."""
    from apprise import Apprise, LogCapture  # noqa: PLC0415 - see above

    sender = Apprise()
    sender.add(plugin)
    with LogCapture(level=30, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]  # theirs
        is_sent = sender.notify(
            body=wish["body"], title=wish["title"], notify_type=_KINDS[wish["severity"]]
        )
        why = said.getvalue()
    if is_sent:
        return {"ok": True}
    return {"error": hidden(why, wish["url"], hint_of(plugin)) or "The service did not take it."}


def hidden(text: str, url: str, hint: str) -> str:
    """`text` on one line, without what the address holds beyond scheme and host."""
    text = " ".join(text.split())[:500]
    for form in (url, unquote(url)):
        for part in sorted(re.split(r"[^\w.-]+", form), key=len, reverse=True):
            if len(part) >= _SHORTEST and part not in hint:
                text = text.replace(part, "***")
    return text


if __name__ == "__main__":
    main()
