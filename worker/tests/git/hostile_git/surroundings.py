"""A machine that was tampered with: variables and a home that make git run or ask something else."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from hostile_git.case import Case, deployed
from hostile_git.objects import File
from hostile_git.world import GOOD, World

Machine = Callable[[World], dict[str, str]]


def with_attributes(world: World) -> None:
    """A repository that uses whatever filters and drivers the machine has."""
    text = b"* filter=evil diff=evil merge=evil\n"
    world.refs[world.branch_ref] = world.commit(
        GOOD, more=[(b".gitattributes", File(text)), (b"data", File(b"data\n"))]
    )


def cases() -> Iterator[Case]:
    for name, machine in (VARIABLES | CONFIGURATIONS | HOMES).items():
        yield Case(f"the machine has {name}", deployed(), with_attributes, machine=machine)


def variable(name: str, value: str) -> Machine:
    """`{payload}` leaves a foreign mark; other names are those of the world's places."""
    return lambda world: {name: filled(value, world)}


def filled(text: str, world: World) -> str:
    return text.format(
        payload=world.payload(), home=world.home, directory=world.directory, key=world.key, **world.places
    )


def configured(text: str, *, xdg: bool = False) -> Machine:
    def plant(world: World) -> dict[str, str]:
        place = world.home / (".config/git/config" if xdg else ".gitconfig")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(filled(text, world))
        return {}

    return plant


def hooks(world: World) -> Path:
    """A directory of hooks, as a template and as `core.hooksPath`."""
    folder = world.directory / "template" / "hooks"
    folder.mkdir(parents=True, exist_ok=True)
    payload = Path(world.payload()).read_text()
    for hook in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc", "fsmonitor-watchman"):
        (folder / hook).write_text(payload)
        (folder / hook).chmod(0o755)
    return folder


def exec_path(world: World) -> dict[str, str]:
    """git's own programs, replaced."""
    folder = world.directory / "programs"
    folder.mkdir(exist_ok=True)
    for program in ("git-remote-https", "git-upload-pack", "git-index-pack", "git-checkout"):
        (folder / program).write_text(Path(world.payload()).read_text())
        (folder / program).chmod(0o755)
    return {"GIT_EXEC_PATH": str(folder)}


def counted(*pairs: tuple[str, str]) -> Machine:
    def plant(world: World) -> dict[str, str]:
        planted = {"GIT_CONFIG_COUNT": str(len(pairs))}
        for number, (key, value) in enumerate(pairs):
            planted |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": filled(value, world)}
        return planted

    return plant


def file_variable(name: str, text: str) -> Machine:
    def plant(world: World) -> dict[str, str]:
        path = world.directory / "planted"
        path.write_text(filled(text, world))
        return {name: str(path)}

    return plant


FSMONITOR = "[core]\nfsmonitor = {payload}\n"
FILTER = '[filter "evil"]\nsmudge = {payload}; cat\nclean = cat\nrequired = false\n'
HELPER = "[credential]\nhelper = !{payload}\n"

