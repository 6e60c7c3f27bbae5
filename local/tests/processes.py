"""Finds the processes of a directory, to show that none is left."""

from __future__ import annotations

from pathlib import Path


def processes_in(directory: Path) -> list[int]:
    """Everybody whose working directory or log lies below `directory`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                inside = any(str(directory) in str((entry / link).readlink()) for link in ("cwd", "fd/1"))
            except OSError:
                continue
            if inside:
                found.append(int(entry.name))
    return found
