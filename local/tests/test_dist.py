"""What a release holds, as far as nothing has to be built for it: `make dist` as a whole takes a quarter of an hour."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from iwomp_local import places
from iwomp_local.terraform import plugin_directory

sys.path.insert(0, str(places.REPOSITORY / "scripts"))
import dist

MOCKS = places.REPOSITORY / "terraform" / "tests" / "mocks"
RUNS = """
mock_provider "aws" {
  source          = "./mocks"
  override_during = plan
}

variables {
  image_tag    = "test"
  architecture = "arm64"
}

run "the_programs_of_the_release_are_taken" {
  command = plan

  assert {
    condition     = output.launcher_sha256 == filesha256("zips/arm64/launcher.zip")
    error_message = "Not the release's: ${output.launcher_sha256}"
  }
}

run "another_program_is_refused" {
  command = plan

  variables {
    notifier_zip = "zips/x86_64/notifier.zip"
  }

  expect_failures = [output.notifier_sha256]
}
"""


def programs() -> dict[str, dict[str, bytes]]:
    """Not what runs: only what the sums are made of."""
    return {
        each: {name: dist.zipped(f"{name} {each}".encode()) for name in dist.LAMBDAS} for each in ("arm64", "x86_64")
    }


def test_an_archive_is_the_same_whenever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    files = dist.module(programs())
    once = dist.archived("top", files, 1_790_000_000)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert dist.archived("top", dist.module(programs()), 1_790_000_000) == once
    with tarfile.open(fileobj=io.BytesIO(dist.archived("top", files, 1_790_000_000))) as archive:
        entries = archive.getmembers()
    assert {(entry.mtime, entry.uid, entry.uname) for entry in entries} == {(1_790_000_000, 0, "")}
    assert "top/main.tf" in {entry.name for entry in entries}
    assert not [entry.name for entry in entries if "/tests/" in entry.name]


def test_of_a_released_module_the_programs_are_those_that_it_was_released_with(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(dist.archived("", dist.module(programs()), 0))) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "mocks").symlink_to(MOCKS)
    (tmp_path / "release.tftest.hcl").write_text(RUNS)
    terraform = [str(places.program("terraform")), f"-chdir={tmp_path}"]
    plugins = plugin_directory()
    init = ["init", "-backend=false", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else [])]
    subprocess.run([*terraform, *init], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([*terraform, "test", "-no-color"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", dist.LAMBDAS)
def test_a_program_runs_on_lambdas_c_library_and_tells_nothing_of_this_machine(name: str) -> None:
    with zipfile.ZipFile(places.REPOSITORY / "target" / "lambda" / name / "bootstrap.zip") as built:
        dist.check(name, built.read("bootstrap"))
    with pytest.raises(dist.Stop, match=r"wants GLIBC \(2, 99\)"):
        dist.check(name, b"GLIBC_2.99")
    with pytest.raises(dist.Stop, match="a path of this machine"):
        dist.check(name, f"{places.REPOSITORY}/x.rs".encode())
