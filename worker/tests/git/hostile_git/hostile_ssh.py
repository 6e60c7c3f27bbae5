"""SSH servers that do not behave: one asks for passwords, one says what a case makes it say."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Mapping, Sequence
from typing import ClassVar

import asyncssh

from hostile_git.case import Case, Channel
from hostile_git.world import Request, World

START_SECONDS = 10.0
NAME = re.compile(r"'/?(?P<key>[a-z0-9]+)\.git'\Z")


class AsksForPasswords(asyncssh.SSHServer):
    """Takes no key, and asks for a password in both ways that SSH knows. Whoever gives one has lost it."""

    def __init__(self, given: list[str]) -> None:
        self._given = given

    def begin_auth(self, _username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return False

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, _username: str, password: str) -> bool:
        self._given.append(password)
        return False

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(
        self, _username: str, _lang: str, _submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "your token, please", "en", [("Token: ", False)]

    def validate_kbdint_response(self, _username: str, responses: Sequence[str]) -> bool:
        self._given.extend(responses)
        return False


class HostileSsh:
    """Both servers, in a thread of their own."""

    CHANNELS: ClassVar = (Channel.SSH_PASSWORD, Channel.SSH_LIAR)

    def __init__(self, worlds: Mapping[str, tuple[World, object]], user_key: asyncssh.SSHKey) -> None:
        self.worlds = worlds
        self.cases: dict[str, Case] = {}
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.passwords: list[str] = []
        self._user_key = user_key
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hostile ssh", daemon=True)
        self._acceptors: dict[Channel, asyncssh.SSHAcceptor] = {}

    def __enter__(self) -> HostileSsh:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_SECONDS)
        self._loop.close()

    def port(self, channel: Channel) -> int:
        return self._acceptors[channel].get_port()

    def url(self, channel: Channel, key: str) -> str:
        return f"ssh://git@localhost:{self.port(channel)}/{key}.git"

    async def _listen(self) -> None:
        keys = asyncssh.import_authorized_keys(self._user_key.export_public_key().decode())
        self._acceptors[Channel.SSH_PASSWORD] = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[self.host_key], server_factory=lambda: AsksForPasswords(self.passwords)
        )
        self._acceptors[Channel.SSH_LIAR] = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self.host_key],
            authorized_client_keys=keys,
            process_factory=self._lie,
            encoding=None,
            agent_forwarding=True,
        )

    async def _close(self) -> None:
        for acceptor in self._acceptors.values():
            acceptor.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _lie(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        found = NAME.search(process.command or "")
        case = self.cases.get(found["key"]) if found else None
        if found is None or case is None or case.ssh is None:
            process.exit(128)
            return
        world = self.worlds[found["key"]][0]
        channel = process.channel
        if isinstance(channel, asyncssh.SSHServerChannel) and channel.get_agent_path() is not None:
            world.strays.append(Request("the client's SSH agent", "the agent"))
        with contextlib.suppress(OSError, asyncssh.Error):
            await case.ssh(process, world)
