"""Trees and commits that were made to hurt whoever checks them out, or shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hostile_git.case import Case, Expected, Naive, deployed, failed, refused
from hostile_git.objects import WHO, File, Folder, Node, Submodule, link, script
from hostile_git.world import FOREIGN, GOOD, World

REFUSED_BY_GIT = failed("git")
NO_COMMAND = failed("command")
INCOMPLETE = refused("incomplete_tree")
"""Something is only pointed to: nothing runs, and nobody else is asked."""

DOT_GIT = (
    b".git",
    b".GIT",
    b".Git",
    b".gIt",
    ".g\u200cit".encode(),
    ".git\u200d".encode(),
    ".\u200egit".encode(),
    "\ufeff.git".encode(),
    b"git~1",
    b"GIT~1",
    b".git ",
    b".git.",
    b".git. .",
    b".git::$INDEX_ALLOCATION",
    b".git:x",
    b".git\\config",
    b"..",
    b".",
    b"",
)
"""What some file system or other takes for `.git`, or for the way out."""

LOOKALIKES = (b".git2", b"_git", b"git", b".gitt", b"x.git", b".git~2", "\uff0egit".encode())
"""What none takes for it: honest repositories have such names."""


def at_head(more: Callable[[World], Sequence[tuple[bytes, Node]]], raw: bool = False) -> Callable[[World], None]:
    def content(world: World) -> None:
        tree = world.tree(GOOD, more(world), raw=raw)
        world.commits[GOOD] = world.store.commit(tree)
        world.refs[world.branch_ref] = world.commits[GOOD]

    return content


def having(name: bytes, make: Callable[[World], Node]) -> Callable[[World], None]:
    return at_head(lambda world: [(name, make(world))])


def having_below(name: bytes, make: Callable[[World], Node]) -> Callable[[World], None]:
    return at_head(lambda world: [(b"sub", Folder([(name, make(world))]))])


def with_nodes(*nodes: tuple[bytes, Node]) -> Callable[[World], None]:
    return at_head(lambda _: nodes)


def with_node(name: bytes, node: Node) -> Callable[[World], None]:
    return with_nodes((name, node))


def marking_file(world: World) -> Node:
    return File(world.mark(FOREIGN).encode() + b"\n")


def marking_script(world: World) -> Node:
    return script(world.mark(FOREIGN))


def hook_folder(world: World) -> Node:
    return Folder([(b"post-checkout", marking_script(world))])


def git_folder(world: World) -> Folder:
    """A repository's inside: configuration and hooks that run a payload."""
    payload = Path(world.payload()).read_text().removeprefix("#!/bin/sh\n")
    hook = script(payload)
    config = f"[core]\nfsmonitor = {world.payload()}\nsshCommand = {world.payload()}\nhooksPath = hooks\n"
    config += f'[filter "evil"]\nsmudge = {world.payload()}\n[alias]\nstatus = !{world.payload()}\n'
    hooks = Folder([(b"post-checkout", hook), (b"reference-transaction", hook), (b"fsmonitor-watchman", hook)])
    return Folder([(b"HEAD", File(b"ref: refs/heads/main\n")), (b"config", File(config.encode())), (b"hooks", hooks)])


def cases() -> Iterator[Case]:
    yield from dot_git()
    yield from links()
    yield from special_files()
    yield from shapes()
    yield from words()


