"""The lists of defences, as they are written. Nothing is run here."""

from __future__ import annotations

import shlex
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent
REQUIRED = {"name", "file", "old", "new", "test", "fails"}
OPTIONAL = {"only_as_root"}


# As one types it: cargo's in the repository, Terraform's in terraform/.
Command = tuple[str, ...]


class Defect(Exception):
    """A list that does not fit the code; the text says what to mend."""


def test_file(command: Command) -> str:
    """Of a command of Terraform's: the test file, as seen from the repository."""
    (filter_,) = (word for word in command if word.startswith("-filter="))
    return f"terraform/{filter_.removeprefix('-filter=')}"


@dataclass(frozen=True)
class Defence:
    """A defence: `old` in `file` is what defends, `new` is the same without; `fails` is the test that has to see it."""

    part: str
    name: str
    file: str
    old: str
    new: str
    command: Command
    fails: str
    # Its test shows nothing where the tests do not run as root.
    only_as_root: bool = False

    @property
    def title(self) -> str:
        return f"{self.part}: {self.name}"

    def off(self, text: str) -> str:
        """`text`, the content of its file, with this defence off."""
        found = text.count(self.old)
        if found != 1:
            raise Defect(f"{self.title}: the old text is {found} times in {self.file}, and not once")
        return text.replace(self.old, self.new)


def all_defences() -> list[Defence]:
    defences = [defence for file in sorted(LISTS.glob("*.toml")) for defence in read(file)]
    repeated = [title for title, count in Counter(defence.title for defence in defences).items() if count > 1]
    if repeated:
        raise Defect(f"listed twice: {', '.join(repeated)}")
    return defences


def read(file: Path) -> list[Defence]:
    document = tomllib.loads(file.read_text())
    shared = {"test": document["test"]} if "test" in document else {}
    return [defence(file.stem.replace("_", " "), shared | fields) for fields in document["defence"]]


def defence(part: str, fields: dict[str, str]) -> Defence:
    if not REQUIRED <= set(fields) <= REQUIRED | OPTIONAL:
        raise Defect(f"{part}: {fields.get('name')}: must have {sorted(REQUIRED)}, and may have {sorted(OPTIONAL)}")
    if fields["old"] == fields["new"]:
        raise Defect(f"{part}: {fields['name']}: nothing changes")
    command = tuple(shlex.split(fields["test"]))
    if command[:2] not in (("cargo", "test"), ("terraform", "test")):
        raise Defect(f"{part}: {fields['name']}: the test is neither cargo's nor Terraform's")
    return Defence(
        part,
        fields["name"],
        fields["file"],
        fields["old"],
        fields["new"],
        command,
        fields["fails"],
        bool(fields.get("only_as_root", False)),
    )
