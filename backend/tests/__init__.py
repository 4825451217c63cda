"""Tests, one folder a package; a regular package, since eventkit installs a `tests` of its own."""
