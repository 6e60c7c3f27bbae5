"""`lfs: fetch` over real HTTPS: files of the repository and of its submodules, from its own host, with its credential.

What hostile hosts and repositories do stands in hostile_git/large_files.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import registered
from iwomp_local.certificates import Authority
from iwomp_local.emulator import Emulator
from iwomp_local.git_server import Access, Anybody, BearerToken, Password, Request, Token
from iwomp_local.repository import Repository
from registered import Registered

CANARY = "canary-of-lfs"
TOKEN = {"authToken": CANARY}
CONTENT = b"\x00\xff content of a large file\n" * 1000
LOOK = '#!/bin/sh\nsha256sum data | cut -c -64\nstat -c "mode %a" data\n'


@pytest.fixture
def hosts(tmp_path: Path, emulator: Emulator) -> Iterator[Registered]:
    with registered.hosts(tmp_path, emulator) as running:
        yield running


def digest(pointer: str) -> str:
    return pointer.partition("sha256:")[2][:64]


def asked(hosts: Registered, part: str) -> list[str | None]:
    """What came with the requests for a path."""
    return [request.authorization for request in hosts.own.requests if part in request.path]


@pytest.mark.parametrize(
    ("access", "credentials", "more"),
    [
        (Token(CANARY), TOKEN, {}),
        (BearerToken(CANARY), TOKEN, {"authScheme": "bearer"}),
        (Password("ada", CANARY), {"basicUsername": "ada", "basicPassword": CANARY}, {}),
        (Anybody(), None, {}),
    ],
    ids=["token", "bearer", "password", "public"],
)
def test_files_come_from_the_own_host_with_the_credential(
    hosts: Registered, access: Access, credentials: dict[str, str] | None, more: dict[str, str]
) -> None:
    url, repository = hosts.serve(hosts.own, "demo", access)
    pointer = hosts.own.keep("demo", CONTENT)
    repository.commit("large", {"deploy.sh": LOOK, "data": pointer, "docs/the same": pointer})
    entry = {"gitUrl": url, "caBundle": hosts.authority.bundle, "lfs": "fetch", **more}
    outcome, log = hosts.deploy(entry, credentials)
    assert outcome["outcome"] == "deployed", log
    assert {digest(pointer), "mode 644"} <= set(log.splitlines())
    assert f"iwomp: large files 1 of Git LFS, {2 * len(CONTENT) // 1000} kB" in log
    # One question, one download, however many places there are.
    assert len(asked(hosts, "/info/lfs/")) == 2
    assert (None in asked(hosts, "/info/lfs/")) == (credentials is None)
    assert hosts.other.requests == []
    assert CANARY not in log


def test_files_of_a_submodule_come_from_the_submodules_own_repository(hosts: Registered) -> None:
    url, repository = hosts.serve(hosts.own, "demo", Token(CANARY))
    _, library = hosts.serve(hosts.own, "library", Token(CANARY))
    pointer = hosts.own.keep("library", CONTENT)
    commit = library.commit("large", {"large": pointer})
    add_submodule(repository, commit)
    repository.commit("large", {"deploy.sh": "#!/bin/sh\nsha256sum < modules/library/large | cut -c -64\n"})
    entry = {"gitUrl": url, "caBundle": hosts.authority.bundle, "lfs": "fetch", "submodules": "fetch"}
    outcome, log = hosts.deploy(entry, TOKEN)
    assert outcome["outcome"] == "deployed", log
    assert digest(pointer) in log.splitlines()
    assert len(asked(hosts, "/library.git/info/lfs/")) == 2
    assert asked(hosts, "/demo.git/info/lfs/") == []


def add_submodule(repository: Repository, commit: str) -> None:
    modules = '[submodule "library"]\n\tpath = modules/library\n\turl = ../library.git\n'
    parent = repository.commit("modules", {".gitmodules": modules})
    index = {"GIT_INDEX_FILE": str(repository.path / "index-of-the-test")}
    repository.git("read-tree", parent, variables=index)
    entry = f"160000,{commit},modules/library"
    repository.git("update-index", "--add", "--cacheinfo", entry, variables=index)
    tree = repository.git("write-tree", variables=index)
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    repository.move("main", repository.git("commit-tree", tree, "-p", parent, "-m", "submodule", variables=who))


def test_a_tree_with_too_much_is_refused_before_anybody_is_asked(hosts: Registered) -> None:
    url, repository = hosts.serve(hosts.own, "demo", Token(CANARY))
    pointer = hosts.own.keep("demo", CONTENT).replace(f"size {len(CONTENT)}", f"size {5 << 30}")
    repository.commit("large", {"deploy.sh": LOOK, "data": pointer})
    outcome, log = hosts.deploy({"gitUrl": url, "caBundle": hosts.authority.bundle, "lfs": "fetch"}, TOKEN)
    assert (outcome["outcome"], outcome["class"]) == ("refused", "incomplete_tree"), log
    assert "1 of 5368.7 MB below deployDir" in outcome["reason"]
    assert asked(hosts, "/info/lfs/") == []


def test_a_file_that_the_host_does_not_have_is_named(hosts: Registered) -> None:
    url, repository = hosts.serve(hosts.own, "demo", Token(CANARY))
    pointer = hosts.own.keep("demo", CONTENT)
    hosts.own.large_files.clear()
    repository.commit("large", {"deploy.sh": LOOK, "data": pointer})
    outcome, log = hosts.deploy({"gitUrl": url, "caBundle": hosts.authority.bundle, "lfs": "fetch"}, TOKEN)
    assert (outcome["outcome"], outcome["class"]) == ("failed", "git"), log
    assert f"fetching data (Git LFS {digest(pointer)}) from https://localhost:{hosts.own.port}" in outcome["reason"]
    assert "git lfs push --all" in log


def test_a_bundle_may_hold_several_authorities(hosts: Registered) -> None:
    url, repository = hosts.serve(hosts.own, "demo", Token(CANARY))
    repository.commit("large", {"deploy.sh": LOOK, "data": hosts.own.keep("demo", CONTENT)})
    bundle = f"# ours\n{Authority().bundle}\n{hosts.authority.bundle}"
    outcome, log = hosts.deploy({"gitUrl": url, "caBundle": bundle, "lfs": "fetch"}, TOKEN)
    assert outcome["outcome"] == "deployed", log


class SwitchesAfterGit(list[Request]):
    """A host's record of requests, which lets it get a certificate of another authority once git has what it wants."""

    def __init__(self, hosts: Registered) -> None:
        super().__init__()
        self.context = hosts.own.context

    def append(self, request: Request) -> None:
        super().append(request)
        if request.path.endswith("/git-upload-pack"):  # git keeps its connection
            Authority().certify(self.context)


def test_no_authority_but_the_bundles_is_trusted_with_the_credential(hosts: Registered) -> None:
    url, repository = hosts.serve(hosts.own, "demo", Token(CANARY))
    repository.commit("large", {"deploy.sh": LOOK, "data": hosts.own.keep("demo", CONTENT)})
    hosts.own.requests = SwitchesAfterGit(hosts)
    outcome, log = hosts.deploy({"gitUrl": url, "caBundle": hosts.authority.bundle, "lfs": "fetch"}, TOKEN)
    assert (outcome["outcome"], outcome["class"]) == ("failed", "git"), log
    assert "certificate" in outcome["reason"]
    assert asked(hosts, "/info/lfs/") == []


def test_over_ssh_fetch_is_an_error_of_the_register(hosts: Registered) -> None:
    outcome, log = hosts.deploy({"gitUrl": "ssh://git@localhost/demo.git", "lfs": "fetch"})
    assert (outcome["outcome"], outcome["class"]) == ("failed", "register"), log
    assert "fetch needs an https:// gitUrl" in outcome["reason"]
