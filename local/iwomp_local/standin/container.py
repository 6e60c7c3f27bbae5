"""A build's container, where the emulator was told of the image: its root file system, and CodeBuild's own tree in it.

Told it is by a file, images.json beside the builds' directory, which says for the name of an image what its root file
system is. A build whose project names another image runs as a process of this machine, on which nothing is an image's.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path

ENTER = Path(__file__).with_name("enter.sh")
TREE = "/codebuild"
OUTPUT = f"{TREE}/output"
SOURCE = f"{OUTPUT}/src1/src"  # at AWS the number is another one in each build
OWN = f"{OUTPUT}/tmp"  # noqa: S108 (the path in the container)
SCRIPT = f"{OWN}/script.sh"
VARIABLES = f"{OWN}/env.sh"
DIRECTORY = f"{OWN}/dir.txt"


@dataclass(frozen=True)
class Image:
    """A built image: where its root is, what its environment is, and what is laid over it, read-only, from here."""

    root: str
    variables: dict[str, str]
    mounts: dict[str, str] = field(default_factory=dict)  # from this machine's path to the container's


def images_file(directory: Path) -> Path:
    """The file of the emulator in `directory`."""
    return directory / "images.json"


def known_images(directory: Path) -> dict[str, Image]:
    """The images that the emulator in `directory` has been told of, by name."""
    try:
        text = images_file(directory).read_text()
    except FileNotFoundError:
        return {}
    return {name: Image(**entry) for name, entry in json.loads(text).items()}


def tell(directory: Path, name: str, image: Image) -> None:
    """From now on, builds of projects with the image `name` run on its file system."""
    known = {**known_images(directory), name: image}
    fresh = images_file(directory).with_suffix(".new")
    fresh.write_text(json.dumps({name: asdict(image) for name, image in known.items()}))
    fresh.replace(images_file(directory))


@dataclass(frozen=True)
class Container:
    """The container of one build, in a directory of this machine."""

    image: Image
    place: Path

    def command(self, script: str, variables: dict[str, str]) -> list[str]:
        """What to run for `script` to run in it. Writes CodeBuild's tree, readable by everybody, as at AWS."""
        for name in ("upper", "work", "root"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        (self.place / "upper").chmod(0o755)
        (self.place / "mounts").write_text("".join(f"{here}\t{there}\n" for here, there in self.image.mounts.items()))
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
        self._write(VARIABLES, exports)
        self._write(DIRECTORY, SOURCE + "\n")
        self._write(SCRIPT, f'cd "$(cat {DIRECTORY})" || exit 1\n. {VARIABLES}\n{script}\n')
        for folder in (SOURCE, f"{TREE}/readonly/bin", f"{TREE}/bootstrap"):
            self._make(folder)
        # In a process of its own right from the start, so that none outside has to be told of the namespaces' end.
        unshare = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--"]
        return [*unshare, str(ENTER), self.image.root, str(self.place), "/bin/sh", SCRIPT]

    def _write(self, path: str, text: str) -> None:
        self._make(str(Path(path).parent))
        file = self.place / "upper" / path.lstrip("/")
        file.write_text(text)
        file.chmod(0o644)

    def _make(self, path: str) -> None:
        made = self.place / "upper"
        for part in Path(path.lstrip("/")).parts:
            made /= part
            made.mkdir(exist_ok=True)
            made.chmod(0o755)
