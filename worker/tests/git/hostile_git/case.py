"""What a case is: a host, a repository, a register entry, a trigger and a machine, and what must come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import asyncssh

from hostile_git.protocol import honest
from hostile_git.server import Behaviour
from hostile_git.world import GOOD, World, ordinary

ORDINARY_SECONDS = 300
"""Of the worker's time limit: never reached, however busy the machine."""
SHORT_SECONDS = 4
"""Where the host never comes to an end."""


SshBehaviour = Callable[[asyncssh.SSHServerProcess[bytes], World], Awaitable[None]]


class Naive(Enum):
    """How the naive client gets the branch; all of them are seen in the wild."""

    CLONE = "git clone --branch"
    FETCH = "git fetch URL branch"
    SUBMODULES = "git clone --recurse-submodules"
    BLIND = "git clone with http.sslVerify=false"
    ACCEPTING = "ssh with StrictHostKeyChecking=no"


class Channel(Enum):
    """By which door the registered host is reached."""

    HTTPS = "https"
    UNKNOWN_AUTHORITY = "a certificate of an authority that nobody knows"
    SELF_SIGNED = "a self-signed certificate"
    EXPIRED = "an expired certificate"
    NOT_YET_VALID = "a certificate of tomorrow"
    OTHER_NAME = "a certificate for another host"
    PLAIN = "no TLS at all"
    SSH = "ssh"
    SSH_PASSWORD = "an SSH server that asks for a password"
    SSH_LIAR = "an SSH server that says what it likes"

    @property
    def is_ssh(self) -> bool:
        return self in {Channel.SSH, Channel.SSH_PASSWORD, Channel.SSH_LIAR}


@dataclass(frozen=True)
class Expected:
    """The outcome's word, the class if it is not a success, and the marks that may be left."""

    outcome: str
    classes: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    says: str = ""
    """A part of the reason that people are told."""


def deployed(*marks: str) -> Expected:
    return Expected("deployed", marks=frozenset(marks or (GOOD,)))


def refused(*classes: str) -> Expected:
    return Expected("refused", frozenset(classes))


def failed(*classes: str, says: str = "") -> Expected:
    return Expected("failed", frozenset(classes or ("git",)), says=says)


SUPERSEDED = Expected("superseded")
ENDLESS = failed("git", "time_limit")


@dataclass(frozen=True, eq=False)
class Case:
    """One attack. Its name is a sentence."""

    name: str
    expected: Expected
    content: Callable[[World], None] = ordinary
    host: Behaviour = honest
    naive: Naive | None = Naive.CLONE
    branch: str = "main"
    pin: str | None = None
    """A commit by its name in the world, or an id."""
    live: str | None = None
    register: Mapping[str, object] = field(default_factory=dict)
    credentials: Mapping[str, str] | None = None
    """Instead of the world's token."""
    machine: Callable[[World], dict[str, str]] | None = None
    """Tampers with the client's home and says which variables are planted."""
    channel: Channel = Channel.HTTPS
    is_public: bool = False
    """Nobody is asked for a credential, though the project has one."""
    seconds: int = ORDINARY_SECONDS
    trusts_authority: bool = True
    """Whether the register has the `caBundle` of the authority that all good certificates are from."""
    known_hosts: str = "[localhost]:{port} {key}"
    """Of an SSH project; `{key}` is the host's, `{other}` somebody else's."""
    ssh: SshBehaviour | None = None

    @property
    def is_lent(self) -> bool:
        """Whether the command gets the credential."""
        return self.register.get("gitAccess") is True

    @property
    def waits(self) -> bool:
        return self.seconds < ORDINARY_SECONDS
