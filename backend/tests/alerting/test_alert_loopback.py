"""Alerts to a real mail server and a real web hook, through apprise, over an outage of both."""

from app.adapters.notifiers.apprise import Adapter
from app.core.notifications import NotificationOptions
from app.domain.events import Severity
from tests.alerting.conftest import Desk
from tests.alerting.loopback import mail_server, web_hook


async def test_an_alert_outlives_an_outage_and_arrives_once_by_mail_and_once_at_the_web_hook(
    desk: Desk,
) -> None:
    desk.dispatcher = desk.another(
        Adapter(NotificationOptions(allow_private=True, timeout_seconds=60))
    )
    async with mail_server() as mail, web_hook() as hook:
        await desk.channel("mail", mail.address)
        await desk.channel("hook", f"json://127.0.0.1:{hook.port}/hooks/s3cret-path")
        await mail.end()
        hook.status = 503
        alert = await desk.alert("disk", Severity.CRITICAL, detail="0.1 GB are free.")
        await desk.work()
        rows = await desk.deliveries(alert)
        assert [(row["status"], row["attempts"]) for row in rows] == [("pending", 1)] * 2
        assert (mail.taken, hook.taken, hook.refused) == ([], [], 1)
        assert "s3cret" not in str(rows)
        await mail.begin()
        hook.status = 200
        desk.wait(minutes=1)
        await desk.work()
        rows = await desk.deliveries(alert)
        assert [(row["status"], row["attempts"]) for row in rows] == [("delivered", 2)] * 2
        desk.wait(minutes=5)
        await desk.work()
        assert (len(mail.taken), len(hook.taken)) == (1, 1)
    assert hook.taken[0]["title"] == "[critical] disk"
    assert mail.taken[0]["Subject"] == "[critical] disk"
    assert "0.1 GB are free." in hook.taken[0]["message"]
