"""A real server over TLS: health, the cookie, the WebSocket, and the commands that ask."""

from pathlib import Path

import anyio
import httpx
import orjson
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.console import up
from app.console.status import health
from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.core.tls import trusting
from app.db.loopback import ask_health
from app.monitoring.availability import Watch
from tests.api.live import serving
from tests.api.world import PASSWORD, World
from tests.certificates import certificate


async def test_health_the_cookie_and_the_websocket_work_over_tls(
    app: FastAPI, parts: Parts, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")
    await World(parts.pool).person("ada@example.com")
    trusted = trusting(ours[0])
    async with serving(app, tls=ours) as live:
        async with httpx.AsyncClient(base_url=live.http, verify=trusted) as browser:
            browser.headers.update({"origin": live.http, "sec-fetch-site": "same-origin"})
            assert (await browser.get("/health")).json()["status"]
            body = {"email": "ada@example.com", "password": PASSWORD}
            signed = await browser.post("/api/auth/sign-in", json=body)
            assert signed.status_code == 200, signed.text
            cookie = signed.headers["set-cookie"]
            assert cookie.startswith("__Host-tw=")
            assert "Secure" in cookie
            assert "max-age=" in signed.headers["strict-transport-security"]
            headers = {"cookie": cookie.partition(";")[0]}
            async with live.connect(
                ssl=trusted, origin=live.http, additional_headers=headers
            ) as ws:
                assert orjson.loads(await ws.recv())["op"] == "authenticated"

        environment.setenv("API_PORT", str(live.port))
        environment.setenv("API_TLS_CERTIFICATE", str(ours[0]))
        get_settings.cache_clear()
        assert (await anyio.to_thread.run_sync(health))["score"] > 0
        watch = Watch(get_settings())
        assert (await watch.look()).score is not None
        await watch.close()
        for wrong in (other[0], None):
            found = await anyio.to_thread.run_sync(ask_health, "127.0.0.1", live.port, wrong)
            assert found is None


def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, other = certificate(tmp_path, "ours"), certificate(tmp_path, "other")

    def check(public: Path, private: Path) -> None:
        monkeypatch.setenv("API_TLS_CERTIFICATE", str(public))
        monkeypatch.setenv("API_TLS_KEY", str(private))
        get_settings.cache_clear()
        up.check_certificate(get_settings())

    check(*ours)
    for public, private in ((ours[0], other[1]), (tmp_path / "none.pem", ours[1])):
        with pytest.raises(ConfigurationError, match="cannot be used to serve TLS"):
            check(public, private)
