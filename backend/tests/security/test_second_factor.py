"""Two-factor sign-in: set up, asked for, never fooled twice by one code; and fresh checks."""

import base64
from datetime import UTC, datetime, timedelta

import httpx
import pyotp
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.core import one_time_codes
from app.core.clock import now
from app.core.one_time_codes import STEP_SECONDS
from tests.api.world import PASSWORD, World, client_of

SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}
PROOF = {"password": PASSWORD}


def code(secret: str, shift: int = 0) -> str:
    """What the app shows `shift` steps from now."""
    return pyotp.TOTP(secret).generate_otp(int(now().timestamp()) // STEP_SECONDS + shift)


class Protected:
    """A browser of a person whose second factor is on."""

    def __init__(self, browser: httpx.AsyncClient, secret: str, codes: list[str]) -> None:
        self.browser = browser
        self.secret = secret
        self.codes = codes

    async def sign_in(self, given: str | None) -> httpx.Response:
        body = SIGN_IN if given is None else SIGN_IN | {"code": given}
        return await self.browser.post("/api/auth/sign-in", json=body)


@pytest.fixture
async def protected(browser: httpx.AsyncClient, parts: Parts) -> Protected:
    secret = (await browser.post("/api/auth/totp")).json()["secret"]
    made = await browser.post("/api/auth/totp/confirm", json={"code": code(secret)})
    assert made.status_code == 200, made.text
    await parts.pool.execute("UPDATE users SET totp_last_step = NULL")  # that was long ago
    return Protected(browser, secret, made.json()["recovery_codes"])


async def test_a_proposed_factor_counts_from_its_confirmation_on(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    proposal = (await browser.post("/api/auth/totp")).json()
    assert proposal["uri"].startswith("otpauth://totp/Tradewright:ada%40example.com?secret=")
    assert (await browser.get("/api/auth/me")).json()["has_second_factor"] is False
    assert (await browser.post("/api/auth/sign-in", json=SIGN_IN)).status_code == 200
    wrong = await browser.post("/api/auth/totp/confirm", json={"code": "000000"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "code")
    body = {"code": code(proposal["secret"])}
    made = await browser.post("/api/auth/totp/confirm", json=body)
    assert len(set(made.json()["recovery_codes"])) == 10
    me = (await browser.get("/api/auth/me")).json()
    assert (me["has_second_factor"], me["recovery_codes_left"]) == (True, 10)
    assert (await browser.post("/api/auth/totp")).status_code == 409
    assert (await browser.post("/api/auth/totp/confirm", json=body)).status_code == 409


async def test_the_secret_is_sealed_and_recovery_codes_are_hashed(
    protected: Protected, parts: Parts
) -> None:
    row = await parts.pool.fetchrow("SELECT totp_secret, recovery_hashes FROM users")
    assert protected.secret.encode() not in bytes(row["totp_secret"])
    assert len(row["recovery_hashes"]) == 10
    stored = str(row["recovery_hashes"])
    assert all(one not in stored for one in protected.codes)
    audit = str(await parts.pool.fetch("SELECT payload::text FROM audit_trail"))
    assert "second_factor_on" in audit
    assert protected.secret not in audit


async def test_the_password_alone_signs_nobody_in(protected: Protected) -> None:
    answer = await protected.sign_in(None)
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    assert "set-cookie" not in answer.headers
    wrong = await protected.sign_in("000000")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthenticated")
    assert (await protected.sign_in(code(protected.secret))).status_code == 200


async def test_a_code_works_once_and_none_before_it(protected: Protected) -> None:
    newest = code(protected.secret)
    assert (await protected.sign_in(newest)).status_code == 200
    assert (await protected.sign_in(newest)).status_code == 401
    assert (await protected.sign_in(code(protected.secret, -1))).status_code == 401


async def test_a_recovery_code_works_once_however_it_is_typed(
    protected: Protected, parts: Parts
) -> None:
    typed = f" {protected.codes[0].upper().replace('-', ' ')} "
    assert (await protected.sign_in(typed)).status_code == 200
    assert (await protected.sign_in(protected.codes[0])).status_code == 401
    assert (await protected.browser.get("/api/auth/me")).json()["recovery_codes_left"] == 9
    acts = await parts.pool.fetch("SELECT action FROM audit_trail")
    assert {"recovery_code_used", "second_factor_failed"} <= {row["action"] for row in acts}


async def test_wrong_codes_count_as_failures_and_a_missing_one_does_not(
    protected: Protected, parts: Parts
) -> None:
    limits = parts.gate.limits
    bucket = "ada@example.com at 127.0.0.1"
    for _ in range(9):
        await limits.admit("failed_sign_in", bucket)
    await protected.sign_in(None)
    assert (await protected.sign_in("000000")).status_code == 401
    assert (await protected.sign_in(code(protected.secret))).status_code == 429


async def test_a_code_that_another_key_sealed_belongs_to_nobody_else(
    protected: Protected, parts: Parts, world: World
) -> None:
    eve = await world.person("eve@example.com", "viewer")
    await parts.pool.execute(
        "UPDATE users e SET totp_secret = a.totp_secret, totp_key_id = a.totp_key_id,"
        " totp_confirmed_at = now() FROM users a WHERE e.id = $1 AND a.email = 'ada@example.com'",
        eve,
    )
    body = SIGN_IN | {"email": "eve@example.com", "code": code(protected.secret)}
    assert (await protected.browser.post("/api/auth/sign-in", json=body)).status_code == 500


async def test_it_is_turned_off_only_after_a_fresh_check(
    protected: Protected, parts: Parts
) -> None:
    await stale(parts)
    refused = await protected.browser.delete("/api/auth/totp")
    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
    proof = PROOF | {"code": code(protected.secret)}
    assert (await protected.browser.post("/api/auth/step-up", json=proof)).status_code == 200
    assert (await protected.browser.delete("/api/auth/totp")).status_code == 204
    assert (await protected.sign_in(None)).status_code == 200
    assert (await protected.browser.delete("/api/auth/totp")).status_code == 404


# ---------------------------------------------------------------------------------- fresh checks


async def stale(parts: Parts) -> None:
    """The last check of everybody is over five minutes old."""
    await parts.pool.execute("UPDATE sessions SET verified_at = now() - interval '6 minutes'")
    await parts.pool.execute("UPDATE refresh_tokens SET verified_at = now() - interval '6 minutes'")
    await parts.redis.flushdb()


GUARDED: list[tuple[str, str, object]] = [
    ("POST", "/api/users", {"email": "b@example.com", "password": "nine red kites over water"}),
    ("PATCH", "/api/users/1", {}),
    ("POST", "/api/api-keys", {"name": "n", "scopes": ["read"]}),
    ("PUT", "/api/credentials/QUIVER_API_KEY", {"value": "CANARYCANARY"}),
    ("DELETE", "/api/credentials/QUIVER_API_KEY", None),
    ("POST", "/api/notification-channels", {"name": "hook", "url": "json://127.0.0.1:1/x"}),
    ("PUT", "/api/notification-channels/1", {}),
    ("DELETE", "/api/notification-channels/1", None),
    ("POST", "/api/auth/totp", None),
    ("DELETE", "/api/auth/totp", None),
    ("POST", "/api/accounts/999/arm", {"account": "999"}),
]
LOOSENING: list[tuple[str, str, object]] = [
    ("POST", "/api/trading-engine/resume", {"reason": "all clear"}),
    ("POST", "/api/accounts/999/resume", {"reason": "all clear"}),
    ("POST", "/api/accounts/999/reconcile", {"adopt": True}),
]
"For people the same; a key without a cap may do it."


async def test_what_a_thief_must_not_do_needs_a_fresh_check(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    await stale(parts)
    for method, path, body in [*GUARDED, *LOOSENING]:
        answer = await browser.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required"), path
    proved = await browser.post("/api/auth/step-up", json=PROOF)
    assert proved.status_code == 200, proved.text
    for method, path, body in [*GUARDED, *LOOSENING]:
        answer = await browser.request(method, path, json=body)
        assert answer.status_code in (200, 201, 204, 404), answer.text


async def test_signing_in_is_a_fresh_check_for_five_minutes(browser: httpx.AsyncClient) -> None:
    me = (await browser.get("/api/auth/me")).json()
    left = datetime.fromisoformat(me["fresh_until"]) - now()
    assert timedelta(minutes=3) < left <= timedelta(minutes=5)


async def test_a_fresh_check_changes_the_cookie_and_the_old_one_opens_nothing(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    old = browser.cookies["tw"]
    assert (await browser.post("/api/auth/step-up", json=PROOF)).status_code == 200
    assert browser.cookies["tw"] != old
    browser.cookies.clear()
    cookie = {"cookie": f"tw={old}"}
    assert (await browser.get("/api/auth/me", headers=cookie)).json()["fresh_until"] is None
    body = {"name": "n", "scopes": ["read"]}
    assert (await browser.post("/api/api-keys", json=body, headers=cookie)).status_code == 403
    await parts.pool.execute("UPDATE sessions SET rotated_at = now() - interval '11 seconds'")
    await parts.redis.flushdb()
    assert (await browser.get("/api/auth/me", headers=cookie)).status_code == 401


async def test_a_wrong_password_is_no_fresh_check_and_is_noted(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    await stale(parts)
    answer = await browser.post("/api/auth/step-up", json={"password": "wrong"})
    assert (answer.status_code, answer.json()["field"]) == (422, "password")
    assert (await browser.post("/api/auth/totp")).status_code == 403
    acts = await parts.pool.fetch("SELECT action FROM audit_trail")
    assert "step_up_failed" in {row["action"] for row in acts}


async def test_a_second_factor_is_part_of_a_fresh_check(protected: Protected) -> None:
    answer = await protected.browser.post("/api/auth/step-up", json=PROOF)
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    proof = PROOF | {"code": code(protected.secret)}
    assert (await protected.browser.post("/api/auth/step-up", json=proof)).status_code == 200


async def test_a_token_is_proved_for_its_family(
    browser: httpx.AsyncClient, app: FastAPI, parts: Parts
) -> None:
    async with client_of(app) as program:
        grant = SIGN_IN | {"grant": "token"}
        tokens = (await program.post("/api/auth/sign-in", json=grant)).json()["tokens"]
        program.headers["authorization"] = f"Bearer {tokens['access_token']}"
        await stale(parts)
        assert (await program.post("/api/auth/totp")).status_code == 403
        assert (await program.post("/api/auth/step-up", json=PROOF)).status_code == 200
        assert (await program.post("/api/auth/totp")).status_code == 201
    await stale(parts)
    assert (await browser.post("/api/auth/totp")).status_code == 403


async def test_a_key_proves_nobody(admin: httpx.AsyncClient) -> None:
    for method, path, body in GUARDED:
        answer = await admin.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required"), path
    for method, path, body in LOOSENING:
        answer = await admin.request(method, path, json=body)
        assert answer.status_code in (200, 404), answer.text


async def test_a_key_cannot_step_up(admin: httpx.AsyncClient) -> None:
    assert (await admin.post("/api/auth/step-up", json=PROOF)).status_code == 403


# ------------------------------------------------------------------------------------- the codes


def test_the_steps_beside_now_count_and_no_others() -> None:
    secret, at = one_time_codes.new_secret(), now()
    step = int(at.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    found = [one_time_codes.step_of(secret, totp.generate_otp(step + n), at) for n in range(-3, 4)]
    assert found[2:5] == [step - 1, step, step + 1]
    assert {found[0], found[1], found[5], found[6]} <= {None, step - 1, step, step + 1}


def test_codes_are_as_the_standard_says() -> None:
    """RFC 6238, appendix B: SHA-1, the last six of eight digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    at = datetime.fromtimestamp(1111111109, UTC)
    assert one_time_codes.step_of(secret, "081 804", at) == 1111111109 // 30


@pytest.mark.parametrize("typed", ["", "abc", "12345", "1234567", "ÿÿÿÿÿÿ"])
def test_nonsense_is_no_code(typed: str) -> None:
    assert one_time_codes.step_of(one_time_codes.new_secret(), typed, now()) is None


def test_recovery_codes_are_long_and_told_from_digits() -> None:
    codes = one_time_codes.new_recovery_codes()
    assert len(set(codes)) == one_time_codes.RECOVERY_CODES
    assert all(one_time_codes.is_recovery(one) for one in codes)
    assert not one_time_codes.is_recovery("123456")
