"""The local AWS: starts ministack with the CodeBuild stand-in, waits until it answers, stops it again.

It serves on loopback only, keeps everything in its own directory, sees nothing of the user's environment (no proxy, no
AWS configuration, no Docker) and enforces IAM. It knows nothing of what is deployed on it.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
from botocore.config import Config

from iwomp_local import keeper
from iwomp_local.contained import KEEPER

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ROOT_KEY = "test"  # ministack lets this key id do everything, like an account's root

START_SECONDS = 60.0  # 2 s alone; a loaded machine is slow to import 40 services
STOP_SECONDS = keeper.GRACE_SECONDS * 2 + 5  # the keeper's two bounded waits, and its own end
POLL_SECONDS = 0.05
MAKING = threading.Lock()
START_TRIES = 3  # somebody may take the free port between our look and ministack's bind

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
PACKAGE = Path(__file__).resolve().parent


class EmulatorError(RuntimeError):
    """The local AWS did not start, or is not there; the text says what to do."""


class Lifetime(Enum):
    """Whether the emulator ends with the process that started it."""

    WITH_STARTER = "with starter"
    STAYS = "stays"


@dataclass
class Emulator:
    """A running local AWS."""

    directory: Path
    port: int
    keeper_pid: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway_pid(self) -> int:
        """The process that answers; the keeper around it is its parent (Linux only)."""
        children = Path(f"/proc/{self.keeper_pid}/task/{self.keeper_pid}/children").read_text().split()
        for child in map(int, children):
            if b"iwomp_local.standin" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        raise EmulatorError("the local AWS has no process")

    @property
    def log(self) -> Path:
        return log_file(self.directory)

    @classmethod
    def start(
        cls, directory: Path, build_path: list[Path], lifetime: Lifetime, more: Mapping[str, str] = NOTHING_MORE
    ) -> Emulator:
        """Starts one in `directory`; builds find their programs in the directories of `build_path`.

        `more` is laid over its environment. AWS_ENDPOINT_URL there is what functions and builds call instead of it.
        """
        if (running := cls.running(directory)) is not None:
            raise EmulatorError(f"a local AWS already runs in {directory} at {running.url}: stop it first")
        for part in ("home", "tmp", "state", "builds"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        for _ in range(START_TRIES):
            emulator = cls._launch(directory, free_port(), build_path, lifetime, more)
            if emulator is not None:
                return emulator
        raise EmulatorError(f"the local AWS does not start; the end of {log_file(directory)}:\n{log_tail(directory)}")

    @classmethod
    def _launch(
        cls, directory: Path, port: int, build_path: list[Path], lifetime: Lifetime, more: Mapping[str, str]
    ) -> Emulator | None:
        command = list(KEEPER)
        if lifetime is Lifetime.STAYS:
            command.append("--stays")
        command += ["--", sys.executable, "-m", "iwomp_local.standin"]
        with log_file(directory).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env={**environment(directory, port, build_path), **more},
                # Held open for as long as we live: its end is how the keeper learns that we are gone.
                stdin=subprocess.DEVNULL if lifetime is Lifetime.STAYS else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        emulator = cls(directory, port, process.pid, process)
        try:
            if not emulator._answers(process):
                return None
        except BaseException:
            emulator.stop()
            raise
        state_file(directory).write_text(
            json.dumps({"port": port, "keeper_pid": process.pid, "born": birth(process.pid)})
        )
        return emulator

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            if is_ready(self.port):
                return True
            time.sleep(POLL_SECONDS)
        raise EmulatorError(
            f"the local AWS did not answer within {START_SECONDS:.0f} s; the end of {log_file(self.directory)}:\n"
            f"{log_tail(self.directory)}"
        )

    @classmethod
    def running(cls, directory: Path) -> Emulator | None:
        """The one that runs in `directory`, if there is one."""
        try:
            state = json.loads(state_file(directory).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if state["born"] != birth(state["keeper_pid"]):
            return None
        return cls(directory, state["port"], state["keeper_pid"])

    def stop(self) -> None:
        """Ends the emulator, its builds and its functions; returns when all of them are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.keeper_pid, signal.SIGTERM)
        born = birth(self.keeper_pid)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and self._is_alive(born):
            time.sleep(POLL_SECONDS)
        if self._is_alive(born):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.keeper_pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=STOP_SECONDS)
            if self._process.stdin is not None:
                self._process.stdin.close()
        state_file(self.directory).unlink(missing_ok=True)

    def _is_alive(self, born: str) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return bool(born) and birth(self.keeper_pid) == born

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self, service: str, access_key: str = ROOT_KEY, secret_key: str = ROOT_KEY):  # type: ignore[no-untyped-def]
        """An AWS client of this emulator; without keys it may do everything.

        Kept, for making one costs more than a hundred calls, and whoever waits asks again and again.
        """
        if (kept := self._clients.get((service, access_key, secret_key))) is None:
            with MAKING:
                kept = self._clients[service, access_key, secret_key] = session().client(
                    service,
                    endpoint_url=self.url,
                    aws_access_key_id=access_key,
                    aws_secret_access_key=secret_key,
                    config=Config(proxies={}, connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 2}),
                )
        return kept

    def variables(self, access_key: str = ROOT_KEY, secret_key: str = ROOT_KEY) -> dict[str, str]:
        """What a program needs in its environment to use this emulator, and nothing but this emulator."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            # A profile of the user's must not send the demo to a real account.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "NO_PROXY": "127.0.0.1,localhost",
        }


@functools.cache
def session() -> boto3.session.Session:
    """One for all clients: it keeps what it has read of each service. It takes one of them at a time (MAKING)."""
    return boto3.session.Session(region_name=REGION)


def environment(directory: Path, port: int, build_path: list[Path]) -> dict[str, str]:
    """The whole environment of the emulator: nothing is inherited."""
    return {
        "PATH": os.defpath,
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "BIND_HOST": "127.0.0.1",  # ministack's default is every address of the machine
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",  # handed on to the functions
        "AUTH": "true",  # enforce IAM
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "state" / "s3"),
        "DOCKER_HOST": "unix:///nonexistent",  # it removes what it takes for its leftovers from the user's Docker
        "IOT_MTLS_ENABLED": "0",  # its port is fixed, so two emulators would collide
        "SFTP_ENABLED": "0",
        "LAMBDA_STRICT": "0",
        "IWOMP_BUILD_PATH": os.pathsep.join(str(part) for part in build_path),
        "IWOMP_BUILD_DIRECTORY": str(directory / "builds"),
    }


def is_ready(port: int) -> bool:
    # Not urllib: it would ask the user's proxy about our own loopback.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_ministack/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def birth(pid: int) -> str:
    """When a process started, in the kernel's own units: tells it from a later one with the same number.

    Empty if there is no such process, or if it has ended and only waits to be collected.
    """
    if not Path("/proc/self/stat").exists():  # not Linux
        asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return asked.stdout.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def state_file(directory: Path) -> Path:
    return directory / "emulator.json"


def log_file(directory: Path) -> Path:
    return directory / "emulator.log"


def log_tail(directory: Path) -> str:
    return "\n".join(log_file(directory).read_text(errors="replace").splitlines()[-15:])
