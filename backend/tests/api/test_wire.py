"""What the server offers beyond ASGI, and that it is safe after the client has gone."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

from app.api.wire import ClientDisconnected, finisher, frame_writer
from app.events.outbox import Message
from tests.api.live import serving


@pytest.mark.parametrize("scope", [{}, {"extensions": None}, {"extensions": {"other": {}}}])
def test_another_server_offers_nothing(scope: dict[str, Any]) -> None:
    assert frame_writer(scope) is None
    assert finisher(scope) is None


async def test_who_has_gone_is_not_written_to() -> None:
    app, outcome = FastAPI(), asyncio.get_running_loop().create_future()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        write, finish = frame_writer(websocket.scope), finisher(websocket.scope)
        assert write
        assert finish
        await write([Message("one"), Message("two")])
        try:
            await websocket.receive_text()
        except WebSocketDisconnect:
            finish(Message("too late"), 4409, "")
            with pytest.raises(ClientDisconnected):
                await write([Message("three")])
            outcome.set_result(True)

    async with serving(app) as live:
        async with live.connect() as client:
            assert [await client.recv(), await client.recv()] == ["one", "two"]
        assert await asyncio.wait_for(outcome, 60)