def dot_git() -> Iterator[Case]:
    for name in DOT_GIT:
        shown = ascii(name)[2:-1] or "no name"
        yield Case(f"a tree has a directory {shown}", REFUSED_BY_GIT, having(name, git_folder))
        if name not in {b"", b".", b".."}:
            below = having_below(name, git_folder)
            yield Case(f"a tree has a directory sub/{shown}", REFUSED_BY_GIT, below)
    for name in (b".git", b".GIT", b"git~1"):
        shown = name.decode()
        pointer = with_node(name, File(b"gitdir: ../elsewhere\n"))
        yield Case(f"a tree has a file {shown} that points elsewhere", REFUSED_BY_GIT, pointer)
        yield Case(f"a tree has a link {shown}", REFUSED_BY_GIT, with_node(name, link("sub")))
        gitlink = with_node(name, Submodule("1" * 40))
        yield Case(f"a tree has a submodule at {shown}", REFUSED_BY_GIT, gitlink)
    for name in LOOKALIKES:
        shown = ascii(name)[2:-1]
        yield Case(f"a tree has an honest directory {shown}", deployed(), having(name, git_folder))
    bare = at_head(lambda w: [*git_folder(w).entries, (b"objects", Folder([(b"x", File(b""))])), (b"refs", link("x"))])
    yield Case("a tree looks like a bare repository", deployed(), bare)
    nested = at_head(lambda w: [(b"bare.git", git_folder(w)), (b"commondir", File(b"bare.git\n"))])
    yield Case("a tree holds a bare repository and a commondir", deployed(), nested)
    yield Case("a tree has a gitdir file", deployed(), at_head(lambda _: [(b"gitdir", File(b"/etc\n"))]))
    alternates = Folder([(b"info", Folder([(b"alternates", File(b"/etc\n"))]))])
    yield Case("a tree has objects/info/alternates", deployed(), at_head(lambda _: [(b"objects", alternates)]))


def links() -> Iterator[Case]:
    outside = "{directory}/payload-foreign"
    targets: dict[str, tuple[str, str, Expected, dict[str, object]]] = {
        "the command is a link to /bin/sh": ("run", "/bin/sh", NO_COMMAND, {"command": "run"}),
        "the command is a link to a program of the machine": ("run", outside, NO_COMMAND, {"command": "run"}),
        "the command is a relative link out": ("run", "../../../../../../../bin/sh", NO_COMMAND, {"command": "run"}),
        "the command is a link to itself": ("run", "run", NO_COMMAND, {"command": "run"}),
        "the command is a link to nothing": ("run", "nothing", NO_COMMAND, {"command": "run"}),
        "the command is a link to a directory": ("run", ".", NO_COMMAND, {"command": "run"}),
        "the command is a link to /proc/self/exe": ("run", "/proc/self/exe", NO_COMMAND, {"command": "run"}),
        "the command is a link within": ("run", "deploy.sh", deployed(), {"command": "run"}),
        "deployDir is a link to the root": ("infra", "/", NO_COMMAND, {"deployDir": "infra"}),
        "deployDir is a link out": ("infra", "{directory}", NO_COMMAND, {"deployDir": "infra"}),
        "deployDir is a relative link out": ("infra", "..", NO_COMMAND, {"deployDir": "infra"}),
        "deployDir is a link to /proc/self/cwd": ("infra", "/proc/self/cwd/..", NO_COMMAND, {"deployDir": "infra"}),
        "deployDir is a link to itself": ("infra", "infra", NO_COMMAND, {"deployDir": "infra"}),
        "deployDir is a link within": ("infra", ".", deployed(), {"deployDir": "infra"}),
        "deployDir is below a link out": ("infra", "{directory}", NO_COMMAND, {"deployDir": "infra/home"}),
        "deployDir is a link into .git": ("infra", ".git", NO_COMMAND, {"deployDir": "infra", "command": "./HEAD"}),
        "the command is a link into .git": ("run", ".git/config", NO_COMMAND, {"command": "run"}),
        "a file is a link to our environment": ("x", "/proc/self/environ", deployed(), {}),
        "a file is a link to a path of 4,000 bytes": ("x", "a/" * 2000, deployed(), {}),
        "a file is a link to a name with line ends": ("x", "a\nb\x1b[2J", deployed(), {}),
    }
    for name, (where, target, expected, register) in targets.items():

        def more(world: World, where: str = where, target: str = target) -> list[tuple[bytes, Node]]:
            world.payload()
            return [(where.encode(), link(target.format(directory=world.directory)))]

        yield Case(name, expected, at_head(more), register=register)
    yield Case("a link and a directory have the same name", REFUSED_BY_GIT, at_head(link_then_folder, raw=True))
    yield Case("a link and a directory differ in case only", deployed(), at_head(link_then_folder_in_case))
    for file in (".gitmodules", ".gitattributes", ".gitignore", ".mailmap"):
        expected = REFUSED_BY_GIT if file == ".gitmodules" else deployed()  # git follows none of the others
        yield Case(f"{file} is a link", expected, with_node(file.encode(), link("/etc/passwd")))


