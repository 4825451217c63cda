"""What endpoints ask for: who is calling, the parts, and a declared scope and limit a route."""

from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Request

from app.api.parts import Parts
from app.api.tables import Table
from app.core.errors import Forbidden
from app.core.logging import current_correlation_id
from app.domain.users import Caller, Scope
from app.jobs.desk import JobDesk
from app.monitoring.health import HealthChecker
from app.monitoring.metrics import Metrics as MetricsPart
from app.services.accounts import Accounts as AccountsPart
from app.services.alert_rules import AlertRules as AlertRulesPart
from app.services.alerts import Alerts as AlertsPart
from app.services.audit import Chains as ChainsPart
from app.services.auth import Auth as AuthPart
from app.services.auth import Visit
from app.services.config import Config as ConfigPart
from app.services.credentials import Credentials as CredentialsPart
from app.services.dead_letters import DeadLetters as DeadLettersPart
from app.services.deployments import Deployments as DeploymentsPart
from app.services.explanations import Explanations as ExplanationsPart
from app.services.interlock import Interlock as InterlockPart
from app.services.keys import Keys as KeysPart
from app.services.market import Market as MarketPart
from app.services.notifications import Notifications as NotificationsPart
from app.services.orders import OrderDesk
from app.services.performance import Performance as PerformancePart
from app.services.reconciliations import Reconciliations as ReconciliationsPart
from app.services.second_factor import SecondFactor as SecondFactorPart
from app.services.tickets import Tickets as TicketsPart
from app.services.timeline import Timeline as TimelinePart
from app.services.trading import Trading as TradingPart
from app.services.users import Users as UsersPart
from app.services.what_if import WhatIfs as WhatIfsPart
from app.strategies.catalog import Catalogue


class Guard:
    """A route's declaration: the scope it needs (None: public) and its class of rate limit.

    `fresh`: only within five minutes after the person proved who they are.
    """

    def __init__(self, scope: Scope | None, limit: str, *, fresh: bool = False) -> None:
        self.scope = scope
        self.limit = limit
        self.fresh = fresh

    async def __call__(self, request: Request) -> None:
        """Admit the request or raise; from here on `request.state.caller` is set."""
        await parts_of(request).gate.admit(request, self)


def guard(scope: Scope | None, limit: str = "default", *, fresh: bool = False) -> Any:  # noqa: ANN401 - as Depends returns
    """A dependency that declares a route."""
    return Depends(Guard(scope, limit, fresh=fresh))


PUBLIC = guard(None, "public")
READ = guard(Scope.READ)
TRADE = guard(Scope.TRADE)
ADMIN = guard(Scope.ADMIN)
FRESH_READ = guard(Scope.READ, fresh=True)
FRESH_ADMIN = guard(Scope.ADMIN, fresh=True)


def parts_of(request: Request) -> Parts:
    """The parts that `main` made at start."""
    parts: Parts = request.app.state.parts
    return parts


def part(name: str) -> Any:  # noqa: ANN401 - as Depends returns
    """A dependency on one part."""

    def find(request: Request) -> Any:  # noqa: ANN401 - typed where it is asked for
        return getattr(parts_of(request), name)

    return Depends(find)


def caller_of(request: Request) -> Caller:
    """Who the guard admitted."""
    caller: Caller = request.state.caller
    return caller


def visit_of(request: Request) -> Visit:
    """Where the request comes from."""
    address: str | None = getattr(request.state, "address", None)
    known = address if address and address != "unknown" else None
    return Visit(known, request.headers.get("user-agent", ""), current_correlation_id())


def refuse_lesser_key(caller: Annotated[Caller, Depends(caller_of)]) -> None:
    """Refuse a program that may only read or trade: whoever stole its key must lock nobody out.

    People revoke what is theirs; so does a key with the scope admin. Raises Forbidden.
    """
    if caller.via == "api_key" and Scope.ADMIN not in caller.scopes:
        raise Forbidden(
            "A key without the scope admin cannot revoke keys or sessions.",
            remedy="Sign in for that, or use a key with this scope.",
            scope=str(Scope.ADMIN),
        )


def check_person(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> None:
    """What lets trading go on needs a fresh check of a person. Raises StepUpNeeded."""
    parts_of(request).gate.check_person(caller)


NO_LESSER_KEY = Depends(refuse_lesser_key)
FRESH_PERSON = Depends(check_person)
"Beside the guard: of people only; a key may have no cap instead."
CurrentCaller = Annotated[Caller, Depends(caller_of)]
CurrentVisit = Annotated[Visit, Depends(visit_of)]
Answer = Annotated[Table, Depends(Table)]
Db = Annotated[asyncpg.Pool, part("pool")]
Accounts = Annotated[AccountsPart, part("accounts")]
AlertRules = Annotated[AlertRulesPart, part("alert_rules")]
Alerts = Annotated[AlertsPart, part("alerts")]
Auth = Annotated[AuthPart, part("auth")]
Chains = Annotated[ChainsPart, part("chains")]
Config = Annotated[ConfigPart, part("config")]
DeadLetters = Annotated[DeadLettersPart, part("dead_letters")]
Credentials = Annotated[CredentialsPart, part("credentials")]
Deployments = Annotated[DeploymentsPart, part("deployments")]
Explanations = Annotated[ExplanationsPart, part("explanations")]
Health = Annotated[HealthChecker, part("health")]
Jobs = Annotated[JobDesk, part("jobs")]
Interlock = Annotated[InterlockPart, part("interlock")]
Keys = Annotated[KeysPart, part("keys")]
Market = Annotated[MarketPart, part("market")]
Metrics = Annotated[MetricsPart, part("metrics")]
Notifications = Annotated[NotificationsPart, part("notifications")]
Orders = Annotated[OrderDesk, part("orders")]
Performance = Annotated[PerformancePart, part("performance")]
Reconciliations = Annotated[ReconciliationsPart, part("reconciliations")]
SecondFactor = Annotated[SecondFactorPart, part("second_factor")]
Strategies = Annotated[Catalogue, part("strategies")]
Tickets = Annotated[TicketsPart, part("tickets")]
Timeline = Annotated[TimelinePart, part("timeline")]
Trading = Annotated[TradingPart, part("trading")]
Users = Annotated[UsersPart, part("users")]
WhatIfs = Annotated[WhatIfsPart, part("what_ifs")]
