#!/usr/bin/env python3
"""Everything of a release in one folder: programs, the Terraform module, what they are made of, and the sums of all.

    scripts/dist.py [--architecture x86_64] [--architecture arm64] [FOLDER]

The same commit gives the same bytes, wherever it is built: an archive has the time of the commit, no owner and no path
of this machine. `make dist` calls this with the tools that it needs.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
LAMBDAS = ("broker", "launcher", "notifier")
# Of Amazon Linux 2023, which Lambda's provided.al2023 is; zig links against it, see the Makefile.
GLIBC = (2, 34)
# For zip, whose times have no zone and begin in 1980.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# What nobody needs who only uses the module.
NOT_OF_THE_MODULE = {"tests", ".terraform", ".terraform.lock.hcl", ".checkov.yaml", "requirements-check.txt"}


class Stop(Exception):
    """Nothing can be released; the text says why and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--architecture", action="append", choices=TRIPLES, help="both, unless named")
    parser.add_argument("folder", nargs="?", type=Path, default=REPOSITORY / "target" / "dist")
    given = parser.parse_args()
    try:
        release(given.architecture or list(TRIPLES), given.folder)
    except Stop as stop:
        print(f"dist: {stop}", file=sys.stderr)
        return 1
    return 0


def release(architectures: list[str], folder: Path) -> None:
    """Builds all, and leaves it in `folder`, which it empties first."""
    require_targets(architectures)
    version = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    time = int(git("log", "--max-count=1", "--format=%ct"))
    if git("status", "--porcelain"):
        raise Stop("files here differ from the commit: commit or stash them, so that others can build the same")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    programs = {}
    for architecture in architectures:
        made = build(architecture)
        programs[architecture] = {name: zipped(made[name]) for name in LAMBDAS}
        for name, data in programs[architecture].items():
            (folder / f"{name}-{architecture}.zip").write_bytes(data)
        inside = {"iwomp": (0o755, made["iwomp"]), "LICENSE": (0o644, (REPOSITORY / "LICENSE").read_bytes())}
        top = f"iwomp-{version}-linux-{architecture}"
        (folder / f"{top}.tar.gz").write_bytes(archived(top, inside, time))
    top = f"iwomp-terraform-{version}"
    (folder / f"{top}.tar.gz").write_bytes(archived("", module(programs), time))
    for name, text in bills_of_materials(time).items():
        (folder / name).write_text(text)
    sums = "".join(f"{sha256(path.read_bytes())}  {path.name}\n" for path in sorted(folder.iterdir()))
    (folder / "SHA256SUMS").write_text(sums)
    print(sums, end="")


def require_targets(architectures: list[str]) -> None:
    for architecture in architectures:
        triple = TRIPLES[architecture]
        libraries = Path(said("rustc", "--print", "target-libdir", "--target", triple))
        if not libraries.is_dir():
            raise Stop(f"Rust's library for {architecture} is not installed: rustup target add {triple}")


def build(architecture: str) -> dict[str, bytes]:
    """The programs, of which none wants a newer C library than Lambda's."""
    run(["make", "--no-print-directory", "dist-programs", f"ARCHITECTURE={architecture}"], {**os.environ})
    made = {}
    for name in (*LAMBDAS, "iwomp"):
        with zipfile.ZipFile(REPOSITORY / "target" / "lambda" / name / "bootstrap.zip") as built:
            made[name] = built.read("bootstrap")
        check(name, made[name])
    return made


def check(name: str, program: bytes) -> None:
    """Bytes are the same elsewhere, and start there, only without these."""
    versions = {tuple(int(part) for part in found.split(b".")) for found in re.findall(rb"GLIBC_(2\.\d+)", program)}
    if newer := {version for version in versions if version > GLIBC}:
        raise Stop(f"{name} wants GLIBC {max(newer)}, and Lambda has {GLIBC}")
    for here in (REPOSITORY, Path.home() / ".cargo"):
        if str(here).encode() + b"/" in program:
            raise Stop(f"{name} has a path of this machine in it: {here}")


def module(programs: dict[str, dict[str, bytes]]) -> dict[str, tuple[int, bytes]]:
    """The Terraform module with the programs, and their sums by architecture (terraform/zips.tf)."""
    root = REPOSITORY / "terraform"
    listed = git("ls-files", "terraform").splitlines()
    names = [Path(name).relative_to("terraform") for name in listed]
    files = {
        str(name): (0o644, (root / name).read_bytes()) for name in names if not NOT_OF_THE_MODULE & set(name.parts)
    }
    sums = {}
    for architecture, zips in sorted(programs.items()):
        sums[architecture] = {name: sha256(data) for name, data in zips.items()}
        files |= {f"zips/{architecture}/{name}.zip": (0o644, data) for name, data in zips.items()}
    return {**files, "zips/sums.json": (0o644, (json.dumps(sums, indent=2) + "\n").encode())}


def bills_of_materials(time: int) -> dict[str, str]:
    """What each program is made of, in CycloneDX, by the file's name."""
    variables = {**os.environ, "SOURCE_DATE_EPOCH": str(time)}
    run(["cargo-cyclonedx", "cyclonedx", "--format", "json", "--describe", "binaries"], variables)
    return dict(collected())


def collected() -> Iterator[tuple[str, str]]:
    for path in sorted(REPOSITORY.glob("**/*_bin.cdx.json")):
        text = path.read_text()
        path.unlink()
        # By chance, and where it was built, are no part of what it is.
        bill = json.loads(text.replace(f"path+file://{REPOSITORY}", "path+file://"))
        bill.pop("serialNumber", None)
        yield path.name.replace("_bin.cdx", ".cdx"), json.dumps(bill, indent=2, sort_keys=True) + "\n"


def zipped(program: bytes) -> bytes:
    """As Lambda wants it: one executable called bootstrap."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap", ZIP_TIME)
        entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100755 << 16, zipfile.ZIP_DEFLATED
        archive.writestr(entry, program, compresslevel=9)
    return memory.getvalue()


def archived(top: str, files: dict[str, tuple[int, bytes]], time: int) -> bytes:
    memory = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 9, memory, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, (mode, data) in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}" if top else name)
            entry.size, entry.mode, entry.mtime = len(data), mode, time
            archive.addfile(entry, io.BytesIO(data))
    return memory.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git(*arguments: str) -> str:
    return said("git", "-C", str(REPOSITORY), *arguments)


def said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Stop(f"{command[0]} is needed: {error}") from error


def run(command: list[str], variables: dict[str, str]) -> None:
    if subprocess.run(command, cwd=REPOSITORY, env=variables, check=False).returncode != 0:
        raise Stop(f"{' '.join(command[:3])} failed, as said above")


if __name__ == "__main__":
    sys.exit(main())
