"""Every rule there is, whatever it looks at."""

from typing import Final

from app.alerting import conditions
from app.alerting.conditions import Condition
from app.alerting.dispatch import FAILED
from app.alerting.event_rules import RULES as EVENT_RULES
from app.alerting.event_rules import SETTLES
from app.alerting.rules import Rule
from app.alerting.security_rules import SECURITY

CONDITIONS: Final[tuple[Condition, ...]] = (*conditions.CONDITIONS, *SECURITY)


def _every() -> tuple[Rule, ...]:
    rules = (
        *(one.rule for one in EVENT_RULES),
        *(one.rule for one in CONDITIONS),
        FAILED,
    )
    return tuple({rule.name: rule for rule in rules}.values())


RULES: Final = _every()
"""Each once, by its name."""
SETTLING: Final = tuple(rule.name for rule in RULES if rule.clears is SETTLES)
"""Rules about single events, which are over when they do not happen again."""
