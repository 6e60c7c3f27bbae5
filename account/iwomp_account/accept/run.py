"""The acceptance run from its beginning to its end: deploy, try, destroy, whatever happens between."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from iwomp_account import quotas
from iwomp_account.accept import remains, terraform, waiting
from iwomp_account.accept.bystanders import Bystanders, policy
from iwomp_account.accept.deployed import Deployed
from iwomp_account.accept.repository import Repository
from iwomp_account.accept.scenarios import Scenarios
from iwomp_account.accept.table import Table, Verdict
from iwomp_account.accept.terraform import Terraform
from iwomp_account.findings import Grade
from iwomp_account.place import AccountError, Place, one_line

REPOSITORY = Path(__file__).resolve().parents[3]
PROJECT = "accept"
COMPUTE_TYPE = "BUILD_GENERAL1_SMALL"  # the module's default
RETRY_SECONDS = 20  # the least that the module takes: what has to wait comes back soon
IMAGE_SECONDS = 3600.0
# Of KMS: a key of the pipeline's cannot be removed at once, only after so many days.
KEY_DAYS = 30


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    git_url: str
    push_url: str
    scratch: Path  # folder for state and results
    architecture: str = "x86_64"
    credentials: dict[str, str] | None = None
    ca_bundle: str | None = None
    image_tag: str | None = None  # pushed already; None: build and push
    zips: tuple[Path, Path] = (
        REPOSITORY / "target" / "lambda" / "launcher" / "bootstrap.zip",
        REPOSITORY / "target" / "lambda" / "notifier" / "bootstrap.zip",
    )


@dataclass
class Acceptance:
    """One run. `run` returns the exit status."""

    place: Place
    options: Options
    table: Table = field(default_factory=Table)
    name: str = field(default_factory=lambda: f"accept-{secrets.token_hex(4)}")
    _left: list[str] = field(default_factory=list)
    _begin: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.config_path = f"iwomp-{self.name}"
        self.directory = self.options.scratch / self.config_path
        self.patience = waiting.LOCAL if self.place.is_local else waiting.Patience()
        self.repository = Repository(self.directory / "commits.git", self.options.push_url, self.config_path)
        self.bystanders = Bystanders(self.place, self.patience, self.config_path)
        self.parameter = f"/{self.name}-deployed-by/the-command"
        self.user = f"intruder-of-{self.config_path}"
        self.terraform: Terraform | None = None

    def run(self) -> int:
        print(f"iwomp accept: {self.config_path} in {self.place}, as {self.place.caller}", flush=True)
        self.directory.mkdir(parents=True)
        try:
            self._deploy_and_try()
        except KeyboardInterrupt:
            self.tell("interrupted: what was made is taken down now, which takes some minutes")
            self.table.say("destroyed", Verdict.NOT_REACHED, "interrupted")
        except (AccountError, BotoCoreError, ClientError, OSError) as error:
            self.table.say("deployed", Verdict.BROKEN, one_line(error))
            self.tell(f"it cannot go on: {error}")
        finally:
            self._clean_up()
        return self._report()

    def tell(self, text: str) -> None:
        print(f"  {time.monotonic() - self._begin:7.1f} s  {text}", flush=True)

    def _deploy_and_try(self) -> None:
        self.repository.begin()
        self.bystanders.listen()
        self._deploy()
        assert self.terraform is not None  # noqa: S101 (the step before made it)
        outputs = self.terraform.outputs()
        self.bystanders.hear(outputs["reports_topic_arn"])
        project = outputs["projects"][PROJECT]
        if self.options.credentials is not None:
            self._store_credentials(project["credentials_parameter"], outputs["kms_key_arn"])
        session = self.bystanders.ci(project["topic_arn"])
        deployed = Deployed(self.place, self.patience, outputs, PROJECT, session)
        plan = InBackground(self.terraform.pending_changes)
        scenarios = Scenarios(
            deployed=deployed,
            repository=self.repository,
            bystanders=self.bystanders,
            table=self.table,
            tell=self.tell,
            parameter=self.parameter,
            user=self.user,
            namespace=self.name,
            state=self.terraform.state,
            secret=longest(self.options.credentials),
            has_builds_to_spare=self._has_builds_to_spare,
        )
        try:
            scenarios.run()
        finally:
            pending, error = plan.wait()
        if error is not None:
            self.table.say("settled", Verdict.BROKEN, one_line(error))
        else:
            self.table.check("settled", not pending, f"it would change: {pending[:300]}" if pending else "no changes")

    def _has_builds_to_spare(self) -> bool:
        try:
            found = quotas.builds(self.place, [COMPUTE_TYPE], self.options.architecture)
        except (BotoCoreError, ClientError):
            return False
        return all(finding.grade is Grade.GOOD for finding in found)

    def _deploy(self) -> None:
        values = {
            "config_path": self.config_path,
            "architecture": self.options.architecture,
            "image_tag": self.options.image_tag or "none",
            "launcher_zip": str(self.options.zips[0].resolve()),
            "notifier_zip": str(self.options.zips[1].resolve()),
            "alarm_actions": [self.bystanders.alarm_topic],
            "retry_seconds": RETRY_SECONDS,
            "max_wait_seconds": 3600,
            "log_retention_days": 1,
            "projects": {PROJECT: self._project()},
        }
        variables = terraform.environment(self.place.region)
        self.terraform = Terraform.copy(REPOSITORY / "terraform", self.directory / "terraform", variables, values)
        self.terraform.init()
        if self.options.image_tag is None:
            self.tell("the image is built and pushed")
            self.terraform.apply("-target=aws_ecr_repository.this")
            self.terraform.set(image_tag=self._push_image(self.terraform.outputs()["repository_url"]))
        self.tell("terraform apply")
        begin = time.monotonic()
        self.terraform.apply()
        made = len(self.terraform.resources())
        self.table.check("deployed", True, f"{made} resources in {time.monotonic() - begin:.0f} s")

    def _project(self) -> dict[str, Any]:
        partition = self.place.caller.split(":")[1]
        rights = {
            "Effect": "Allow",
            "Action": "ssm:PutParameter",
            "Resource": f"arn:{partition}:ssm:{self.place.region}:{self.place.account}:parameter{self.parameter}",
        }
        return {
            "git_url": self.options.git_url,
            "command": "deploy.sh",
            "branches": [f"{self.config_path}/*"],
            "own_topic": True,
            "timeout_minutes": 15,
            "policy_json": policy(rights),
            **({"ca_bundle": self.options.ca_bundle} if self.options.ca_bundle else {}),
        }

    def _push_image(self, repository_url: str) -> str:
        """As `make deploy`; returns the digest."""
        done = subprocess.run(
            [str(REPOSITORY / "worker" / "image.sh"), "push", repository_url],
            env={**terraform.environment(self.place.region), "ARCHITECTURE": self.options.architecture},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=IMAGE_SECONDS,
        )
        if done.returncode != 0:
            raise AccountError("the image was not pushed; worker/image.sh said why")
        return done.stdout.split()[-1]

    def _store_credentials(self, parameter: str, key_arn: str) -> None:
        """As `iwomp secret set`."""
        self.place.client("ssm").put_parameter(
            Name=parameter, Value=json.dumps(self.options.credentials), Type="SecureString", KeyId=key_arn,
            Overwrite=True, Tier="Intelligent-Tiering",
        )  # fmt: skip

    def _clean_up(self) -> None:
        """Goes on whatever fails, and keeps a list of what stays. A second Ctrl-C ends only the step that runs."""
        for what, step in (
            ("terraform destroy", self._destroy),
            ("parameters and logs", self._remove_written),
            ("the CI's role, topic and queue", lambda: self._left.extend(self.bystanders.remove())),
            ("the branches", self.repository.remove),
            ("what is left", self._look_around),
        ):
            self.tell(f"taking down: {what}")
            try:
                step()
            except (Exception, KeyboardInterrupt) as error:
                self._left.append(f"{what}: {one_line(error) or 'interrupted'}")

    def _destroy(self) -> None:
        if self.terraform is None:
            self.table.say("destroyed", Verdict.NOT_REACHED, "nothing was applied")
            return
        try:
            self.terraform.destroy()
            left = self.terraform.resources()
        except AccountError as error:
            self.table.say("destroyed", Verdict.BROKEN, one_line(error))
            raise AccountError(
                f"{one_line(error)}: try again with terraform -chdir={self.terraform.directory} destroy"
            ) from error
        self.table.check("destroyed", not left, ", ".join(left) or "no resource is left in the state")

    def _remove_written(self) -> None:
        self._left += remains.remove_written(self.place, self.config_path, [self.parameter])

    def _look_around(self) -> None:
        found = remains.find(self.place, self.name)
        self._left += [item for item in found if not item.startswith("user ")]
        users = [item for item in found if item.startswith("user ")]
        if users:
            self.table.say("role", Verdict.BROKEN, f"the command made {', '.join(users)}")
            self._left += users

    def _report(self) -> int:
        stays = f"The KMS key is deleted by AWS after {KEY_DAYS} days; CodeBuild keeps the builds' records for a year."
        if self._left:
            self.table.say("nothing_left", Verdict.BROKEN, "; ".join(self._left))
        else:
            self.table.check("nothing_left", True, stays)
            shutil.rmtree(self.directory)
        document = self.options.scratch / f"{self.config_path}.json"
        document.write_text(
            self.table.document(
                config_path=self.config_path,
                account=self.place.account,
                region=self.place.region,
                endpoint=self.place.endpoint,
                seconds=round(time.monotonic() - self._begin),
            )
        )
        print(f"\n{self.table.text()}\n\n  {stays}\n  as JSON: {document}", flush=True)
        if self._left:
            print("  STILL THERE, remove it by hand:", file=sys.stderr)
            for item in self._left:
                print(f"    {item}", file=sys.stderr)
        return 0 if self.table.is_good else 1


class InBackground:
    """A call in a thread of its own, with its answer or its error."""

    def __init__(self, call: Callable[[], str]) -> None:
        self._answer, self._error = "", None  # type: tuple[str, Exception | None]
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], str]) -> None:
        try:
            self._answer = call()
        except Exception as error:
            self._error = error

    def wait(self) -> tuple[str, Exception | None]:
        self._thread.join()
        return self._answer, self._error


def longest(credentials: dict[str, str] | None) -> str | None:
    """What to look for in logs and state: the longest value is the secret, or holds it."""
    return max(credentials.values(), key=len) if credentials else None