VARIABLES: dict[str, Machine] = {
    "GIT_CONFIG_PARAMETERS with a file system monitor": lambda world: {
        "GIT_CONFIG_PARAMETERS": shlex.quote(f"core.fsmonitor={world.payload()}")
    },
    "GIT_CONFIG_PARAMETERS with a filter": lambda world: {
        "GIT_CONFIG_PARAMETERS": shlex.quote(f"filter.evil.smudge={world.payload()};cat")
    },
    "GIT_CONFIG_COUNT with a file system monitor": counted(("core.fsmonitor", "{payload}")),
    "GIT_CONFIG_COUNT with a filter": counted(("filter.evil.smudge", "{payload}; cat")),
    "GIT_CONFIG_COUNT with other URLs": counted(("url.{elsewhere}.insteadOf".replace("{elsewhere}", "x"), "y")),
    "GIT_CONFIG_COUNT with a proxy": counted(("http.proxy", "{proxy}")),
    "GIT_CONFIG_GLOBAL with a file system monitor": file_variable("GIT_CONFIG_GLOBAL", FSMONITOR),
    "GIT_CONFIG_GLOBAL with a filter": file_variable("GIT_CONFIG_GLOBAL", FILTER),
    "GIT_CONFIG_SYSTEM with a filter": lambda world: {
        **file_variable("GIT_CONFIG_SYSTEM", FILTER)(world),
        "GIT_CONFIG_NOSYSTEM": "0",
    },
    "GIT_TEMPLATE_DIR with hooks": lambda world: {"GIT_TEMPLATE_DIR": str(hooks(world).parent)},
    "GIT_EXEC_PATH with other programs": exec_path,
    "GIT_ASKPASS": variable("GIT_ASKPASS", "{payload}"),
    "SSH_ASKPASS": variable("SSH_ASKPASS", "{payload}"),
    "GIT_SSH_COMMAND": variable("GIT_SSH_COMMAND", "{payload}"),
    "GIT_PROXY_COMMAND": variable("GIT_PROXY_COMMAND", "{payload}"),
    "GIT_EXTERNAL_DIFF": variable("GIT_EXTERNAL_DIFF", "{payload}"),
    "GIT_PAGER": variable("GIT_PAGER", "{payload}"),
    "PAGER": variable("PAGER", "{payload}"),
    "GIT_EDITOR": variable("GIT_EDITOR", "{payload}"),
    "GIT_SEQUENCE_EDITOR": variable("GIT_SEQUENCE_EDITOR", "{payload}"),
    "GIT_DIR": variable("GIT_DIR", "{directory}/planted.git"),
    "GIT_WORK_TREE": variable("GIT_WORK_TREE", "{home}"),
    "GIT_COMMON_DIR": variable("GIT_COMMON_DIR", "{home}"),
    "GIT_INDEX_FILE": variable("GIT_INDEX_FILE", "{home}/index"),
    "GIT_OBJECT_DIRECTORY": variable("GIT_OBJECT_DIRECTORY", "{home}/objects"),
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", "{home}"),
    "GIT_NAMESPACE": variable("GIT_NAMESPACE", "evil"),
    "GIT_SHALLOW_FILE": file_variable("GIT_SHALLOW_FILE", "0" * 40),
    "GIT_GRAFT_FILE": file_variable("GIT_GRAFT_FILE", "0" * 40),
    "GIT_REPLACE_REF_BASE": variable("GIT_REPLACE_REF_BASE", "refs/heads"),
    "GIT_ATTR_SOURCE": variable("GIT_ATTR_SOURCE", "HEAD"),
    "GIT_DEFAULT_HASH": variable("GIT_DEFAULT_HASH", "sha256"),
    "GIT_DEFAULT_REF_FORMAT": variable("GIT_DEFAULT_REF_FORMAT", "reftable"),
    "GIT_ALLOW_PROTOCOL": variable("GIT_ALLOW_PROTOCOL", "ext:file"),
    "GIT_PROTOCOL_FROM_USER": variable("GIT_PROTOCOL_FROM_USER", "0"),
    "GIT_TRACE": variable("GIT_TRACE", "{home}/trace"),
    "GIT_TRACE on standard error": variable("GIT_TRACE", "2"),
    "GIT_TRACE_CURL": variable("GIT_TRACE_CURL", "{home}/trace"),
    "GIT_TRACE_CURL without redaction": lambda world: {
        "GIT_TRACE_CURL": str(world.home / "trace"),
        "GIT_TRACE_REDACT": "0",
    },
    "GIT_TRACE_PACKET": variable("GIT_TRACE_PACKET", "{home}/trace"),
    "GIT_TRACE2_EVENT": variable("GIT_TRACE2_EVENT", "{home}/trace"),
    "GIT_TRACE_SETUP": variable("GIT_TRACE_SETUP", "{home}/trace"),
    "GIT_CURL_VERBOSE": variable("GIT_CURL_VERBOSE", "1"),
    "GIT_SSL_CAINFO of nobody": variable("GIT_SSL_CAINFO", "/nonexistent"),
    "GIT_SSL_VERSION": variable("GIT_SSL_VERSION", "sslv3"),
    "GIT_HTTP_PROXY_AUTHMETHOD": variable("GIT_HTTP_PROXY_AUTHMETHOD", "basic"),
    "GIT_HTTP_USER_AGENT with escape sequences": variable("GIT_HTTP_USER_AGENT", "x\x1b[2J"),
    "GIT_REF_PARANOIA": variable("GIT_REF_PARANOIA", "0"),
    "GIT_LITERAL_PATHSPECS": variable("GIT_LITERAL_PATHSPECS", "1"),
    "GIT_NO_LAZY_FETCH": variable("GIT_NO_LAZY_FETCH", "0"),
    "GIT_TEST_FSMONITOR": variable("GIT_TEST_FSMONITOR", "{payload}"),
    "SSLKEYLOGFILE": variable("SSLKEYLOGFILE", "{home}/keys"),
    "LANGUAGE": variable("LANGUAGE", "de"),
    "BASH_ENV": file_variable("BASH_ENV", ": > {directory}/marks/foreign\n"),
    "ENV": file_variable("ENV", ": > {directory}/marks/foreign\n"),
    "XDG_CONFIG_HOME with a filter": lambda world: {
        **configured(FILTER, xdg=True)(world),
        "XDG_CONFIG_HOME": str(world.home / ".config"),
    },
}

