"""Git objects, written byte by byte: git itself refuses to make most of what a hostile repository holds."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WHO = b"Ada Example <ada@example.com> 1767225600 +0000"
KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
GITLINK = "160000"


@dataclass(frozen=True)
class File:
    """A file, a script (100755) or a symbolic link (120000), by its mode."""

    data: bytes
    mode: str = "100644"


@dataclass(frozen=True)
class Folder:
    """A directory; the entries are kept as they come, in `raw` ones even against git's order."""

    entries: Sequence[tuple[bytes, Node]]
    mode: str = "40000"
    raw: bool = False


@dataclass(frozen=True)
class Submodule:
    """A commit of another repository."""

    commit: str


Node = File | Folder | Submodule


def script(text: str) -> File:
    return File(b"#!/bin/sh\n" + text.encode(), "100755")


def link(target: str | bytes) -> File:
    return File(target if isinstance(target, bytes) else target.encode(), "120000")


@dataclass
class Store:
    """The objects of one repository."""

    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def add(self, kind: str, body: bytes) -> str:
        whole = b"%s %d\0%s" % (kind.encode(), len(body), body)
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        self.objects[name] = (kind, body)
        return name

    def put(self, node: Node) -> tuple[str, str]:
        """The mode and the id of a node, after all below it was added."""
        match node:
            case File():
                return node.mode, self.add("blob", node.data)
            case Submodule():
                return GITLINK, node.commit
            case Folder():
                entries = list(node.entries)
                if not node.raw:
                    entries.sort(key=lambda entry: entry[0] + (b"/" if isinstance(entry[1], Folder) else b""))
                body = b""
                for name, child in entries:
                    mode, oid = self.put(child)
                    body += mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid)
                return node.mode, self.add("tree", body)

    def commit(
        self,
        tree: str,
        parents: Iterable[str] = (),
        message: bytes = b"change\n",
        author: bytes = WHO,
        committer: bytes = WHO,
        headers: bytes = b"",
    ) -> str:
        lines = [b"tree " + tree.encode(), *(b"parent " + parent.encode() for parent in parents)]
        lines += [b"author " + author, b"committer " + committer]
        return self.add("commit", b"\n".join(lines) + b"\n" + headers + b"\n" + message)

    def tag(self, target: str, name: str, kind: str = "commit") -> str:
        text = f"object {target}\ntype {kind}\ntag {name}\ntagger {WHO.decode()}\n\nrelease\n"
        return self.add("tag", text.encode())

    def reachable(self, wants: Iterable[str]) -> list[str]:
        """Everything that the objects of `wants` lead to, as far as it is there."""
        seen: dict[str, None] = {}
        todo = list(wants)
        while todo:
            name = todo.pop()
            if name in seen or name not in self.objects:
                continue
            seen[name] = None
            todo += self._next(name)
        return list(seen)

    def _next(self, name: str) -> list[str]:
        kind, body = self.objects[name]
        if kind == "tree":
            return tree_entries(body)
        if kind == "blob":
            return []
        head = body.partition(b"\n\n")[0].decode("latin-1").split("\n")
        return [line.split(" ")[1] for line in head if line.startswith(("tree ", "parent ", "object "))]

    def peel(self, name: str) -> str:
        """The object that a tag leads to; for anything else, itself."""
        kind, body = self.objects.get(name, ("", b""))
        return self.peel(body[7:47].decode()) if kind == "tag" else name

    def pack(self, names: Iterable[str]) -> bytes:
        listed = list(names)
        body = b"PACK" + struct.pack(">II", 2, len(listed))
        for name in listed:
            kind, data = self.objects[name]
            body += entry_head(KINDS[kind], len(data)) + zlib.compress(data, 1)
        return body + hashlib.sha1(body, usedforsecurity=False).digest()

    def loose(self, name: str) -> bytes:
        """An object as a file of its own; empty if it is not there."""
        if name not in self.objects:
            return b""
        kind, body = self.objects[name]
        return zlib.compress(b"%s %d\0%s" % (kind.encode(), len(body), body), 1)

    def write_bare(self, path: Path, refs: dict[str, str], head: str) -> None:
        """Writes a bare repository that git's own server can serve."""
        for name in self.objects:
            file = path / "objects" / name[:2] / name[2:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.loose(name))
        (path / "refs").mkdir()
        (path / "HEAD").write_text(f"ref: {head}\n")
        (path / "config").write_text("[core]\nrepositoryformatversion = 0\nbare = true\n")
        packed = "".join(f"{oid} {name}\n" for name, oid in sorted(refs.items()))
        (path / "packed-refs").write_text("# pack-refs with: sorted\n" + packed)


def tree_entries(body: bytes) -> list[str]:
    """What a tree names, without the commits of submodules."""
    names = []
    while body:
        head, _, rest = body.partition(b"\0")
        if not head.startswith(GITLINK.encode()):
            names.append(rest[:20].hex())
        body = rest[20:]
    return names


def entry_head(kind: int, size: int) -> bytes:
    byte, size = (kind << 4) | (size & 15), size >> 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head)
