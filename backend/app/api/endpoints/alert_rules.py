"""Rules of alerts: what raises one, how it ends, and the numbers it measures by."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.deps import ADMIN, READ, AlertRules, CurrentCaller
from app.api.schemas.alert_rules import AlertRuleListOut, ThresholdIn, ThresholdOut

router = APIRouter(prefix="/api/alert-rules", tags=["alerts"])
Key = Annotated[str, Path(max_length=100, examples=["alerts.backup_hours"])]


@router.get("", dependencies=[READ])
async def list_alert_rules(rules: AlertRules) -> AlertRuleListOut:
    """Every rule, and every threshold with its bounds."""
    found = {"items": rules.rules(), "thresholds": await rules.thresholds()}
    return AlertRuleListOut.model_validate(found)


@router.put("/thresholds/{key}", dependencies=[ADMIN])
async def set_alert_threshold(
    key: Key, body: ThresholdIn, caller: CurrentCaller, rules: AlertRules
) -> ThresholdOut:
    """Check and store a number; the next look uses it."""
    value = int(body.value) if body.value.is_integer() else body.value
    return ThresholdOut.model_validate(await rules.change(caller, key, value, body.reason))
