"""Finds a pipeline as `iwomp` does: by the description that Terraform leaves in SSM, and by the projects' names.

Nothing is taken from Terraform's state, so that whoever may read the account can judge it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Client = Callable[[str], Any]
IAM_LETTERS = 64  # of a name
PROJECTS_A_CALL = 100  # CodeBuild's own

# What the parameters are called: `/<config path>-<tree>/<project>`, and everybody's `/<config path>/<name>`. A test of
# the contract compares these with contract/src/parameter.rs.
TREES = ("credentials", "deployed", "notify", "paused", "reported")
DESCRIPTION = "_pipeline"
EVERYBODYS = ("_default", DESCRIPTION)


class NotVerified(RuntimeError):
    """Nothing can be said; the text says why and what to do."""


@dataclass(frozen=True)
class Names:
    """What a project's things are called; terraform/modules/project has the same."""

    build_project: str
    register: str
    role_arn: str
    boundary_arn: str
    path: str  # under which it may make roles of its own


@dataclass(frozen=True)
class Pipeline:
    """Where the things of a pipeline are."""

    description: dict[str, Any]
    client: Client

    @classmethod
    def find(cls, client: Client, config_path: str) -> Pipeline:
        once: Client = functools.cache(client)
        ssm, name = once("ssm"), f"/{config_path}/{DESCRIPTION}"
        try:
            text = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            where = ssm.meta.region_name
            raise NotVerified(
                f"there is no pipeline {config_path} in {where}: no parameter {name}; name it with --config-path"
            ) from None
        return cls(json.loads(text), once)

    def __getitem__(self, key: str) -> str:
        return str(self.description[key])

    @property
    def iam_prefix(self) -> str:
        """What the names of the pipeline's roles and users begin with: IAM is the whole account's."""
        return iam_prefix(self["config_path"], self["region"])

    @property
    def iam(self) -> str:
        return f"arn:{self['partition']}:iam::{self['account']}"

    def projects(self) -> dict[str, dict[str, Any]]:
        """The projects, each as CodeBuild describes it; one that is not registered yet has its role already."""
        prefix = f"{self['config_path']}--"
        pages = self.client("codebuild").get_paginator("list_projects").paginate()
        names = sorted(name for page in pages for name in page["projects"] if name.startswith(prefix))
        return {build["name"].removeprefix(prefix): build for build in self._build_projects(names)}

    def _build_projects(self, names: list[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(names), PROJECTS_A_CALL):
            some = names[start : start + PROJECTS_A_CALL]
            yield from self.client("codebuild").batch_get_projects(names=some)["projects"]

    def names(self, project: str, build: dict[str, Any]) -> Names:
        role_arn: str = build["serviceRole"]
        role = role_arn.rpartition("/")[2]
        return Names(
            build["name"],
            f"/{self['config_path']}/{project}",
            role_arn,
            f"{self.iam}:policy/{role[:118]}-boundary",
            f"/{self['config_path']}/{self['region']}/{shortened(project, 24, 15)}/",
        )

    def publishers(self) -> dict[str, str]:
        """By the name that a CI's identity for a project has: the project's own topic."""
        return {
            shortened(f"{self.iam_prefix}{name}.publisher", IAM_LETTERS, 55): f"{self['topic_arn']}--{name}"
            for name in self.projects()
        }


def iam_prefix(config_path: str, region: str) -> str:
    return f"{config_path}--{region}--"


def shortened(name: str, most: int, kept: int) -> str:
    """A name that fits, told by a hash from others that begin alike; Terraform does the same."""
    return name if len(name) <= most else f"{name[:kept]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
