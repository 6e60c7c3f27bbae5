"""Reads a buildspec (version 0.2) into the shell script that a build runs: the commands of its one phase, `build`.

That is all that the pipeline's has. What is not known is refused: a buildspec that works here because half of it was
ignored would fail at AWS.
"""

from __future__ import annotations

import shlex
from typing import Any

import yaml


class BuildspecError(ValueError):
    """The buildspec is not one that CodeBuild, or the stand-in, understands."""


def parse(text: str) -> list[str]:
    """The commands of an inline buildspec. Raises BuildspecError with the offending key."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"YAML_FILE_ERROR: the buildspec is not YAML: {error}") from error
    top = table(document, "the buildspec", {"version", "phases"})
    if str(top.get("version")) != "0.2":
        raise BuildspecError("YAML_FILE_ERROR: version must be 0.2")
    phases = table(top.get("phases"), "phases", {"build"})
    commands = table(phases.get("build"), "phases.build", {"commands"}).get("commands")
    if not isinstance(commands, list) or not all(isinstance(command, str) for command in commands):
        raise BuildspecError("YAML_FILE_ERROR: phases.build.commands must be a list of strings")
    return commands


def script(commands: list[str]) -> str:
    """A shell script that announces each command as CodeBuild does and stops at the first failure."""
    lines = []
    for command in commands:
        announced = shlex.quote(f"[Container] Running command {command}")
        lines += [
            f"printf '%s\\n' {announced}",
            command,
            'iwomp_status=$?; [ "$iwomp_status" -eq 0 ] || exit "$iwomp_status"',
        ]
    return "\n".join(lines)


def table(value: Any, where: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BuildspecError(f"YAML_FILE_ERROR: {where} must be a mapping")
    if unknown := sorted(str(key) for key in value if key not in known):
        raise BuildspecError(f"YAML_FILE_ERROR: {where} has keys that the local CodeBuild does not know: {unknown}")
    return value
