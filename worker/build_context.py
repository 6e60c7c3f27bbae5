#!/usr/bin/env python3
"""Assembles the build context of worker/Dockerfile in a new directory: build_context.py DIRECTORY.

What goes in follows from the workspace, so there is no list that a new member could be missing from: the worker's
manifest and sources, and those of every member that it depends on; of every other member the manifest, without which
cargo reads none of them, and empty programs in the place of its sources, which are no business of the image. It is by
allowance: a token, a state file or a .git directory cannot end up in a layer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
OF_THE_WORKSPACE = ("Cargo.toml", "Cargo.lock")
COMPILER = "scripts/rustc"  # by which all of it is compiled, as the Dockerfile names it
# Cargo looks for these by itself, and does without them unless a manifest names them.
FOUND_OR_NAMED = ("test", "bench", "example")
EMPTY_PROGRAM = "pub fn main() {}\n"  # and an empty library

Package = dict[str, Any]


def main(context: Path) -> None:
    context.mkdir(parents=True)
    packages = {Path(package["manifest_path"]).parent: package for package in workspace()}
    needed = closure(next(root for root, package in packages.items() if package["name"] == "worker"), packages)
    for name in (*OF_THE_WORKSPACE, COMPILER):
        put(REPOSITORY / name, context)
    for root, package in packages.items():
        put(root / "Cargo.toml", context)
        for source in sources(package):
            if root not in needed:
                stub(source, context)
            elif source.parent == root:  # a build script
                put(source, context)
            else:
                for path in sorted(source.parent.rglob("*")):
                    put(path, context)
        for source in named_in_the_manifest(root, package):
            stub(source, context)


def workspace() -> list[Package]:
    """The members, as cargo sees them. Nothing is downloaded for this."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    asked = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if asked.returncode != 0:
        sys.exit("worker/build_context.py: cargo cannot read the workspace; its own words are above")
    packages: list[Package] = json.loads(asked.stdout)["packages"]
    return packages


def closure(root: Path, packages: dict[Path, Package]) -> set[Path]:
    """The folders of the member in `root` and of all that its program is made of."""
    found, queue = {root}, [root]
    while queue:
        for dependency in packages[queue.pop()]["dependencies"]:
            if dependency["kind"] == "dev" or dependency.get("path") is None:
                continue
            folder = Path(dependency["path"])
            if folder not in packages:
                sys.exit(f"worker/build_context.py: {folder} is not a member of the workspace")
            if folder not in found:
                found.add(folder)
                queue.append(folder)
    return found


def sources(package: Package) -> list[Path]:
    """The root files of libraries, programs and build scripts."""
    return [Path(target["src_path"]) for target in package["targets"] if not set(target["kind"]) & set(FOUND_OR_NAMED)]


def named_in_the_manifest(root: Path, package: Package) -> list[Path]:
    """The root files of tests and the like that cargo would miss."""
    manifest = tomllib.loads((root / "Cargo.toml").read_text())
    names = {(kind, entry.get("name")) for kind in FOUND_OR_NAMED for entry in manifest.get(kind, [])}
    return [Path(target["src_path"]) for target in package["targets"] if (target["kind"][0], target["name"]) in names]


def put(path: Path, context: Path) -> None:
    if path.is_file() and not path.is_symlink():
        target = context / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)  # with its mode: the compiler is started


def stub(path: Path, context: Path) -> None:
    target = context / path.relative_to(REPOSITORY)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(EMPTY_PROGRAM)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 (itself and the directory)
        sys.exit("usage: worker/build_context.py DIRECTORY")
    main(Path(sys.argv[1]))
