"""Frames as another implementation reads them."""

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from app.events.frames import text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_client_reads_what_was_written(size: int) -> None:
    client = ClientProtocol(parse_uri("ws://127.0.0.1/ws"), state=OPEN)
    text = "ä" + "x" * size if size % 2 else "x" * size
    client.receive_data(text_frame(text) + text_frame("next"))
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert [bytes(frame.data).decode() for frame in frames] == [text, "next"]
    assert all(frame.fin for frame in frames)
