"""The doors of the lab: registered hosts, each with its certificate or host key, and hosts that no register names."""

from __future__ import annotations

import datetime
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hostile_git.case import Case, Channel
from hostile_git.hostile_ssh import HostileSsh
from hostile_git.server import Behaviour, Server
from hostile_git.world import World
from iwomp_local.ssh_server import SshServer

DAY = datetime.timedelta(days=1)
Worlds = dict[str, tuple[World, Behaviour]]


@dataclass(frozen=True)
class Doors:
    """All servers, open."""

    authority: str
    authority_file: Path
    registered: dict[Channel, Server]
    elsewhere: Server
    plain: Server
    ssh: SshServer
    hostile_ssh: HostileSsh

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, worlds: Worlds) -> Iterator[Doors]:
        authority = trustme.CA(organization_name="lab")
        contexts = {Channel.HTTPS: context_of(authority.issue_cert("localhost")), **bad_contexts(authority)}
        (directory / "ssh").mkdir()
        with ExitStack() as stack:
            registered = {
                channel: stack.enter_context(Server(worlds, context, is_registered=True))
                for channel, context in contexts.items()
            }
            ssh = stack.enter_context(SshServer(directory / "ssh"))
            bundle = directory / "authority.pem"
            authority.cert_pem.write_to_path(str(bundle))
            yield cls(
                authority=bundle.read_text(),
                authority_file=bundle,
                registered=registered,
                elsewhere=stack.enter_context(Server(worlds, contexts[Channel.HTTPS], is_registered=False)),
                plain=stack.enter_context(Server(worlds, None, is_registered=False)),
                ssh=ssh,
                hostile_ssh=stack.enter_context(HostileSsh(worlds, ssh.user_key)),
            )

    def places(self, channel: Channel, key: str) -> dict[str, str]:
        plain_port = self.plain.port
        return {
            "registered": self._registered(channel, key),
            "sibling": self.registered[Channel.HTTPS].url(key, "sibling"),
            "elsewhere": self.elsewhere.url(key),
            "plain": self.plain.url(key),
            "proxy": f"http://{key}:x@localhost:{plain_port}",
            "authority": str(self.authority_file),
        }

    def _registered(self, channel: Channel, key: str) -> str:
        match channel:
            case Channel.SSH:
                return self.ssh.url(key)
            case Channel.SSH_PASSWORD | Channel.SSH_LIAR:
                return self.hostile_ssh.url(channel, key)
            case Channel.PLAIN:
                return self.registered[channel].url(key).replace("http:", "https:")
            case _:
                return self.registered[channel].url(key)

    def open(self, case: Case, world: World) -> None:
        """Lays out what only SSH needs: a repository on disk, and the naive client's key."""
        if case.channel.is_ssh:
            world.canary = self.ssh.private_key.splitlines()[2]
            (world.directory / "canary").write_text(world.canary)
            key = world.directory / "key"
            key.touch(mode=0o600)
            key.write_text(self.ssh.private_key)
            repository = self.ssh.root / f"{world.key}.git"
            world.store.write_bare(repository, world.refs, world.repository.head)

    def close(self, world: World) -> None:
        shutil.rmtree(self.ssh.root / f"{world.key}.git", ignore_errors=True)

    def credentials(self, case: Case, world: World) -> dict[str, str] | None:
        """What stands in the project's credentials parameter."""
        if not case.channel.is_ssh:
            return dict(case.credentials) if case.credentials is not None else {"authToken": world.canary}
        port, key = self.ssh.port, public(self.ssh.host_key)
        if case.channel is not Channel.SSH:
            port, key = self.hostile_ssh.port(case.channel), public(self.hostile_ssh.host_key)
        other = public(asyncssh.generate_private_key("ssh-ed25519"))
        known_hosts = case.known_hosts.format(port=port, key=key, other=other)
        return {"sshPrivateKey": self.ssh.private_key, "knownHosts": known_hosts}

    def ssh_ports(self) -> set[int]:
        return {self.ssh.port, *(self.hostile_ssh.port(channel) for channel in HostileSsh.CHANNELS)}


def public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


def bad_contexts(known: trustme.CA) -> dict[Channel, ssl.SSLContext | None]:
    now = datetime.datetime.now(datetime.UTC)
    return {
        Channel.UNKNOWN_AUTHORITY: context_of(trustme.CA().issue_cert("localhost")),
        Channel.SELF_SIGNED: self_signed(),
        Channel.EXPIRED: context_of(known.issue_cert("localhost", not_before=now - 9 * DAY, not_after=now - DAY)),
        Channel.NOT_YET_VALID: context_of(known.issue_cert("localhost", not_before=now + DAY, not_after=now + 9 * DAY)),
        Channel.OTHER_NAME: context_of(known.issue_cert("git.example")),
        Channel.PLAIN: None,
    }


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM) + private)
        file.flush()
        context.load_cert_chain(file.name)
    return context
