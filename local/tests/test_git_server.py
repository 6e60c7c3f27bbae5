"""The local Git hosts, with the real git and the real ssh as their clients."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from iwomp_local.certificates import Authority
from iwomp_local.git_server import Anybody, BearerToken, GitServer, Password, Token
from iwomp_local.repository import Repository
from iwomp_local.ssh_server import SshServer

GIT_SECONDS = 60


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[GitServer]:
    with GitServer(tmp_path / "repositories", authority.server_context()) as running:
        yield running


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "repositories" / "demo.git")
    made.commit("first", {"deploy.sh": "#!/bin/sh\necho hello\n"})
    return made


def git(authority: Authority, tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    bundle = authority.write_bundle(tmp_path / "ca.pem")
    return subprocess.run(
        ["git", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=GIT_SECONDS,
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "GIT_SSL_CAINFO": str(bundle),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **variables,
        },
    )


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def test_a_clone_with_the_token_brings_the_commit(
    server: GitServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    url = server.serve("demo", Token("the-token"))
    header = f"http.extraHeader=Authorization: {basic('x-access-token', 'the-token')}"
    done = git(authority, tmp_path, "-c", header, "clone", "--quiet", url, "copy")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy" / "deploy.sh").read_text() == "#!/bin/sh\necho hello\n"
    assert os.access(tmp_path / "copy" / "deploy.sh", os.X_OK)
    assert repository.head() == git(authority, tmp_path / "copy", "rev-parse", "HEAD").stdout.strip()


def test_without_the_token_there_is_a_challenge_and_nothing_else(
    server: GitServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    url = server.serve("demo", Token("the-token"))
    done = git(authority, tmp_path, "clone", "--quiet", url, "copy")
    assert done.returncode != 0
    assert [(request.status, request.authorization) for request in server.requests] == [(401, None)]


@pytest.mark.parametrize(
    ("access", "header", "allowed"),
    [
        (Token("t"), "Bearer t", True),
        (Token("t"), basic("anybody", "t"), True),
        (Token("t"), basic("t", ""), False),
        (BearerToken("t"), basic("anybody", "t"), False),
        (BearerToken("t"), "Bearer t", True),
        (Password("ada", "p:w"), basic("ada", "p:w"), True),
        (Password("ada", "p:w"), basic("eve", "p:w"), False),
        (Password("ada", "p:w"), "Basic not-base64!", False),
    ],
)
def test_each_kind_of_credential_opens_its_own_repository(
    server: GitServer,
    repository: Repository,
    authority: Authority,
    tmp_path: Path,
    access: Token,
    header: str,
    allowed: bool,
) -> None:
    url = server.serve("demo", access)
    done = git(authority, tmp_path, "-c", f"http.extraHeader=Authorization: {header}", "ls-remote", url)
    assert (done.returncode == 0) == allowed
    assert server.requests[-1].authorization == header


def test_a_client_that_does_not_trust_the_authority_is_not_served(
    server: GitServer, repository: Repository, tmp_path: Path
) -> None:
    url = server.serve("demo", Anybody())
    done = git(Authority(), tmp_path, "ls-remote", url)
    assert done.returncode != 0
    assert "certificate" in done.stderr
    assert server.requests == []


def test_a_repository_that_is_not_served_does_not_exist(
    server: GitServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    done = git(authority, tmp_path, "ls-remote", f"https://localhost:{server.port}/demo.git")
    assert done.returncode != 0
    assert server.requests[0].status == 404


def test_a_push_larger_than_gits_buffer_arrives_in_chunks(
    server: GitServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    url = server.serve("demo", Token("t"))
    header = f"http.extraHeader=Authorization: {basic('x', 't')}"
    assert git(authority, tmp_path, "-c", header, "clone", "--quiet", url, "copy").returncode == 0
    (tmp_path / "copy" / "big").write_bytes(os.urandom(3_000_000))
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    for arguments in (["add", "big"], ["commit", "--quiet", "-m", "big"], ["-c", header, "push", "--quiet"]):
        done = git(authority, tmp_path, "-C", "copy", *arguments, **who)
        assert done.returncode == 0, done.stderr
    assert repository.git("cat-file", "-s", "main:big") == "3000000"


def test_a_partial_clone_is_served(
    server: GitServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    url = server.serve("demo", Anybody())
    done = git(authority, tmp_path, "clone", "--quiet", "--filter=tree:0", "--no-checkout", url, "copy")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


def test_a_held_server_makes_clients_wait(
    server: GitServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    url, statuses = server.serve("demo", Anybody()), []
    client = threading.Thread(
        target=lambda: statuses.append(git(authority, tmp_path, "ls-remote", url).returncode), daemon=True
    )
    with server.hold():
        client.start()
        client.join(0.5)
        assert client.is_alive()
    client.join(GIT_SECONDS)
    assert statuses == [0]


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServer]:
    with SshServer(tmp_path / "repositories") as running:
        yield running


def ssh_command(server: SshServer, directory: Path, key: str | None = None, known_hosts: str | None = None) -> str:
    key_file, hosts_file = directory / "key", directory / "known_hosts"
    key_file.write_text(key or server.private_key)
    key_file.chmod(0o600)
    hosts_file.write_text(known_hosts or server.known_hosts)
    return (
        f"ssh -F /dev/null -i {key_file} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes "
        f"-o UserKnownHostsFile={hosts_file} -o GlobalKnownHostsFile=/dev/null"
    )


def test_a_fetch_over_ssh_brings_the_commit(
    ssh: SshServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    command = ssh_command(ssh, tmp_path)
    done = git(authority, tmp_path, "clone", "--quiet", ssh.url("demo"), "copy", GIT_SSH_COMMAND=command)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy" / "deploy.sh").exists()


def test_another_key_is_not_let_in(
    ssh: SshServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    command = ssh_command(ssh, tmp_path, key=SshServer(tmp_path).private_key)
    done = git(authority, tmp_path, "ls-remote", ssh.url("demo"), GIT_SSH_COMMAND=command)
    assert "Permission denied" in done.stderr


def test_another_host_key_is_not_trusted(
    ssh: SshServer, repository: Repository, authority: Authority, tmp_path: Path
) -> None:
    command = ssh_command(ssh, tmp_path, known_hosts=SshServer(tmp_path, port=ssh.port).known_hosts)
    done = git(authority, tmp_path, "ls-remote", ssh.url("demo"), GIT_SSH_COMMAND=command)
    assert done.returncode != 0
    assert ssh.commands == []


@pytest.mark.parametrize("command", ["id", "git-receive-pack '/demo.git'", "git-upload-pack '/../demo.git'; id"])
def test_nothing_but_fetching_runs_over_ssh(ssh: SshServer, tmp_path: Path, command: str) -> None:
    arguments = ssh_command(ssh, tmp_path).split()
    done = subprocess.run(
        [*arguments, "-p", str(ssh.port), "git@localhost", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=GIT_SECONDS,
    )
    assert done.returncode == 128
    assert "only git-upload-pack" in done.stderr
