"""Where things are: the repository's folders, and what `make build` leaves in them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TERRAFORM = REPOSITORY / "terraform"
STACKS = REPOSITORY / ".local"
DEFAULT_STACK = STACKS / "default"
ACCOUNT = STACKS / "account"
LAUNCHER_ZIP = REPOSITORY / "target" / "lambda" / "launcher" / "bootstrap.zip"
NOTIFIER_ZIP = REPOSITORY / "target" / "lambda" / "notifier" / "bootstrap.zip"
BROKER_ZIP = REPOSITORY / "target" / "lambda" / "broker" / "bootstrap.zip"


class Missing(RuntimeError):
    """Something that has to be there is not; the text says how to get it."""


def launcher_zip() -> Path:
    return built(LAUNCHER_ZIP)


def notifier_zip() -> Path:
    return built(NOTIFIER_ZIP)


def broker_zip() -> Path:
    return built(BROKER_ZIP)


def built(path: Path) -> Path:
    if not path.exists():
        raise Missing(f"{path.relative_to(REPOSITORY)} is not there: run `make build`")
    return path


def worker() -> Path:
    """The worker's binary, the newest if it was built for several targets."""
    target = REPOSITORY / "target"
    built = [*target.glob("release/iwomp-worker"), *target.glob("*/release/iwomp-worker")]
    if not built:
        raise Missing("the worker is not built: run `make build`")
    return max(built, key=lambda path: path.stat().st_mtime)


def iwomp() -> Path:
    """The program for people, the newest if there are several: `cargo test` builds it, too."""
    target = REPOSITORY / "target"
    built = [*target.glob("debug/iwomp"), *target.glob("release/iwomp")]
    if not built:
        raise Missing("iwomp is not built: run `make iwomp`")
    return max(built, key=lambda path: path.stat().st_mtime)


def program(name: str) -> Path:
    """A program of the virtual environment or of the machine."""
    beside_python = Path(sys.prefix) / "bin" / name
    if beside_python.exists():
        return beside_python
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not on the PATH: install it")
    return Path(found)
