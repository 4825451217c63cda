"""What a soak makes of its looks."""

import os

from tests.soak.soak import Sample, anonymous, line, settled, summary


def look(seconds: float, megabytes: float) -> Sample:
    return Sample(
        seconds, megabytes, 50.0, {"core": megabytes}, 100, 12, int(seconds * 1000), 9, 4.0
    )


def test_a_leak_is_a_slope() -> None:
    found = line([0, 1800, 3600], [100, 105, 110])
    assert (found.first, found.last, found.an_hour) == (100, 110, 10)
    assert line([0, 60, 120], [5, 5, 5]).an_hour == 0


def test_what_warms_up_is_left_out() -> None:
    looks = [look(at, 300 if at < 1000 else 400) for at in range(0, 4000, 10)]
    assert summary(looks)["parts"]["core"]["an_hour"] == 0
    assert summary(looks)["megabytes"] == {"first": 400, "last": 400, "an_hour": 0}
    assert settled(looks)[0].seconds == 1000
    assert summary(looks)["updates_a_second"] == 1000


def test_memory_that_was_made_is_counted() -> None:
    before = anonymous(os.getpid())
    made = bytearray(os.urandom(64 * 1024)) * 1024
    assert anonymous(os.getpid()) - before > 50
    assert len(made) == 64 << 20
