"""What may happen to a Redis of one's own: it dies, it hangs, it goes on."""

import os
import signal

from app.db.embedded_redis import EmbeddedRedis


def kill(server: EmbeddedRedis) -> None:
    assert server.process
    server.process.kill()
    server.process.wait()


def pause(server: EmbeddedRedis) -> None:
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)


def resume(server: EmbeddedRedis) -> None:
    assert server.process
    os.kill(server.process.pid, signal.SIGCONT)
