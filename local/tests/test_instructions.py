"""What a trigger and a byte of output cost, in instructions of the processor: no busy machine changes them.

They are counted in the program of the tests, which is not optimised, and around the code in question alone. A compiler
or a dependency that changes them shows here, too: record the new number if there is nothing to be done about it.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

from iwomp_local.places import REPOSITORY

TOLERANCE = 0.1
RECORDED = {  # by the program of tests and the test in it
    ("contract/tests/instructions.rs", "a_trigger_and_an_entry_are_read"): 353_000,
    ("lambdas/launcher/src/lib.rs", "handler::tests::a_launcher_that_is_warm_starts_a_build"): 6_200_000,
    ("worker/src/lib.rs", "mask::tests::much_text_without_a_secret_passes"): 180_700_000,
    ("worker/src/lib.rs", "mask::tests::much_text_full_of_secrets_is_masked"): 276_100_000,
}


@pytest.fixture(scope="module")
def programs() -> dict[str, Path]:
    """Those of the tests, by the file that they are made from. They are there already, if `cargo test` ran."""
    if obstacle():
        return {}
    command = ["cargo", "test", "--workspace", "--locked", "--no-run", "--message-format=json", "--quiet"]
    built = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout
    told = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
    made = [one for one in told if one.get("executable") and one["profile"]["test"]]
    return {str(Path(one["target"]["src_path"]).relative_to(REPOSITORY)): Path(one["executable"]) for one in made}


def obstacle() -> str | None:
    """Why nothing is judged here, if so."""
    if platform.machine() != "x86_64":
        return f"the numbers are of x86_64, and this is {platform.machine()}"
    return None if shutil.which("valgrind") else "there is no valgrind"


@pytest.mark.parametrize(("program", "test"), RECORDED)
def test_as_many_instructions_are_needed_as_were(program: str, test: str, programs: dict[str, Path]) -> None:
    if why_not := obstacle():
        warnings.warn(f"the instructions of {test} are not judged, for {why_not}", stacklevel=1)
        return
    counted, recorded = instructions(programs[program], test), RECORDED[program, test]
    assert counted <= recorded * (1 + TOLERANCE), f"{test} takes {counted:,} instructions, and took {recorded:,}"
    assert counted >= recorded * (1 - TOLERANCE), f"{test} takes {counted:,} instructions only: record that"


def instructions(program: Path, test: str) -> int:
    callgrind = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        "--toggle-collect=*counted_instructions*",
    ]
    told = subprocess.run([*callgrind, program, "--exact", test], capture_output=True, text=True, check=True)
    assert "1 passed" in told.stdout, told.stdout
    found = re.search(r"Collected : (\d+)", told.stderr)
    assert found, told.stderr
    return int(found[1])
