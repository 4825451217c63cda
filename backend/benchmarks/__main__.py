"""One benchmark in this process: `python -m benchmarks NAME` prints its results as JSON."""

import sys

import msgspec

from benchmarks.catalogue import BENCHMARKS


def main() -> None:
    """For `tradewright bench`, which gives each benchmark a process of its own."""
    results = BENCHMARKS[sys.argv[1]].run()
    print(msgspec.json.encode(results).decode())


main()
