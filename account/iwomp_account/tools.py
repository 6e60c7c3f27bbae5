"""The programs of this machine that a deployment needs: there, and new enough."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from iwomp_account.findings import Finding, Grade

SECONDS = 300.0  # of the slowest: terraform init, when the registry is far away
VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
PYTHON = (3, 11, 0)
# The last without protocol version 2, and without credentials through a pipe, is older than that.
GIT = (2, 30, 0)
# What the kernel runs foreign programs with, where a machine builds for another processor.
EMULATORS = Path("/proc/sys/fs/binfmt_misc")
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}

Version = tuple[int, int, int]
Run = Callable[[Sequence[str]], str | None]


def run(command: Sequence[str]) -> str | None:
    """What a program prints; None if it is not there or fails."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout or done.stderr


def version(text: str) -> Version | None:
    found = VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def dotted(number: Version) -> str:
    return ".".join(map(str, number))


def needed(file: Path, pattern: str) -> Version:
    """The lowest version that a file of the repository asks for, so that it stands in one place."""
    found = re.search(pattern, file.read_text())
    lowest = version(found[1]) if found else None
    return lowest or (0, 0, 0)


def look(repository: Path, architecture: str, run: Run = run) -> list[Finding]:
    terraform = needed(repository / "terraform" / "versions.tf", r'required_version\s*=\s*"([^"]+)"')
    rust = needed(repository / "Cargo.toml", r'rust-version\s*=\s*"([^"]+)"')
    zip_tools = "make builds them into .tools by itself: remove .tools/venv and run make build"
    return [
        at_least(
            "terraform", run(["terraform", "version"]), terraform, "https://developer.hashicorp.com/terraform/install"
        ),
        at_least("cargo", run(["cargo", "--version"]), rust, "https://rustup.rs, or `rustup update`"),
        at_least("cargo-lambda", run(["cargo", "lambda", "--version"]), (0, 0, 0), zip_tools),
        *rust_target(run(["rustup", "target", "list", "--installed"]), architecture),
        at_least("python", f"{sys.version_info.major}.{sys.version_info.minor}", PYTHON, "install a newer Python 3"),
        at_least("git", run(["git", "--version"]), GIT, "install a newer git"),
        at_least(
            "aws", run(["aws", "--version"]), (0, 0, 0), "https://docs.aws.amazon.com/cli/ (the image's push uses it)"
        ),
        *container_tool(repository, architecture, run),
    ]


def at_least(name: str, said: str | None, lowest: Version, where: str) -> Finding:
    found = version(said) if said is not None else None
    if said is None:
        return Finding(name, Grade.PROBLEM, "is not on the PATH, or does not run", where)
    if found is None:
        return Finding(name, Grade.UNKNOWN, "does not say its version", where)
    if found < lowest:
        return Finding(name, Grade.PROBLEM, f"{dotted(found)} is older than {dotted(lowest)}", where)
    return Finding(name, Grade.GOOD, dotted(found))


def rust_target(installed: str | None, architecture: str) -> list[Finding]:
    """Only where rustup is in use: a Rust of the system's has its own targets, and cargo says what it lacks."""
    if installed is None:
        return []
    triple = TRIPLES[architecture]
    if triple in installed.split():
        return [Finding("rust target", Grade.GOOD, triple)]
    return [Finding("rust target", Grade.PROBLEM, f"{triple} is not installed", f"rustup target add {triple}")]


def container_tool(repository: Path, architecture: str, run: Run) -> list[Finding]:
    """What builds the image, and whether the image is of the processor that the builds will have."""
    tool = (run([str(repository / "worker" / "image.sh"), "tool"]) or "").strip()
    if not tool or "\n" in tool:
        do = "install docker (and start it), podman or buildah; CONTAINER_TOOL names one of several"
        return [Finding("container tool", Grade.PROBLEM, "none of docker, podman and buildah works here", do)]
    found = [Finding("container tool", Grade.GOOD, tool)]
    own = MACHINES.get(platform.machine().lower(), platform.machine())
    if own == architecture:
        found.append(Finding("platform", Grade.GOOD, f"this machine builds for its own {architecture}"))
    elif emulates(architecture):
        saw = f"this {own} machine builds for {architecture} by emulation, which takes an hour rather than minutes"
        found.append(
            Finding("platform", Grade.WARNING, saw, f"build on such a machine, or deploy with ARCHITECTURE={own}")
        )
    else:
        saw = f"this machine is {own}, the image is to be {architecture}, and no emulator is registered"
        register = "docker run --privileged --rm tonistiigi/binfmt --install all"
        do = f"deploy with ARCHITECTURE={own}, or register one: {register}"
        found.append(Finding("platform", Grade.PROBLEM, saw, do))
    tag = (run([str(repository / "worker" / "image.sh"), "tag"]) or "").strip()
    return found + built(tool, f"iwomp:{tag}", architecture, run)


def emulates(architecture: str) -> bool:
    if sys.platform != "linux":
        return True  # Docker Desktop and podman's machine bring their own
    names = {"x86_64": ("qemu-x86_64", "rosetta"), "arm64": ("qemu-aarch64",)}
    return any((EMULATORS / name).exists() for name in names[architecture])


def built(tool: str, image: str, architecture: str, run: Run) -> list[Finding]:
    """An image of this tag that is here already would be pushed as it is."""
    ask = ["inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}}", image]
    if tool != "buildah":
        ask = ["image", "inspect", "--format", "{{.Architecture}}", image]
    said = (run([tool, *ask]) or "").strip()
    if not said or "\n" in said:
        return []  # not built yet
    if MACHINES.get(said, said) == architecture:
        return [Finding("image", Grade.GOOD, f"{image} is built for {architecture}")]
    saw = f"{image} is built for {said}, and ARCHITECTURE is {architecture}: its builds could not start"
    return [Finding("image", Grade.PROBLEM, saw, f"{tool} rmi {image}, then deploy again")]