def link_then_folder(world: World) -> list[tuple[bytes, Node]]:
    """The link is made first, the file then goes through it."""
    hook = script(world.mark(FOREIGN))
    return [(b"x", link(".git/hooks")), (b"x", Folder([(b"post-checkout", hook)]))]


def link_then_folder_in_case(world: World) -> list[tuple[bytes, Node]]:
    hook = script(world.mark(FOREIGN))
    return [(b"A", link(".git/hooks")), (b"a", Folder([(b"post-checkout", hook)]))]


MODULES = {
    "a helper's URL": '[submodule "x"]\npath = x\nurl = ext::{payload}\n',
    "a URL that is an option": '[submodule "x"]\npath = x\nurl = --upload-pack={payload}\n',
    "a path that is an option": '[submodule "x"]\npath = --upload-pack={payload}\nurl = {sibling}\n',
    "a name that leads out": '[submodule "../../x"]\npath = x\nurl = {sibling}\n',
    "a sibling repository": '[submodule "x"]\npath = x\nurl = {sibling}\n',
    "another host": '[submodule "x"]\npath = x\nurl = {elsewhere}\n',
    "another host without TLS": '[submodule "x"]\npath = x\nurl = {plain}\n',
    "a relative URL": '[submodule "x"]\npath = x\nurl = ../sibling.git\n',
    "a file URL": '[submodule "x"]\npath = x\nurl = file:///etc\n',
    "an update command": '[submodule "x"]\npath = x\nurl = {sibling}\nupdate = !{payload}\n',
    "a URL with a line end": '[submodule "x"]\npath = x\nurl = "https://localhost%0a{key}/"\n',
    "a path with a carriage return": '[submodule "x"]\npath = "x\\r"\nurl = {sibling}\n',
    "a syntax error": '[submodule "x"\n',
}
MALFORMED = {"a URL that is an option", "a path that is an option", "a name that leads out"} | {
    "an update command",
    "a URL with a line end",
}


OF_THE_OWN_HOST = {"a sibling repository", "a relative URL"}
"""What is fetched, if the register says so: the sibling counts as a stray elsewhere."""

EXCEPTIONS = {
    # The carriage return becomes a part of the interpreter's name.
    "ident and line ends": failed("command", "command_failed"),
    "a line of 3,000 bytes": REFUSED_BY_GIT,
}


def special_files() -> Iterator[Case]:
    for name, text in MODULES.items():

        def more(world: World, text: str = text) -> list[tuple[bytes, Node]]:
            filled = text.format(payload=world.payload(), key=world.key, **world.places)
            commit = world.foreign.refs["refs/heads/main"]
            return [(b".gitmodules", File(filled.encode())), (b"x", Submodule(commit))]

        content = at_head(more)
        yield Case(
            f".gitmodules names {name}",
            REFUSED_BY_GIT if name in MALFORMED else INCOMPLETE,
            content,
            naive=Naive.SUBMODULES,
        )
        yield Case(
            f".gitmodules names {name}, where submodules are ignored",
            REFUSED_BY_GIT if name in MALFORMED else deployed(),
            content,
            register={"submodules": "ignore"},
            naive=None,
        )
        if name not in OF_THE_OWN_HOST:
            yield Case(
                f".gitmodules names {name}, where submodules are fetched",
                REFUSED_BY_GIT if name in MALFORMED else INCOMPLETE,
                content,
                register={"submodules": "fetch"},
                naive=None,
            )
    undescribed = at_head(lambda _: [(b"x", Submodule("1" * 40))])
    yield Case("a submodule has no .gitmodules", INCOMPLETE, undescribed)
    fetching = {"submodules": "fetch"}
    yield Case("a submodule to be fetched has no .gitmodules", INCOMPLETE, undescribed, register=fetching, naive=None)
    for name, text in {
        "a filter": "* filter=evil\n",
        "a filter of LFS": "* filter=lfs diff=lfs merge=lfs -text\n",
        "a textconv and a merge driver": "* diff=evil merge=evil\n",
        "an encoding that does not exist": "data working-tree-encoding=EVIL\n",
        "ident and line ends": "* ident text eol=crlf\n",
        "a macro": "[attr]evil filter=evil\n* evil\n",
        "a line of 3,000 bytes": "x" * 3000 + " filter=evil\n",
        "export-subst": "* export-subst\n",
    }.items():
        attributes = with_nodes((b".gitattributes", File(text.encode())), (b"data", File(b"$Id$\n")))
        expected = EXCEPTIONS.get(name, deployed())
        yield Case(f".gitattributes names {name}", expected, attributes)
    lfs = b'[lfs]\nurl = http://localhost:1/\n[lfs "http://localhost:1/"]\naccess = basic\n'
    yield Case("a tree has an .lfsconfig", deployed(), at_head(lambda _: [(b".lfsconfig", File(lfs))]))
    for name in ("hooks", ".githooks", ".husky"):
        folder = having(name.encode(), hook_folder)
        yield Case(f"a tree has a directory {name}", deployed(), folder)
    for name in (".gitconfig", ".netrc", ".bashrc", ".profile", ".envrc", ".curlrc", ".npmrc"):
        file = having(name.encode(), marking_file)
        yield Case(f"a tree has a file {name}", deployed(), file)
    for name in ("git", "sh", "ssh", "cat", "grep", "true", "env"):
        program = having(name.encode(), marking_script)
        yield Case(f"a tree has a program {name}", deployed(), program)


