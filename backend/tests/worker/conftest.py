"""The worker's parts as the tests of jobs have them."""

from tests.jobs.conftest import context

__all__ = ["context"]
