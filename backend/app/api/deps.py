"""What endpoints ask for: who is calling, services, and a declared scope and limit on every route."""

from typing import Annotated, Any

from fastapi import Depends, Header, Request

from app.domain.users import Scope


class Guard:
    """A route's declaration: the scope it needs (None: public) and its class of rate limit."""

    def __init__(self, scope: Scope | None, limit: str) -> None:
        self.scope = scope
        self.limit = limit

    async def __call__(self, request: Request) -> None:
        await request.app.state.gate.admit(request, self)


def guard(scope: Scope | None, limit: str = "default") -> Any:
    return Depends(Guard(scope, limit))


PUBLIC = guard(None, "public")
READ = guard(Scope.READ)
TRADE = guard(Scope.TRADE)
ADMIN = guard(Scope.ADMIN)


def part(name: str) -> Any:
    def find(request: Request) -> Any:
        return getattr(request.app.state.parts, name)

    return Depends(find)


def caller_of(request: Request) -> Any:
    return request.state.caller


CurrentCaller = Annotated[Any, Depends(caller_of)]
Reader = Annotated[Any, part("reading")]
Auth = Annotated[Any, part("auth")]
Orders = Annotated[Any, part("orders")]
Deployments = Annotated[Any, part("deployments")]
Trading = Annotated[Any, part("trading")]
Config = Annotated[Any, part("config")]
Alerts = Annotated[Any, part("alerts")]
Users = Annotated[Any, part("users")]
Market = Annotated[Any, part("market")]
Health = Annotated[Any, part("health")]
Metrics = Annotated[Any, part("metrics")]
Commands = Annotated[Any, part("commands")]
Explain = Annotated[Any, part("explain")]
Strategies = Annotated[Any, part("strategies")]
Tables = Annotated[Any, part("tables")]


def get_once(
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Any:
    return None


Once = Annotated[Any, Depends(get_once)]
