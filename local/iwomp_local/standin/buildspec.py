"""Reads a buildspec (version 0.2) into the shell scripts that a build runs, one a phase.

It refuses what it does not know: a buildspec that works here because half of it was ignored would fail at AWS.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
SHELLS = {"sh": "/bin/sh", "/bin/sh": "/bin/sh", "bash": "/bin/bash"}


class BuildspecError(ValueError):
    """The buildspec is not one that CodeBuild, or the stand-in, understands."""


@dataclass(frozen=True)
class Phase:
    """One phase: its commands, run in order until one fails, then its `finally` commands."""

    name: str
    commands: tuple[str, ...]
    finally_commands: tuple[str, ...]
    run_as: str | None

    def script(self) -> str:
        """A shell script that announces each command as CodeBuild does and stops at the first failure."""
        lines = ["iwomp_status=0"]
        for command in self.commands:
            lines += ['if [ "$iwomp_status" -eq 0 ]; then', announce(command), command, "iwomp_status=$?", "fi"]
        for command in self.finally_commands:
            keep_first_failure = 'iwomp_last=$?; [ "$iwomp_status" -ne 0 ] || iwomp_status=$iwomp_last'
            lines += [announce(command), command, keep_first_failure]
        lines.append('exit "$iwomp_status"')
        return "\n".join(lines)


@dataclass(frozen=True)
class Buildspec:
    """What a build does."""

    shell: str
    variables: dict[str, str]
    parameters: dict[str, str]
    phases: tuple[Phase, ...]


def parse(text: str) -> Buildspec:
    """Reads an inline buildspec. Raises BuildspecError with the offending key."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"YAML_FILE_ERROR: the buildspec is not YAML: {error}") from error
    top = table(document, "the buildspec", {"version", "run-as", "env", "phases"})
    if str(top.get("version")) != "0.2":
        raise BuildspecError("YAML_FILE_ERROR: version must be 0.2")
    env = table(top.get("env") or {}, "env", {"shell", "variables", "parameter-store"})
    shell = SHELLS.get(str(env.get("shell", "sh")))
    if shell is None:
        raise BuildspecError(f"YAML_FILE_ERROR: env.shell must be one of {', '.join(SHELLS)}")
    phases = table(top.get("phases"), "phases", set(PHASES))
    if not phases:
        raise BuildspecError("YAML_FILE_ERROR: phases must not be empty")
    return Buildspec(
        shell=shell,
        variables=texts(env.get("variables") or {}, "env.variables"),
        parameters=texts(env.get("parameter-store") or {}, "env.parameter-store"),
        phases=tuple(phase(name, phases[name], top.get("run-as")) for name in PHASES if name in phases),
    )


def phase(name: str, value: Any, run_as: str | None) -> Phase:
    entry = table(value or {}, f"phases.{name}", {"run-as", "commands", "finally"})
    return Phase(
        name=name,
        commands=commands(entry.get("commands"), f"phases.{name}.commands"),
        finally_commands=commands(entry.get("finally"), f"phases.{name}.finally"),
        run_as=entry.get("run-as", run_as),
    )


def announce(command: str) -> str:
    return "printf '%s\\n' " + shlex.quote(f"[Container] Running command {command}")


def table(value: Any, where: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BuildspecError(f"YAML_FILE_ERROR: {where} must be a mapping")
    if unknown := sorted(str(key) for key in value if key not in known):
        raise BuildspecError(f"YAML_FILE_ERROR: {where} has keys that the local CodeBuild does not know: {unknown}")
    return value


def texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BuildspecError(f"YAML_FILE_ERROR: {where} must be a mapping")
    return {str(key): str(item) for key, item in value.items()}


def commands(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BuildspecError(f"YAML_FILE_ERROR: {where} must be a list of strings")
    return tuple(value)
