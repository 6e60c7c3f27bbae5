"""`gitAccess` with the real Terraform: private modules of the project's own Git host, with a credential.

Beside it stands a second host, on another port of the same machine, which is trusted and asks for a credential. It must
never see one. What hostile hosts do stands in hostile_git/lent.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import registered
from iwomp_local.emulator import Emulator
from iwomp_local.git_server import Access, BearerToken, GitServer, Password, Token
from iwomp_local.places import program
from iwomp_local.repository import Repository
from iwomp_local.ssh_server import SshServer
from registered import Registered

CANARY = "canary-of-git-access"
TOKEN = {"authToken": CANARY}
TERRAFORM = """#!/bin/sh
set -e
export GIT_SSL_CAINFO={authority}
terraform init -no-color -input=false
terraform apply -no-color -input=false -auto-approve
! grep -rlF --exclude=deploy.sh {canary} .
"""
MODULE = 'output "word" {{\n  value = "{word}"\n}}\n'
NESTED = (
    'module "inner" {{\n  source = "git::{url}"\n}}\noutput "word" {{\n  value = "outer ${{module.inner.word}}"\n}}\n'
)
ROOT = 'module "network" {{\n  source = "git::{url}?ref=v1"\n}}\noutput "word" {{\n  value = module.network.word\n}}\n'


@pytest.fixture
def hosts(tmp_path: Path, emulator: Emulator) -> Iterator[Registered]:
    with registered.hosts(tmp_path, emulator) as running:
        yield running


def module(hosts: Registered, host: GitServer, name: str, text: str, access: Access) -> str:
    """A private repository with a tag; returns its URL."""
    url, repository = hosts.serve(host, name, access)
    repository.git("update-ref", "refs/tags/v1", repository.commit("module", {"main.tf": text}))
    return url


def deploy(
    hosts: Registered, module_url: str, access: Access, credentials: dict[str, str], **more: object
) -> tuple[dict[str, Any], str]:
    """Deploys a project whose command is Terraform, with that module."""
    url, repository = hosts.serve(hosts.own, "demo", access)
    bundle = hosts.authority.write_bundle(hosts.directory / "ca.pem")
    script = TERRAFORM.format(authority=bundle, canary=CANARY)
    repository.commit("deploy", {"deploy.sh": script, "main.tf": ROOT.format(url=module_url)})
    entry = {"gitUrl": url, "caBundle": hosts.authority.bundle, **more}
    outcome, log = hosts.deploy(entry, credentials, f"{program('terraform').parent}:{os.environ['PATH']}")
    assert CANARY not in log
    return outcome, log


ANYHOW = [
    (Token(CANARY), TOKEN, {}),
    (BearerToken(CANARY), TOKEN, {"authScheme": "bearer"}),
    (Password("ada", CANARY), {"basicUsername": "ada", "basicPassword": CANARY}, {}),
]


@pytest.mark.parametrize(("access", "credentials", "more"), ANYHOW, ids=["token", "bearer", "password"])
def test_terraform_gets_private_modules_of_the_own_host_and_those_that_they_name(
    hosts: Registered, access: Access, credentials: dict[str, str], more: dict[str, str]
) -> None:
    inner = module(hosts, hosts.own, "inner", MODULE.format(word="inner"), access)
    outer = module(hosts, hosts.own, "outer", NESTED.format(url=inner), access)
    outcome, log = deploy(hosts, outer, access, credentials, gitAccess=True, **more)
    assert outcome["outcome"] == "deployed", log
    assert 'word = "outer inner"' in log
    assert (
        f"iwomp: git access  the command can read the project's Git credential, for https://localhost:{hosts.own.port}"
        in log
    )


def test_terraform_gets_no_private_module_where_the_credential_is_not_lent(hosts: Registered) -> None:
    url = module(hosts, hosts.own, "module", MODULE.format(word="private"), Token(CANARY))
    outcome, log = deploy(hosts, url, Token(CANARY), TOKEN)
    assert (outcome["outcome"], outcome["class"]) == ("failed", "command_failed"), log
    asked = [request for request in hosts.own.requests if request.path.startswith("/module.git")]
    assert asked
    assert {(request.status, request.authorization) for request in asked} == {(401, None)}


def test_another_host_never_sees_the_lent_credential(hosts: Registered) -> None:
    """It is another port of the same machine, and its module has the same token: nothing else keeps Terraform out."""
    elsewhere = module(hosts, hosts.other, "elsewhere", MODULE.format(word="elsewhere"), Token(CANARY))
    outer = module(hosts, hosts.own, "outer", NESTED.format(url=elsewhere), Token(CANARY))
    outcome, log = deploy(hosts, outer, Token(CANARY), TOKEN, gitAccess=True)
    assert (outcome["outcome"], outcome["class"]) == ("failed", "command_failed"), log
    assert any(request.path.startswith("/outer.git") and request.status == 200 for request in hosts.own.requests)
    assert hosts.other.requests
    assert {(request.status, request.authorization) for request in hosts.other.requests} == {(401, None)}


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "another port"])
def test_over_ssh_terraform_gets_modules_of_the_own_host_and_port_alone(
    hosts: Registered, tmp_path: Path, is_own: bool
) -> None:
    """The other port is the worst that one can be: it has the same host key, and would let the project's key in."""
    script = "#!/bin/sh\nterraform init -no-color -input=false && terraform apply -no-color -auto-approve\n"
    with (
        SshServer(tmp_path / "ssh") as own,
        SshServer(tmp_path / "other-ssh", user_key=own.user_key, host_key=own.host_key) as other,
    ):
        chosen = own if is_own else other
        library = Repository.create(chosen.root / "module.git")
        library.git("update-ref", "refs/tags/v1", library.commit("module", {"main.tf": MODULE.format(word="got it")}))
        repository = Repository.create(own.root / "demo.git")
        repository.commit("deploy", {"deploy.sh": script, "main.tf": ROOT.format(url=chosen.url("module"))})
        known_hosts = f"{own.known_hosts}\n{other.known_hosts}\n"
        credentials = {"sshPrivateKey": own.private_key, "knownHosts": known_hosts}
        path = f"{program('terraform').parent}:{os.environ['PATH']}"
        outcome, log = hosts.deploy({"gitUrl": own.url("demo"), "gitAccess": True}, credentials, path)
        assert outcome["outcome"] == ("deployed" if is_own else "failed"), log
        assert ('word = "got it"' in log) is is_own
        assert other.commands == []
        assert is_own or "Permission denied" in log
