"""`tradewright worker`: the process of jobs, schedules and everything that may come later."""


def worker() -> None:
    """Run the parts of the worker until SIGINT or SIGTERM."""
    import asyncio

    from app.core.logging import configure_logging
    from app.worker.process import run

    configure_logging("jobs")
    asyncio.run(run())
