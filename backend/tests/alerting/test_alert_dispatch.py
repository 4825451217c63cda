"""Alerts reach the channels that want them, once a round, whatever fails on the way."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from app.alerting.channels import Channel, chosen
from app.core.vault import Vault
from app.domain.events import Severity
from app.domain.notifications import Message
from app.repositories import alert_deliveries
from tests.alerting.conftest import Desk


async def test_an_alert_reaches_every_channel_that_wants_it_and_no_other(desk: Desk) -> None:
    await desk.channel("all")
    await desk.channel("grave", min_severity="critical")
    await desk.channel("trading", categories=["trading"])
    await desk.channel("off", is_enabled=False)
    await desk.alert(severity=Severity.ERROR)
    await desk.work()
    assert [to for to, _ in desk.box.taken] == ["all"]
    assert desk.box.titles("all") == ["[error] disk"]


async def test_an_alert_that_happens_again_is_not_sent_again(desk: Desk) -> None:
    await desk.channel("mail")
    for _ in range(3):
        await desk.alert()
        await desk.work()
    assert len(desk.box.taken) == 1
    assert await desk.pool.fetchval("SELECT occurrences FROM alerts") == 3


async def test_what_fails_is_tried_again_with_growing_waits_until_it_arrives(desk: Desk) -> None:
    await desk.channel("mail")
    desk.box.away = {"mail"}
    await desk.alert()
    waits = []
    for _ in range(4):
        await desk.work()
        due = (await desk.deliveries())[0]["next_attempt_at"]
        waits.append((due - desk.clock.now()).total_seconds())
        desk.clock.move_to(due)
    assert [round(wait / 10 / 2**n) for n, wait in enumerate(waits)] == [1, 1, 1, 1]
    desk.box.away = set()
    await desk.work()
    row = (await desk.deliveries())[0]
    assert (row["status"], row["attempts"], row["error"]) == ("delivered", 5, None)
    assert len(desk.box.taken) == 1


async def test_a_channel_that_never_answers_is_given_up_and_the_others_are_told(
    desk: Desk,
) -> None:
    await desk.channel("mail")
    await desk.channel("phone")
    await desk.threshold("retries", 2)
    desk.box.away = {"mail"}
    await desk.alert()
    await desk.work()
    desk.wait(minutes=1)
    await desk.work()
    assert (await desk.deliveries())[0]["status"] == "dead"
    assert "[error] The notification channel mail does not work" in desk.box.titles("phone")
    assert desk.box.tries == 4
    desk.box.away = set()
    await desk.alert("other")
    await desk.work()
    assert "notification_failed:mail" not in await desk.open_keys()


async def test_nobody_is_told_twice_by_two_dispatchers(desk: Desk) -> None:
    await desk.channel("mail")
    for number in range(8):
        await desk.alert(f"disk {number}")
    other = desk.another(desk.box)
    await asyncio.gather(desk.work(), desk.work(other))
    assert sorted(desk.box.titles("mail")) == [f"[critical] disk {n}" for n in range(8)]


async def test_a_delivery_is_claimed_by_one_of_many_at_the_same_time(desk: Desk) -> None:
    alert, now = await desk.alert(), desk.clock.now()
    names = [f"channel {number}" for number in range(64)]
    await alert_deliveries.add(desk.pool, alert, names, "raised", 1, now)
    until = now + timedelta(minutes=1)
    claims = [alert_deliveries.claim(desk.pool, now, until, 4) for _ in range(24)]
    claimed = [row["id"] for rows in await asyncio.gather(*claims) for row in rows]
    assert len(set(claimed)) == len(claimed)


async def test_a_delivery_whose_sender_died_is_taken_up_again(desk: Desk) -> None:
    class Dying:
        async def send(self, url: str, message: Message) -> None:
            raise asyncio.CancelledError

    await desk.channel("mail")
    await desk.alert()
    with pytest.raises(asyncio.CancelledError):
        await desk.another(Dying()).round()
    await desk.work()
    assert desk.box.taken == []
    desk.wait(seconds=91)
    await desk.work()
    assert len(desk.box.taken) == 1


async def test_a_critical_alert_that_nobody_acknowledges_goes_to_the_next_level(
    desk: Desk,
) -> None:
    await desk.channel("mail")
    await desk.channel("phone", level=1)
    await desk.channel("partner", level=5)
    alert = await desk.alert()
    await desk.work()
    assert {to for to, _ in desk.box.taken} == {"mail"}
    desk.wait(minutes=11)
    await desk.work()
    assert [to for to, _ in desk.box.taken] == ["mail", "mail", "phone"]
    desk.wait(minutes=11)
    await desk.work()
    assert desk.box.titles("partner") == [
        "[critical] disk (not acknowledged, told for the third time)"
    ]
    await desk.pool.execute("UPDATE alerts SET acknowledged_at = now(), acknowledged_by = 'ada'")
    desk.wait(minutes=11)
    await desk.work()
    assert len(await desk.deliveries(alert)) == 6


async def test_escalation_ends_after_as_many_times_as_are_set(desk: Desk) -> None:
    await desk.channel("mail")
    await desk.threshold("escalations", 2)
    await desk.alert()
    for _ in range(5):
        await desk.work()
        desk.wait(minutes=11)
    assert len(desk.box.taken) == 3


async def test_what_is_not_critical_is_never_escalated(desk: Desk) -> None:
    await desk.channel("mail")
    await desk.alert(severity=Severity.ERROR)
    for _ in range(3):
        await desk.work()
        desk.wait(minutes=11)
    assert len(desk.box.taken) == 1


async def test_an_alert_that_grows_worse_is_told_again_and_needs_a_new_acknowledgement(
    desk: Desk,
) -> None:
    await desk.channel("mail")
    alert = await desk.alert(severity=Severity.WARNING)
    await desk.work()
    await desk.pool.execute("UPDATE alerts SET acknowledged_at = now(), acknowledged_by = 'ada'")
    await desk.alert(severity=Severity.CRITICAL, title="disk is full")
    await desk.work()
    assert [title[:10] for title in desk.box.titles("mail")] == ["[warning] ", "[critical]"]
    assert await desk.pool.fetchval("SELECT acknowledged_at FROM alerts") is None
    told = await desk.pool.fetchval(
        "SELECT count(*) FROM trading_events WHERE event_type = 'alert_raised'"
        " AND (payload ->> 'alert_id')::bigint = $1",
        alert,
    )
    assert told == 2


async def test_who_heard_of_an_alert_hears_of_its_end(desk: Desk) -> None:
    await desk.channel("mail")
    await desk.channel("terse", tells_resolved=False)
    alert = await desk.alert()
    await desk.work()
    await desk.resolve(alert, "ada@example.org")
    await desk.work()
    await desk.work()
    assert desk.box.titles("mail") == ["[critical] disk", "[resolved] disk"]
    assert desk.box.titles("terse") == ["[critical] disk"]
    assert "by ada@example.org" in desk.box.taken[-1][1].body


async def test_what_was_over_before_anybody_heard_is_not_told_unless_it_was_critical(
    desk: Desk,
) -> None:
    await desk.channel("mail")
    await desk.resolve(await desk.alert("small", Severity.ERROR))
    await desk.resolve(await desk.alert("grave", Severity.CRITICAL))
    await desk.work()
    assert desk.box.titles("mail") == ["[critical] grave"]
    assert "It was resolved at" in desk.box.taken[0][1].body


async def test_a_connection_that_is_back_soon_wakes_nobody(desk: Desk) -> None:
    await desk.channel("mail")
    blip = await desk.alert("feed_lost:a", Severity.WARNING, rule="feed_lost")
    await desk.alert("feed_lost:b", Severity.WARNING, rule="feed_lost")
    await desk.work()
    assert desk.box.taken == []
    desk.wait(seconds=20)
    await desk.resolve(blip)
    desk.wait(seconds=20)
    await desk.work()
    assert desk.box.titles("mail") == ["[warning] feed_lost:b"]


async def test_quiet_hours_keep_back_what_is_not_critical(desk: Desk) -> None:
    now = desk.clock.now()
    desk.wait(days=1)
    desk.clock.move_to(desk.clock.now().replace(hour=23, minute=0))
    await desk.channel("mail", quiet_from=time(22), quiet_to=time(7))
    await desk.alert("small", Severity.ERROR)
    over = await desk.alert("over", Severity.ERROR)
    await desk.alert("grave")
    await desk.work()
    assert desk.box.titles("mail") == ["[critical] grave"]
    await desk.resolve(over)
    await desk.work()
    desk.wait(hours=8)
    await desk.pool.execute("UPDATE alerts SET acknowledged_at = $1, acknowledged_by = 'a'", now)
    await desk.work()
    assert desk.box.titles("mail") == ["[critical] grave", "[error] small"]
    statuses = {row["alert_id"]: row["status"] for row in await desk.deliveries()}
    assert statuses[over] == "skipped"


async def test_a_channel_that_was_removed_or_switched_off_gets_nothing_more(desk: Desk) -> None:
    await desk.channel("gone")
    await desk.channel("off")
    desk.box.away = {"gone", "off"}
    await desk.alert()
    await desk.work()
    await desk.pool.execute("DELETE FROM notification_channels WHERE name = 'gone'")
    await desk.pool.execute("UPDATE notification_channels SET is_enabled = false")
    desk.wait(minutes=1)
    await desk.work()
    assert [row["status"] for row in await desk.deliveries()] == ["skipped", "skipped"]


async def test_an_address_that_does_not_open_is_told_at_once(desk: Desk) -> None:
    await desk.channel("mail")
    desk.dispatcher = desk.another(desk.box)
    desk.dispatcher._vault = Vault([b"w" * 32])
    await desk.alert()
    await desk.work()
    rows = await desk.deliveries()
    assert rows[0]["status"] == "dead"
    assert "sealed under the key" in rows[0]["error"]
    assert "notification_failed:mail" in await desk.open_keys()


async def test_the_digest_goes_to_those_who_want_it_whatever_else_they_hear(desk: Desk) -> None:
    await desk.channel("grave", min_severity="critical", categories=["security"])
    await desk.channel("busy", wants_digest=False, min_severity="info")
    alert = await desk.alert("digest:1", Severity.INFO, rule="digest", detail="All is well.")
    await desk.work()
    assert [(to, message.body) for to, message in desk.box.taken] == [("grave", "All is well.")]
    assert len(await desk.deliveries(alert)) == 1


async def test_the_loop_ends_when_it_is_asked_to(desk: Desk) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(desk.dispatcher.run(stopping))
    await asyncio.sleep(0)
    stopping.set()
    async with asyncio.timeout(60):
        await running


# ------------------------------------------------------------------------------- quiet hours


def channel(**more: Any) -> Channel:
    plain = {"id": 1, "name": "mail", "key_id": "k", "ciphertext": b"", "min_severity": "info"}
    return Channel(**{**plain, **more})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-07-01 19:59", None),
        ("2026-07-01 20:00", "2026-07-02 05:00"),
        ("2026-07-02 04:59", "2026-07-02 05:00"),
        ("2026-07-02 05:00", None),
        ("2026-01-01 20:59", None),
        ("2026-01-01 21:00", "2026-01-02 06:00"),
        ("2026-03-28 23:00", "2026-03-29 05:00"),
    ],
    ids=["before", "begins", "spans midnight", "ends", "winter", "winter begins", "clocks change"],
)
def test_quiet_hours_are_the_zones_own(now: str, until: str | None) -> None:
    mail = channel(quiet_from=time(22), quiet_to=time(7), time_zone="Europe/Berlin")
    assert mail.quiet_until(at(now), "error") == (at(until) if until else None)
    assert mail.quiet_until(at(now), "critical") is None


def test_a_level_without_a_channel_that_listens_is_waited_for_by_nobody() -> None:
    alert = {"context": {}, "rule": None, "severity": "critical", "category": "system"}
    mail, phone = channel(name="mail", level=2), channel(name="phone", level=7)
    deaf = channel(name="deaf", level=0, categories=("trading",))
    rounds = [[one.name for one in chosen([deaf, mail, phone], alert, n)] for n in range(3)]
    assert rounds == [["mail"], ["mail", "phone"], ["mail", "phone"]]
    assert chosen([deaf], alert, 0) == []
