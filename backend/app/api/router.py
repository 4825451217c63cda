"""Every route of the HTTP API, in the order in which the documentation shows them."""

from fastapi import APIRouter

from app.api.endpoints import (
    accounts,
    alert_rules,
    alerts,
    api_keys,
    audit,
    auth,
    availability,
    commands,
    config,
    credentials,
    data_quality,
    dead_letters,
    deployments,
    errors,
    event_bus,
    events,
    executions,
    feeds,
    health,
    imports,
    indicators,
    metrics,
    notification_channels,
    options,
    orders,
    positions,
    reconciliations,
    risk,
    risk_violations,
    sessions,
    signals,
    stocks,
    strategies,
    trades,
    trading_engine,
    users,
)

ROUTERS = (
    health.router,
    auth.router,
    accounts.router,
    stocks.router,
    options.router,
    data_quality.router,
    imports.router,
    feeds.router,
    indicators.router,
    strategies.router,
    deployments.router,
    signals.router,
    orders.router,
    executions.router,
    positions.router,
    trades.router,
    reconciliations.router,
    risk.router,
    risk_violations.router,
    commands.router,
    events.router,
    event_bus.router,
    dead_letters.router,
    config.router,
    alerts.router,
    alert_rules.router,
    notification_channels.router,
    trading_engine.router,
    metrics.router,
    availability.router,
    errors.router,
    users.router,
    sessions.router,
    api_keys.router,
    credentials.router,
    audit.router,
)


def every_route() -> APIRouter:
    """All routes as one router."""
    whole = APIRouter()
    for router in ROUTERS:
        whole.include_router(router)
    return whole