def deep(levels: int, name: bytes = b"d") -> Node:
    node: Node = File(b"deep\n")
    for _ in range(levels):
        node = Folder([(name, node)])
    return node


def shapes() -> Iterator[Case]:
    names = {
        "a name that is an option": b"--upload-pack=touch x",
        "a name that is a short option": b"-rf",
        "a name with a line end": b"a\nb",
        "a name with escape sequences": b"\x1b[2J\x1b[31mx",
        "a name that is no UTF-8": b"\xff\xfe\x80",
        "a name that is written from right to left": "\u202egpj.exe".encode(),
        "a name with a backslash": b"a\\b",
        "a name with quotes": b"a\"b'c`d$(e)",
        "a name of 255 bytes": b"x" * 255,
        "a name with spaces around": b" x ",
        "a name of a device of Windows": b"CON",
        "a name with a colon": b"c:x",
        "a name that is a pathspec": b":(glob)**",
    }
    for name, text in names.items():
        yield Case(f"a tree has {name}", deployed(), with_node(text, File(b"x\n")))
    yield Case("a tree has a name with a slash", REFUSED_BY_GIT, at_head(lambda _: [(b"../x", File(b"x"))]))
    yield Case("a tree has an absolute name", REFUSED_BY_GIT, at_head(lambda _: [(b"/etc/x", File(b"x"))]))
    yield Case("a tree has a name of 300 bytes", failed("git"), at_head(lambda _: [(b"x" * 300, File(b"x"))]))
    yield Case("a tree has a name of 5,000 bytes", failed("git"), at_head(lambda _: [(b"x" * 5000, File(b"x"))]))
    yield Case("a tree is 100 deep", deployed(), at_head(lambda _: [(b"d", deep(100))]))
    yield Case(
        "a tree is 300 deep, with long names",
        failed("git"),
        at_head(lambda _: [(b"d", deep(300, b"directory-of-20-bytes"))]),
    )
    yield Case("a tree has a path of 10,000 bytes", failed("git"), at_head(lambda _: [(b"d", deep(50, b"d" * 200))]))
    same = at_head(lambda w: [(b"deploy.sh", script(w.mark(FOREIGN)))], raw=True)
    yield Case("a tree has the command twice", REFUSED_BY_GIT, same)
    unsorted = at_head(lambda _: [(b"a", File(b"x"))], raw=True)
    yield Case("a tree is not sorted", REFUSED_BY_GIT, unsorted)
    for mode, what in {
        "040000": "a zero-padded directory",
        "0100644": "a zero-padded file",
        "100777": "a file for everybody",
        "104755": "a file that is setuid",
        "060000": "a block device",
        "10000": "a pipe",
        "777": "a mode without a kind",
        "": "no mode",
    }.items():
        node: Node = Folder([(b"x", File(b"x"))], mode=mode) if mode == "040000" else File(b"x\n", mode)
        # Of a mode without leading zero git takes the executable bit, and what is no file it takes for a submodule.
        expected = REFUSED_BY_GIT if not mode or mode.startswith("0") else deployed()
        if mode in {"10000", "777"}:
            expected = INCOMPLETE
        yield Case(f"a tree has {what}", expected, with_node(b"z", node))
    null = at_head(lambda _: [(b"z", Submodule("0" * 40))])
    yield Case("a tree has an entry of the null id", REFUSED_BY_GIT, null)
    yield Case("a commit has no files at all", NO_COMMAND, empty_tree)
    yield Case("a commit's tree is a blob", REFUSED_BY_GIT, tree_is_blob)
    many = at_head(lambda _: [(b"f%05d" % number, File(b"same\n")) for number in range(500)])
    yield Case("a tree has 500 files", deployed(), many)
    yield Case(
        "a blob of 5 MB is one byte over and over", deployed(), at_head(lambda _: [(b"big", File(b"\0" * 5_000_000))])
    )


