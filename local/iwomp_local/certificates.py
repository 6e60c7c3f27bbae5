"""The local certificate authority: what a self-hosted Git behind a private CA looks like to the pipeline."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Makes certificates for `localhost`. Its own certificate is what a register entry names as `caBundle`."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="iwomp local")

    @classmethod
    def of_text(cls, text: str) -> Authority:
        """One that was written down before."""
        made = cls.__new__(cls)
        made._authority = trustme.CA.from_pem(text.encode(), text.encode())
        return made

    def to_text(self) -> str:
        """The certificate and its private key."""
        return self.bundle + self._authority.private_key_pem.bytes().decode()

    @property
    def bundle(self) -> str:
        """The PEM certificate to trust."""
        return self._authority.cert_pem.bytes().decode()

    def write_bundle(self, path: Path) -> Path:
        path.write_text(self.bundle)
        return path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certify(context)
        return context

    def write_certificate(self, path: Path) -> None:
        """A server's certificate and its key, for one that runs in another process."""
        self._authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(path))

    def certify(self, context: ssl.SSLContext) -> None:
        """Gives a server another certificate, from its next connection on."""
        self._authority.issue_cert("localhost").configure_cert(context)
