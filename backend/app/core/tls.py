"""Whom we believe when we ask ourselves over TLS: our own certificate, by any name."""

import ssl
from pathlib import Path


def trusting(certificate: Path | None) -> ssl.SSLContext:
    """Our own certificate and no other, whatever name it is for: we ask by address.

    Without one: what this machine trusts, as everybody does. Raises OSError and ssl.SSLError for a
    file that cannot be used.
    """
    context = ssl.create_default_context(cafile=certificate)
    if certificate is not None:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