def empty_tree(world: World) -> None:
    world.refs[world.branch_ref] = world.store.commit(world.store.put(Folder([]))[1])


def tree_is_blob(world: World) -> None:
    world.refs[world.branch_ref] = world.store.commit(world.store.add("blob", b"x"))


def described(message: bytes = b"x\n", author: bytes = WHO, headers: bytes = b"") -> Callable[[World], None]:
    def content(world: World) -> None:
        world.commit(GOOD, message=message, author=author, headers=headers)
        world.refs[world.branch_ref] = world.commits[GOOD]

    return content


def words() -> Iterator[Case]:
    for name, text in {
        "escape sequences": b"\x1b[2J\x1b[31mevil\x1b[0m\x07",
        "carriage returns": b"fine\r\x1b[Aiwomp: result      deployed",
        "an outcome line": b'x\n\n{"outcome":"deployed"}',
        "text from right to left": "\u202eevil \u2066x".encode(),
        "invisible characters": "a\u200bb\u2060c\ufeffd".encode(),
        "line separators": "a\u2028b\u2029c\u0085d".encode(),
        "C1 control characters": "\u009b31mx".encode(),
        "tags of Unicode": "x\U000e0041\U000e0042".encode(),
        "bytes that are no UTF-8": b"\xff\xfe\x80\x1b[2J",
        "1 MB in one line": b"x" * 1_000_000,
        "a format of its own": b"%H%x00%an %d%n",
        "a percent sign and braces": b"{0} {evil} %s %n ${IFS}",
        "nothing": b"",
    }.items():
        yield Case(f"a commit's message holds {name}", deployed(), described(text + b"\n"))
    for name, author in {
        "escape sequences": b"\x1b[2JAda <ada@example.com> 1767225600 +0000",
        "text from right to left": "\u202eAda\u2066 <a@example.com> 1767225600 +0000".encode(),
        "10,000 characters": b"A" * 10_000 + b" <a@example.com> 1767225600 +0000",
        "a year far away": b"Ada <a@example.com> 9223372036854775000 +0000",
        "a time zone that does not exist": b"Ada <a@example.com> 1767225600 +9999",
    }.items():
        yield Case(f"a commit's author holds {name}", deployed(), described(author=author))
    for name, author in {
        "no address": b"Ada 1767225600 +0000",
        "no date": b"Ada <a@example.com>",
        "a negative date": b"Ada <a@example.com> -1 +0000",
        "two addresses": b"Ada <a> <b> 1767225600 +0000",
        "an empty line": b"",
    }.items():
        yield Case(f"a commit's author line has {name}", REFUSED_BY_GIT, described(author=author))
    for name, header in {
        "an encoding that does not exist": b"encoding EVIL\n",
        "an old encoding": b"encoding ISO-8859-1\n",
        "an encoding that is an escape sequence": b"encoding \x1b[2J\n",
        "a signature that is none": b"gpgsig -----BEGIN SSH SIGNATURE-----\n x\n -----END SSH SIGNATURE-----\n",
        "a header of 100,000 bytes": b"x-evil " + b"x" * 100_000 + b"\n",
        "a merge tag": b"mergetag object 0\n type commit\n tag \x1b[2J\n",
    }.items():
        yield Case(f"a commit has {name}", deployed(), described(b"caf\xe9\n", headers=header))
    nul = described(b"a\0b\x1b[2J\n")
    yield Case("a commit's message holds a NUL", REFUSED_BY_GIT, nul)
