"""`tradewright guardian`: the process that acts when the trading process cannot."""


def guardian() -> None:
    """Watch the engines and halt, cancel and flatten for them, until SIGINT or SIGTERM."""
    import asyncio

    from app.core.logging import configure_logging
    from app.guardian.process import run

    configure_logging("trading")
    asyncio.run(run())