CONFIGURATIONS: dict[str, Machine] = {
    f"a configuration of the user with {name}": configured(text)
    for name, text in {
        "a file system monitor": FSMONITOR,
        "a filter": FILTER,
        "a long-running filter": '[filter "evil"]\nprocess = {payload}\n',
        "an include": "[include]\npath = {directory}/nothing\n[core]\nfsmonitor = {payload}\n",
        "a credential helper": HELPER,
        "a helper for any origin": '[credential "https://localhost"]\nhelper = !{payload}\n',
        "an ssh command": "[core]\nsshCommand = {payload}\n",
        "an askpass program": "[core]\naskPass = {payload}\n",
        "a pager": "[core]\npager = {payload}\n[pager]\nlog = {payload}\n",
        "an editor": "[core]\neditor = {payload}\n",
        "an external diff": "[diff]\nexternal = {payload}\n",
        "a textconv": '[diff "evil"]\ntextconv = {payload}\n',
        "a merge driver": '[merge "evil"]\ndriver = {payload}\n',
        "an alias for checkout": "[alias]\ncheckout = !{payload}\nlog = !{payload}\n",
        "another URL for ours": '[url "{elsewhere}"]\ninsteadOf = {registered}\n',
        "a URL without TLS for ours": '[url "{plain}"]\ninsteadOf = {registered}\n',
        "a sibling's URL for ours": '[url "{sibling}"]\ninsteadOf = {registered}\n',
        "a helper's URL for ours": '[url "ext::{payload} "]\ninsteadOf = https://\n[protocol "ext"]\nallow = always\n',
        "a proxy": "[http]\nproxy = {proxy}\n",
        "redirects allowed": "[http]\nfollowRedirects = true\n",
        "a cookie file": "[http]\ncookieFile = {home}/cookies\nsaveCookies = true\n",
        "another user agent": "[http]\nuserAgent = evil\n",
        "a tracing target": "[trace2]\neventTarget = {home}/trace\n",
        "a default remote": '[remote "origin"]\nuploadpack = {payload}\n',
        "replaced hooks": "[core]\nhooksPath = {directory}/template/hooks\n",
        "symbolic links turned off": "[core]\nsymlinks = false\n",
        "line ends of Windows": "[core]\nautocrlf = true\n",
        "a signature program": "[gpg]\nprogram = {payload}\n[log]\nshowSignature = true\n",
        "objects unchecked": "[transfer]\nfsckObjects = false\n[fetch]\nfsckObjects = false\n",
        "a mailmap elsewhere": "[mailmap]\nfile = {directory}/nothing\n",
        "a syntax error": "[core\n",
        "background work": "[gc]\nauto = 1\n[maintenance]\nauto = true\n[gc]\nautoDetach = true\n",
    }.items()
}


def with_hooks(machine: Machine) -> Machine:
    def plant(world: World) -> dict[str, str]:
        hooks(world)
        return machine(world)

    return plant


def home_file(name: str, text: str) -> Machine:
    def plant(world: World) -> dict[str, str]:
        path = world.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled(text, world))
        path.chmod(0o600)
        return {}

    return plant


def home_is_link(world: World) -> dict[str, str]:
    link = world.directory / "home-link"
    if not link.is_symlink():
        link.symlink_to(world.home)
    configured(FSMONITOR)(world)
    return {"HOME": str(link)}


CONFIGURATIONS["a configuration of the user with replaced hooks"] = with_hooks(
    CONFIGURATIONS["a configuration of the user with replaced hooks"]
)
CONFIGURATIONS["a configuration of the user with a template"] = with_hooks(
    configured("[init]\ntemplateDir = {directory}/template\n")
)

HOMES: dict[str, Machine] = {
    "a .netrc for the host": home_file(".netrc", "machine localhost login evil password evil\n"),
    "a .netrc for all hosts": home_file(".netrc", "default login evil password evil\n"),
    "a .curlrc with a proxy": home_file(".curlrc", "proxy = {proxy}\n"),
    "a .git-credentials": home_file(".git-credentials", "https://evil:evil@localhost\n"),
    "an XDG configuration with a file system monitor": configured(FSMONITOR, xdg=True),
    "an XDG configuration with a filter": configured(FILTER, xdg=True),
    "XDG attributes": home_file(".config/git/attributes", "* filter=evil\n"),
    "an .ssh/config": home_file(".ssh/config", "Host *\nProxyCommand {payload}\n"),
    "a .profile and a .bashrc": home_file(".profile", ": > {directory}/marks/foreign\n"),
    "a home behind a link": home_is_link,
    "a home that is not there": lambda world: {"HOME": str(world.directory / "absent")},
    "no home": lambda _: {"HOME": ""},
}
