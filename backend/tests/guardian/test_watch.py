"""When an account counts as not well, and when it does not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.core.errors import ConfigurationError
from app.core.guardian import GuardianOptions
from app.domain.deployments import AccountMode, TradingState
from app.domain.pulse import Pulse
from app.guardian.watch import Watch

START = datetime(2024, 3, 1, 15, tzinfo=UTC)
HELD = {"d1": {"AAPL": Decimal(10)}}
OPTIONS = GuardianOptions(
    heartbeat_seconds=30, hang_seconds=60, data_seconds=100, max_loss=0.1, confirm_seconds=2
)


def beat(second: float = 0, **given: Any) -> Pulse:
    """A pulse of an account that is at work and holds something."""
    fields: dict[str, Any] = {
        "account_id": 1,
        "account": "Mine",
        "broker": "venue",
        "mode": AccountMode.LIVE,
        "at": START + timedelta(seconds=second),
        "is_ready": True,
        "held": HELD,
        "is_live": True,
        "equity": Decimal(100),
        "day_start": Decimal(100),
    }
    return Pulse(**{**fields, **given})


def watched(*looks: tuple[Pulse | None, float], options: GuardianOptions = OPTIONS) -> str | None:
    """The first reason that is found in these looks, each so many seconds after the one before."""
    watch = Watch(options)
    reasons = [watch.look(pulse, elapsed) for pulse, elapsed in looks]
    return next((reason for reason in reasons if reason), None)


def same(pulse: Pulse, seconds: float, step: float = 1.0) -> list[tuple[Pulse | None, float]]:
    return [(pulse, step)] * (round(seconds / step) + 1)


def test_an_engine_that_beats_is_left_alone() -> None:
    assert watched(*((beat(second), 1.0) for second in range(200))) is None


def test_silence_with_something_at_risk_is_a_reason() -> None:
    assert "silent for 31 s" in (watched(*same(beat(), 31)) or "")
    orders = beat(held={}, open_orders=1)
    assert watched(*same(orders, 31)) is not None


def test_silence_is_no_reason_before_its_time_is_over() -> None:
    assert watched(*same(beat(), 30)) is None


def test_nothing_at_risk_is_nothing_to_do() -> None:
    assert watched(*same(beat(held={}), 500)) is None
    assert watched(*same(beat(held={"d1": {}}), 500)) is None


def test_an_engine_that_was_stopped_may_be_silent() -> None:
    assert watched(*same(beat(is_stopped=True, is_ready=False), 500)) is None


def test_a_machine_that_slept_is_no_alarm() -> None:
    """An hour between two looks counts as two seconds: nobody was awake to beat."""
    pulse = beat()
    assert watched((pulse, 1.0), (pulse, 3600.0), (pulse, 1.0), (beat(3602), 1.0)) is None


def test_a_clock_that_steps_is_no_alarm() -> None:
    assert watched(*((beat(-3600 * n), 1.0) for n in range(100))) is None


def test_an_unreadable_pulse_is_as_good_as_none() -> None:
    assert watched((beat(), 1.0), *[(None, 1.0)] * 31) is not None
    assert watched(*[(None, 1.0)] * 100) is None


def test_an_engine_that_never_gets_ready_is_a_reason() -> None:
    """It beats, for each of its starts does, and fails before it is at work."""
    looks = [(beat(n, is_ready=False), 1.0) for n in range(70)]
    assert watched(*looks[:60]) is None
    assert "not been at work" in (watched(*looks) or "")


def test_a_step_without_end_is_a_reason() -> None:
    looks = [(beat(n, step_seconds=float(n)), 1.0) for n in range(120)]
    assert watched(*looks[:80]) is None
    assert "not been at work" in (watched(*looks) or "")


def dark(seconds: int, **given: Any) -> str | None:
    fields = {"is_open": True, "data_at": START, **given}
    return watched(*((beat(n, **fields), 1.0) for n in range(seconds)))


def test_a_market_without_bars_is_a_reason_while_it_is_open() -> None:
    assert dark(160) is None
    assert "no bar has come" in (dark(165) or "")
    assert dark(500, is_open=False) is None
    assert dark(500, bar_seconds=86_400.0) is None


def test_simulated_markets_have_no_age() -> None:
    assert dark(500, is_live=False) is None


def test_data_may_be_left_unwatched() -> None:
    options = msgspec_free(data_seconds=0)
    looks = [(beat(n, is_open=True, data_at=START), 1.0) for n in range(500)]
    assert watched(*looks, options=options) is None


def msgspec_free(**given: Any) -> GuardianOptions:
    return GuardianOptions(**{**OPTIONS.model_dump(), **given})


def test_a_loss_of_the_session_is_a_reason() -> None:
    assert watched((beat(equity=Decimal("90.1")), 1.0)) is None
    assert "lost 10.0%" in (watched((beat(equity=Decimal(90)), 1.0)) or "")
    assert watched((beat(equity=Decimal(1)), 1.0), options=msgspec_free(max_loss=0)) is None
    assert watched((beat(equity=None), 1.0), (beat(1, day_start=Decimal(0)), 1.0)) is None


def test_an_account_is_halted_once_until_a_person_resumes() -> None:
    watch = Watch(OPTIONS)
    looks = same(beat(), 300)
    assert sum(watch.look(*look) is not None for look in looks) == 1
    halted = beat(400, trading_state=TradingState.HALTED)
    assert watch.look(halted, 1.0) is None
    assert watch.tripped is not None
    for second in range(5):
        watch.look(beat(401 + second), 1.0)
        assert watch.tripped is not None, "it may only just have woken up"
    watch.look(beat(406), 1.0)
    assert watch.tripped is None
    assert sum(watch.look(*look) is not None for look in same(beat(407), 300)) == 1


def resumed(loss: int) -> Watch:
    """It tripped at a loss, and a person resumed."""
    watch = Watch(OPTIONS)
    lost = Decimal(100 - loss)
    assert watch.look(beat(equity=lost), 1.0) is not None
    for second in range(1, 8):
        assert watch.look(beat(second, equity=lost), 1.0) is None
    assert watch.tripped is None
    return watch


def test_resuming_with_a_loss_accepts_it_for_the_session() -> None:
    watch = resumed(12)
    assert watch.look(beat(20, equity=Decimal(80)), 1.0) is None
    assert watch.look(beat(21, equity=Decimal(78)), 1.0) is not None
    tomorrow = beat(20, equity=Decimal(79), day_start=Decimal(88))
    assert resumed(12).look(tomorrow, 1.0) is not None


def test_what_another_saw_is_not_found_again() -> None:
    watch = Watch(OPTIONS)
    watch.look(beat(), 1.0)
    watch.trip("somebody said so")
    assert all(watch.look(*look) is None for look in same(beat(), 100))


def test_a_pulse_survives_its_file() -> None:
    pulse = beat(data_at=START, open_orders=2)
    assert msgspec.json.decode(msgspec.json.encode(pulse), type=Pulse) == pulse


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="hang_seconds must not be less"):
        GuardianOptions(heartbeat_seconds=60, hang_seconds=30)
    with pytest.raises(ConfigurationError, match="GUARDIAN_MAX_LOSS"):
        GuardianOptions(max_loss=5)
