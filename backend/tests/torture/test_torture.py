"""Torture of the real thing: what dies is drawn, what is left is looked at, nothing is lost."""

import json
from random import Random

import asyncpg
import pytest

from app.cli import main
from app.core.failpoints import Point
from app.domain.commands import CommandKind
from app.domain.events import CommandReceived
from app.domain.ports import Entry
from app.repositories import commands, evidence
from app.repositories.journal import PostgresJournal, stream_of
from app.torture import runs
from app.torture.people import START, SYMBOLS, Person, open_account
from app.torture.plan import Victim, draw
from app.torture.torture import Summary

KILLS, SECONDS = 40, 45.0
"So many, or what a busy machine survives in this time."


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["torture", *arguments])
    return int(ended.value.code or 0)


def test_a_seed_decides_what_dies_and_every_point_has_its_turn() -> None:
    def drawn(seed: int) -> list[object]:
        chance = Random(seed)
        return [draw(chance) for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    kills = [draw(Random(n)) for n in range(2_000)]
    assert {kill.victim for kill in kills} == set(Victim)
    assert {kill.point for kill in kills} == {None, *Point}
    assert {draw(Random(n), Victim.REDIS).victim for n in range(50)} == {Victim.REDIS}


async def test_what_was_done_twice_or_not_at_all_is_found(pool: asyncpg.Pool) -> None:
    account_id = await open_account(pool)
    stream = stream_of(account_id)
    person = Person(pool, account_id, SYMBOLS, Random(0))
    await person.act()
    (asked,) = person.acknowledged
    assert await evidence.waiting(pool, account_id, [asked])
    assert await evidence.unanswered(pool, account_id, [asked, 999]) == [asked, 999]
    journal = await PostgresJournal(pool, stream, account_id, None, b"key").open()
    event = CommandReceived(
        command_id=asked, kind=CommandKind.ORDER_PLACE, payload={}, actor="ann", at=START
    )
    await journal.append([Entry(event)])
    assert await evidence.doubles(pool, stream) == []
    await journal.append([Entry(event)])
    await journal.close()
    assert await evidence.doubles(pool, stream) == [f"command {asked}"]
    await commands.give_up(pool, asked, {})
    assert await evidence.unanswered(pool, account_id, [asked]) == []
    assert not await evidence.is_reconciled(pool, stream, 0)
    assert await evidence.last(pool, stream) == 2


@pytest.mark.timeout(400)
def test_the_real_thing_survives_kills_of_everything() -> None:
    found = runs.run(KILLS, seed=4, seconds=SECONDS)
    assert found.found == []
    assert (found.duplicates, found.lost, found.violations) == (0, 0, 0)
    assert found.kills >= 2
    assert found.acknowledged > 0


@pytest.mark.timeout(400)
def test_postgresql_and_redis_are_killed_under_a_process_that_goes_on() -> None:
    for victim, kills in ((Victim.POSTGRES, 5), (Victim.REDIS, 2)):
        found = runs.run(kills, only=victim, seconds=60)
        assert found.found == []
        assert found.is_sound
        assert set(found.by_victim) == {victim}


def test_the_command_says_what_it_found_and_fails_on_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = Summary(kills=3, orders=9, by_victim={"app": 3}, recovery_p50=1.5, recovery_p99=2.5)
    monkeypatch.setattr(runs, "run", lambda kills, **given: sound)
    assert run("--kills", "3") == 0
    assert "3 kills (3 app): 9 orders" in capsys.readouterr().out
    broken = Summary(kills=3, lost=1, found=["command 7 has no outcome"])
    monkeypatch.setattr(runs, "run", lambda kills, **given: broken)
    assert run("--kills", "3") == 1
    assert "command 7 has no outcome" in capsys.readouterr().out
    assert run("--kills", "3", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert {"kills": 3, "orders": 0, "duplicates": 0, "lost": 1, "violations": 0}.items() <= (
        said.items()
    )


def test_what_cannot_be_killed_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--only", "postgre") == 2
    assert "Did you mean postgres?" in capsys.readouterr().err
