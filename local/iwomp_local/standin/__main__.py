"""Starts ministack with the stand-in in place. The emulator runs this; nobody else should."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

PINNED = "1.5.33"  # the same as in requirements.txt: private functions are replaced, so no other version will do


def main() -> None:
    found = version("ministack")
    if found != PINNED:
        sys.exit(
            f"ministack {found} is installed, but the CodeBuild stand-in is written against {PINNED}: "
            "install local/requirements.txt, or port local/iwomp_local/standin to the new version and run its tests"
        )
    # Imported only now, so that a wrong version is reported as that and not as a missing name.
    from iwomp_local.standin import ministack_parts  # noqa: PLC0415

    ministack_parts.install(
        build_path=os.environ["IWOMP_BUILD_PATH"], build_directory=Path(os.environ["IWOMP_BUILD_DIRECTORY"])
    )
    ministack_parts.serve()


if __name__ == "__main__":
    main()
