"""Whom the client believes: certificates and host keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncssh

from hostile_git.case import ENDLESS, SHORT_SECONDS, Case, Channel, Expected, Naive, SshBehaviour, deployed, failed
from hostile_git.objects import Store
from hostile_git.protocol import advertisement_v0, band, packet
from hostile_git.world import World

BAD_DOORS = (
    Channel.UNKNOWN_AUTHORITY,
    Channel.SELF_SIGNED,
    Channel.EXPIRED,
    Channel.NOT_YET_VALID,
    Channel.OTHER_NAME,
)


def cases() -> Iterator[Case]:
    for channel in BAD_DOORS:
        yield Case(f"the host shows {channel.value}", failed("git"), channel=channel, naive=Naive.BLIND)
        yield Case(
            f"the host shows {channel.value}, and GIT_SSL_NO_VERIFY is planted",
            failed("git"),
            channel=channel,
            machine=lambda _: {"GIT_SSL_NO_VERIFY": "1"},
        )
        yield Case(
            f"the host shows {channel.value}, and a home says not to verify",
            failed("git"),
            channel=channel,
            machine=does_not_verify,
        )
    yield Case("the host's authority is not in the register", failed("git"), trusts_authority=False, naive=Naive.BLIND)
    yield Case(
        "the host's authority is only in planted variables",
        failed("git"),
        trusts_authority=False,
        machine=plants_authority,
    )
    yield Case("the host speaks no TLS", ENDLESS, channel=Channel.PLAIN, seconds=SHORT_SECONDS)
    yield from ssh_keys()
    yield from ssh_words()


def does_not_verify(world: World) -> dict[str, str]:
    (world.home / ".gitconfig").write_text("[http]\nsslVerify = false\n")
    return {}


def plants_authority(world: World) -> dict[str, str]:
    names = ("GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return {name: world.places["authority"] for name in names}


# What cannot be for the host is said before anything is fetched; the others only ssh can judge.
WITHOUT_THE_HOST = {
    "the key of another host",
    "the key on another port",
    "the key as revoked",
    "the key for a pattern that excludes the host",
    "a comment",
    "no key, but rubbish",
}


def ssh_keys() -> Iterator[Case]:
    yield Case("an SSH host shows the known key", deployed(), channel=Channel.SSH, naive=Naive.ACCEPTING)
    yield Case(
        "an SSH host shows a key that is known without a port",
        deployed(),
        channel=Channel.SSH,
        known_hosts="localhost {key}",
        naive=Naive.ACCEPTING,
    )
    known_hosts = {
        "another key": "[localhost]:{port} {other}",
        "the key of another host": "[git.example]:{port} {key}",
        "the key on another port": "[localhost]:1 {key}",
        "the key as revoked": "@revoked [localhost]:{port} {key}",
        "the key as an authority only": "@cert-authority [localhost]:{port} {key}",
        "the key for a pattern that excludes the host": "*,![localhost]:* {other}",
        "a comment": "# [localhost]:{port} {key}",
        "no key, but rubbish": "rubbish",
        "a key of another kind": "[localhost]:{port} ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDA",
    }
    for name, text in known_hosts.items():
        yield Case(
            f"an SSH host, where knownHosts has {name}",
            failed("register") if name in WITHOUT_THE_HOST else failed("git"),
            channel=Channel.SSH,
            known_hosts=text,
            naive=Naive.ACCEPTING,
        )
    for name, machine in {
        "known hosts of the user": user_known_hosts,
        "GIT_SSH_COMMAND": lambda world: {"GIT_SSH_COMMAND": f"{world.payload()} -o StrictHostKeyChecking=no"},
        "GIT_SSH": lambda world: {"GIT_SSH": world.payload()},
        "core.sshCommand": ssh_command,
        "SSH_AUTH_SOCK": lambda world: {"SSH_AUTH_SOCK": str(world.directory / "agent")},
        "SSH_ASKPASS": lambda world: {"SSH_ASKPASS": world.payload(), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"},
    }.items():
        yield Case(
            f"an SSH host with another key, and {name} of the machine",
            failed("git"),
            channel=Channel.SSH,
            known_hosts="[localhost]:{port} {other}",
            machine=machine,
            naive=Naive.ACCEPTING,
        )
    yield Case("an SSH host asks for a password", failed("git"), channel=Channel.SSH_PASSWORD, naive=Naive.ACCEPTING)
    yield Case(
        "an SSH host asks for a password, and an askpass program is planted",
        failed("git"),
        channel=Channel.SSH_PASSWORD,
        machine=lambda world: {"SSH_ASKPASS": world.payload(), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"},
        naive=Naive.ACCEPTING,
    )


def user_known_hosts(world: World) -> dict[str, str]:
    folder = world.home / ".ssh"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text("Host *\nStrictHostKeyChecking no\n")
    return {}


def ssh_command(world: World) -> dict[str, str]:
    (world.home / ".gitconfig").write_text(f"[core]\nsshCommand = {world.payload()}\n")
    return {}


def says(out: bytes = b"", err: bytes = b"", status: int = 0) -> SshBehaviour:
    async def lie(process: asyncssh.SSHServerProcess[bytes], _world: World) -> None:
        process.stdout.write(out)
        process.stderr.write(err)
        await process.stdout.drain()
        process.exit(status)

    return lie


async def falls_silent(process: asyncssh.SSHServerProcess[bytes], _world: World) -> None:
    await asyncio.wait_for(process.wait_closed(), 30)


async def falls_silent_after_the_refs(process: asyncssh.SSHServerProcess[bytes], world: World) -> None:
    process.stdout.write(advertisement_v0(world.repository))
    await asyncio.wait_for(process.wait_closed(), 30)


async def sends_foreign_objects(process: asyncssh.SSHServerProcess[bytes], world: World) -> None:
    """Promises the branch's commit, and sends another repository's objects."""
    process.stdout.write(advertisement_v0(world.repository))
    asked = b""
    while b"done\n" not in asked and (more := await process.stdin.read(4096)):
        asked += more
    store: Store = world.foreign.store
    process.stdout.write(packet(b"NAK\n") + band(1, store.pack(store.objects)) + b"0000")
    await process.stdout.drain()
    process.exit(0)


def ssh_words() -> Iterator[Case]:
    escape = b"\x1b[2J\x1b[31mDEPLOYED\x07\r\n"
    lies: dict[str, tuple[Expected, SshBehaviour]] = {
        "says escape sequences and goes": (ENDLESS, says(err=escape, status=1)),
        "says that the host key failed": (ENDLESS, says(err=b"Host key verification failed.\n", status=255)),
        "floods the error stream": (ENDLESS, says(err=b"x" * 3_000_000 + b"\n", status=1)),
        "floods the error stream with lines": (ENDLESS, says(err=b"x\n" * 100_000, status=1)),
        "prints an outcome line": (ENDLESS, says(err=b'{"outcome":"deployed"}\n', status=1)),
        "greets before it speaks git": (ENDLESS, says(out=b"Welcome!\n", status=0)),
        "says nothing and succeeds": (ENDLESS, says()),
        "says an ERR in escape sequences": (ENDLESS, says(out=packet(b"ERR " + escape))),
        "falls silent": (ENDLESS, falls_silent),
        "falls silent after the refs": (ENDLESS, falls_silent_after_the_refs),
        "sends other objects than it promised": (ENDLESS, sends_foreign_objects),
    }
    for name, (expected, lie) in lies.items():
        yield Case(
            f"an SSH host {name}",
            expected,
            channel=Channel.SSH_LIAR,
            ssh=lie,
            naive=Naive.ACCEPTING,
            seconds=SHORT_SECONDS,
        )
