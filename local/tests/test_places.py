"""What is there to run with: what `make build` leaves, and Terraform with its provider and nobody's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from iwomp_local import places, terraform


def test_without_a_build_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "REPOSITORY", tmp_path)
    monkeypatch.setattr(places, "LAUNCHER_ZIP", tmp_path / "bootstrap.zip")
    monkeypatch.setattr(places, "NOTIFIER_ZIP", tmp_path / "bootstrap.zip")
    monkeypatch.setattr(places, "BROKER_ZIP", tmp_path / "bootstrap.zip")
    for look in (places.launcher_zip, places.notifier_zip, places.broker_zip, places.worker):
        with pytest.raises(places.Missing, match="make build"):
            look()


def test_the_provider_is_found_where_a_variable_says(tmp_path: Path) -> None:
    assert terraform.plugin_directory({"TF_PLUGIN_DIR": str(tmp_path)}) == tmp_path


def test_terraform_sees_no_setting_that_leads_to_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("TF_VAR_config_path", "mine")
    variables = terraform.environment({"AWS_REGION": "eu-central-1"})
    assert {name for name in variables if name.startswith(("AWS_", "TF_VAR_"))} == {"AWS_REGION"}
