"""`tradewright core`: the trading process alone."""


def core() -> None:
    """Run the engines of all accounts until SIGINT or SIGTERM."""
    import asyncio

    from app.core.logging import configure_logging
    from app.runner.core import run

    configure_logging("trading")
    asyncio.run(run())
