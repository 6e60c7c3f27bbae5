"""The deployer image for tests: built from the real Dockerfile, its root file system ready for builds of the local AWS.

Needs Linux, and root, to start builds as CodeBuild starts them. What is missing beside that is installed by apt. Where
no image registry can be reached, the bases are stand-ins of this machine's making. The worker is the one of `make
build`: what compiles it in the image is checked elsewhere (worker/README.md). Images and layers stay in the tool
folder, so that a machine makes them once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iwomp_local import places
from iwomp_local.standin.container import Image
from iwomp_local.terraform import plugin_directory

STORAGE = places.REPOSITORY / ".tools" / "images"
SYFT = places.REPOSITORY / ".tools" / "sbom" / "bin" / "syft"
# By the name of the program that is looked for.
PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "setpriv": "util-linux", "unshare": "util-linux"}
PROVIDERS = "/opt/terraform-providers"  # where a build finds Terraform's providers, if this machine has no registry

LOOK_SECONDS = 60.0
PULL_SECONDS = 600.0
BUILD_SECONDS = 1800.0


class ImageError(RuntimeError):
    """The image cannot be built or started here; the text says why and what to do."""


@contextmanager
def built() -> Iterator[Image]:
    """Builds the image, or takes the one that is there for the same content. Its root is gone afterwards."""
    require_root()
    install_what_is_missing()
    variables = environment()
    with alone():
        name = build("all", arguments(variables), variables)
        remove_what_builds_leave(variables)
        ours = ["buildah", "from", "--pull-never", "--name", f"tests-{os.getpid()}"]
        container = run([*ours, name], variables, LOOK_SECONDS)
    try:
        root = run(["buildah", "mount", container], variables, LOOK_SECONDS)
        providers = plugin_directory()
        yield Image(root, declared(name, variables), {} if providers is None else {str(providers): PROVIDERS})
    finally:
        run(["buildah", "rm", container], variables, LOOK_SECONDS)


def sizes(targets: Iterable[str]) -> dict[str, float]:
    """By target of the image: its megabytes, uncompressed, beyond those of its base. Built, where it is not there."""
    variables = environment()
    with alone():
        given = arguments(variables)
        base = next((text.partition("=")[2] for text in given if text.startswith("DEBIAN_IMAGE=")), declared_base())
        images = {target: build(target, given, variables) for target in targets}
    return {target: megabytes(name, variables) - megabytes(base, variables) for target, name in images.items()}


def bill(target: str) -> tuple[str, dict[str, Any]]:
    """The name of a target's image, and the bill of materials that comes with it."""
    if not SYFT.exists():
        raise ImageError("what lists the packages of the image is not installed: run `make .tools/sbom/complete`")
    variables = environment()
    with alone():
        name = build(target, arguments(variables), variables, str(SYFT))
        told: dict[str, Any] = json.loads((places.REPOSITORY / "target" / f"image-{target}.cdx.json").read_text())
    return name, told


@contextmanager
def alone() -> Iterator[None]:
    """Two builds at once would make everything twice."""
    with (STORAGE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(target: str, given: list[str], variables: dict[str, str], syft: str = "") -> str:
    """The image's name. With a syft, what is in it is listed where `make image` leaves it."""
    asked = {**variables, "IMAGE_TARGET": target, "SBOM": syft}
    return run(["worker/image.sh", "build", *given], asked, BUILD_SECONDS).splitlines()[-1]


def megabytes(name: str, variables: dict[str, str]) -> float:
    text = run(["buildah", "images", "--format", "{{.Size}}", name], variables, LOOK_SECONDS)
    number, unit = text.splitlines()[0].split()  # one line for each name that the same image has
    return float(number) * {"MB": 1, "GB": 1000}[unit]


def remove_what_builds_leave(variables: dict[str, str]) -> None:
    """Removes containers that would stay mounted: of stages that buildah forgets, and of tests that were killed.

    Not to be called while something builds.
    """
    listed = run(["buildah", "containers", "--format", "{{.ContainerName}}"], variables, LOOK_SECONDS).split()
    if left := [name for name in listed if "-working-container" in name or is_of_a_dead_process(name)]:
        run(["buildah", "rm", *left], variables, LOOK_SECONDS)


def is_of_a_dead_process(container: str) -> bool:
    prefix, _, pid = container.partition("-")
    return prefix == "tests" and not Path("/proc", pid).exists()


def require_root() -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise ImageError(
            "only root, on Linux, can start the deployer image as CodeBuild does: run the tests as root, in a virtual "
            "machine or on a CI's runner"
        )


def install_what_is_missing() -> None:
    missing = sorted({package for name, package in PACKAGES.items() if shutil.which(name) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ImageError(f"the deployer image cannot be built: install {', '.join(missing)}")
    for command in (
        ["apt-get", "update", "--quiet=2"],
        ["apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *missing],
    ):
        run(command, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, PULL_SECONDS)


def environment() -> dict[str, str]:
    """buildah, with its storage in the tool folder, without a container runtime, keeping the layers of each build."""
    STORAGE.mkdir(parents=True, exist_ok=True)
    configuration = STORAGE / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{STORAGE}/graph"\nrunroot = "{STORAGE}/run"\n'
        # It would mount its own folder on itself, for ever.
        '[storage.options.overlay]\nskip_mount_home = "true"\n'
    )
    return {
        **os.environ,
        "CONTAINERS_STORAGE_CONF": str(configuration),
        "CONTAINER_TOOL": "buildah",
        "BUILDAH_ISOLATION": "chroot",
        "BUILDAH_LAYERS": "true",
        "ARCHITECTURE": {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
    }


def arguments(variables: dict[str, str]) -> list[str]:
    """The Dockerfile's arguments: the worker that is built already, and stand-ins where the bases cannot be had."""
    stand_ins = [f"worker={places.worker()}"]
    if not can_pull(variables):
        stand_ins += ["debian", "node", "terraform", "opentofu"]
    return run(["worker/tests/stand_in_bases.sh", *stand_ins], variables, PULL_SECONDS).split()


def can_pull(variables: dict[str, str]) -> bool:
    """Whether the Dockerfile's own bases can be had: asked with the one that everything stands on."""
    pull = ["buildah", "pull", "--quiet", "--policy", "missing", declared_base()]
    try:
        done = subprocess.run(
            pull, env=variables, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PULL_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def declared_base() -> str:
    dockerfile = (places.REPOSITORY / "worker" / "Dockerfile").read_text()
    return dockerfile.partition("ARG DEBIAN_IMAGE=")[2].partition("\n")[0]


def declared(name: str, variables: dict[str, str]) -> dict[str, str]:
    """The environment that the image gives a container."""
    asked = json.loads(run(["buildah", "inspect", "--type", "image", name], variables, LOOK_SECONDS))
    return dict(entry.split("=", 1) for entry in asked["OCIv1"]["config"].get("Env") or [])


def run(command: list[str], variables: dict[str, str], timeout_seconds: float) -> str:
    """What a command printed. Raises ImageError with the end of what it complained of."""
    try:
        done = subprocess.run(
            command,
            cwd=places.REPOSITORY,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{' '.join(command)} was not over after {timeout_seconds:.0f} s") from error
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).splitlines()[-20:])
        raise ImageError(f"{' '.join(command)} failed with status {done.returncode}:\n{last}")
    return done.stdout.strip()
