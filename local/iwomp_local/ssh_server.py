"""A Git host over SSH on this machine: one account, one authorised key, and nothing to run but fetching.

It has a host key of its own, so that clients can be strict about it.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

START_SECONDS = 10.0
STOP_SECONDS = 10.0
FETCH = re.compile(r"git-upload-pack '/?(?P<name>[A-Za-z0-9._-]+\.git)'\Z")
NOT_ALLOWED = 128


@dataclass
class SshServer:
    """Serves the bare repositories below `root` at ssh://git@localhost:<port>/<name>.git."""

    root: Path
    port: int = 0  # any free one
    user_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    host_key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    commands: list[str] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _acceptor: asyncssh.SSHAcceptor | None = None

    @property
    def private_key(self) -> str:
        """The authorised key, as `ssh -i` reads it."""
        return self.user_key.export_private_key().decode()

    @property
    def known_hosts(self) -> str:
        return f"[localhost]:{self.port} {self.host_key.export_public_key().decode()}"

    def url(self, name: str) -> str:
        return f"ssh://git@localhost:{self.port}/{name}.git"

    def __enter__(self) -> SshServer:
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh server", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STOP_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self._loop.close()

    async def _listen(self) -> None:
        keys = asyncssh.import_authorized_keys(self.user_key.export_public_key().decode())
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=keys,
            process_factory=self._run,
            encoding=None,
            agent_forwarding=False,
            x11_forwarding=False,
        )
        self.port = self._acceptor.get_port()

    async def _close(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.commands.append(process.command or "")
        wanted = FETCH.match(process.command or "")
        git = shutil.which("git")
        if wanted is None or git is None:
            process.stderr.write(b"only git-upload-pack of a repository is served here\n")
            process.exit(NOT_ALLOWED)
            return
        backend = await asyncio.create_subprocess_exec(
            git,
            "-c",
            "safe.directory=*",
            "upload-pack",
            "--strict",
            str(self.root / wanted["name"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": str(Path(git).parent), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
            | {"GIT_PROTOCOL": process.env.get("GIT_PROTOCOL", "")},
        )
        try:
            await process.redirect(stdin=backend.stdin, stdout=backend.stdout, stderr=backend.stderr)
            status = await backend.wait()
            await process.stdout.drain()
        finally:
            if backend.returncode is None:
                backend.kill()
        process.exit(status)
        await asyncio.wait_for(process.wait_closed(), STOP_SECONDS)
