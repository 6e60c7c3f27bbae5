"""Who reads which secret: every role of the pipeline, every secret, every way to read one. Allowed is the diagonal.

Judged twice. By the local AWS, which gets every call with a session of the role: ministack evaluates the policies as
applied; that a SecureString needs `kms:Decrypt` with its encryption context is a correction of ours
(`standin/authorisation.py`), because ministack itself decrypts for whoever may read. And by the judge of `make
verify-boundary`, which goes by IAM's documentation and the policies as read back, and asks ministack nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_under_test import CANARY, PipelineUnderTest
from sessions import Client, of_role

from iwomp_boundary.attempts import DENIED
from iwomp_boundary.conditions import Context
from iwomp_boundary.judge import Kind, Principal, Request, allowed
from iwomp_boundary.policy import statements_of
from iwomp_boundary.snapshot import Snapshot
from iwomp_local.emulator import ACCOUNT, REGION

VIA_SSM = {"kms:viaservice": f"ssm.{REGION}.amazonaws.com"}


@dataclass(frozen=True)
class Secret:
    """A parameter, and the role that may read it: none, if every project lies over it, and each may."""

    name: str
    reader: str | None

    @property
    def arn(self) -> str:
        return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{self.name}"


def decrypted(parameters: list[dict[str, Any]], secret: Secret) -> str:
    return "".join(parameter["Value"] for parameter in parameters if parameter["Name"] == secret.name)


def by_name(client: Client, secret: Secret) -> str:
    answer = client("ssm").get_parameter(Name=secret.name, WithDecryption=True)
    return decrypted([answer["Parameter"]], secret)


def by_names(client: Client, secret: Secret) -> str:
    answer = client("ssm").get_parameters(Names=[secret.name], WithDecryption=True)
    return decrypted(answer["Parameters"], secret)


def by_path(client: Client, secret: Secret) -> str:
    path = secret.name.rpartition("/")[0]
    pages = client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=True)
    return decrypted([parameter for page in pages for parameter in page["Parameters"]], secret)


def by_path_undecrypted(client: Client, secret: Secret) -> str:
    path = secret.name.rpartition("/")[0]
    pages = client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    return decrypted([parameter for page in pages for parameter in page["Parameters"]], secret)


def by_history(client: Client, secret: Secret) -> str:
    answer = client("ssm").get_parameter_history(Name=secret.name, WithDecryption=True)
    return decrypted(answer["Parameters"], secret)


WAYS: dict[str, Callable[[Client, Secret], str]] = {
    "GetParameter": by_name,
    "GetParameters": by_names,
    "GetParametersByPath": by_path,
    "GetParametersByPath without decryption": by_path_undecrypted,
    "GetParameterHistory": by_history,
}
# The others are nobody's. The worker asks for names, and each name is in its policy.
OF_A_PROJECT = {"GetParameter", "GetParameters"}
COURIER = "(courier)"
OF_THE_COURIER = {"GetParameter"}


@pytest.fixture(scope="module")
def secrets(pipeline: PipelineUnderTest) -> Iterator[list[Secret]]:
    """Every SecureString there is, a target's among them, and the entry that lies under all, which could be one."""
    cp, ssm = pipeline.config_path, pipeline.stack.emulator.client("ssm")
    key, target = pipeline.stack.pipeline.outputs["kms_key_arn"], f"/{cp}-notify/told/matrix"
    ssm.put_parameter(Name=target, Value=f"{CANARY}-target", Type="SecureString", KeyId=key)
    pages = ssm.get_paginator("describe_parameters").paginate()
    names = {entry["Name"] for page in pages for entry in page["Parameters"] if entry["Type"] == "SecureString"}
    found = [Secret(name, COURIER if "-notify/" in name else name.rpartition("/")[2]) for name in sorted(names)]
    assert {secret.name.split("/")[1] for secret in found} == {cp, f"{cp}-credentials", f"{cp}-notify"}
    yield [*found, Secret(f"/{cp}/_default", None)]
    ssm.delete_parameter(Name=target)


@pytest.fixture(scope="module")
def clients(pipeline: PipelineUnderTest, roles: dict[str, str]) -> dict[str, Client]:
    """A session of each role."""
    return {role: of_role(pipeline.stack.emulator, arn) for role, arn in roles.items()}


@pytest.fixture(scope="module")
def roles(applied: Snapshot) -> dict[str, str]:
    """Every role of the pipeline by what it is for. A project is named like its project."""
    parts = {
        "(launcher)": applied.launcher,
        "(notifier)": applied.notifier,
        COURIER: applied.courier,
        "(scheduler)": applied.scheduler,
        **({"(broker)": applied.broker.role} if applied.broker else {}),
    }
    projects = {name: project.role for name, project in applied.projects.items()}
    assert len(projects) > 10
    assert {*parts.values(), *projects.values()} == set(applied.identities) - set(applied.publishers)
    return {**projects, **parts}


def is_own(role: str, secret: Secret) -> bool:
    return role == secret.reader or (secret.reader is None and not role.startswith("("))


def read_by(client: Client, secret: Secret, way: str) -> str:
    """The secret, or nothing if that is denied. Any other error is one of the test."""
    try:
        return WAYS[way](client, secret)
    except ClientError as error:
        assert error.response["Error"]["Code"] in DENIED, (secret.name, way, error)
        return ""


def test_every_role_reads_its_own_secrets_and_nobody_elses(
    pipeline: PipelineUnderTest, secrets: list[Secret], clients: dict[str, Client]
) -> None:
    root = pipeline.stack.emulator.client
    plain = {secret: by_name(root, secret) for secret in secrets}
    assert sum(CANARY in text for text in plain.values()) >= 6
    wrong = []
    for role, client in clients.items():
        for secret, way in itertools.product(secrets, WAYS):
            got = read_by(client, secret, way) == plain[secret]
            expected = is_own(role, secret) and way in (OF_THE_COURIER if role == COURIER else OF_A_PROJECT)
            if secret.reader is None and role in ("(launcher)", "(notifier)", COURIER, "(broker)"):
                # It is a String here and holds no secret; three read it, and the notifier lists the register.
                expected = way == (
                    "GetParametersByPath without decryption" if role == "(notifier)" else "GetParameters"
                )
            if got != expected:
                wrong.append((role, way, secret.name, got))
    assert wrong == []


def test_nobody_decrypts_a_secret_but_through_systems_manager(
    pipeline: PipelineUnderTest, applied: Snapshot, secrets: list[Secret], clients: dict[str, Client]
) -> None:
    """A ciphertext with the very context of the parameter: the key's policy opens nothing to who calls KMS itself."""
    kms = pipeline.stack.emulator.client("kms")
    opened = []
    for secret in secrets:
        context = {"PARAMETER_ARN": secret.arn}
        sealed = kms.encrypt(KeyId=applied.key, Plaintext=b"canary", EncryptionContext=context)["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == b"canary"
        for role, client in clients.items():
            try:
                client("kms").decrypt(CiphertextBlob=sealed, EncryptionContext=context)
                opened.append((role, secret.name))
            except ClientError as error:
                assert error.response["Error"]["Code"] in DENIED, error
    assert opened == []


def test_the_judge_opens_the_same_secrets_to_the_same_roles(
    applied: Snapshot, secrets: list[Secret], roles: dict[str, str]
) -> None:
    things = {applied.key: statements_of(applied.resources[applied.key], of_resource=True)}
    for role, arn in roles.items():
        policies = applied.identities[arn].policies.values()
        own = tuple(itertools.chain.from_iterable(statements_of(policy, of_resource=False) for policy in policies))
        principal = Principal(arn, Kind.IDENTITY, applied.account, own)
        for secret in secrets:

            def may(action: str, on: str, context: Context, asks: Principal = principal) -> bool:
                return allowed(asks, Request(action, on, {**asks.known, **context}), things)

            sealed: Context = {"kms:encryptioncontext:parameter_arn": secret.arn}
            is_allowed = is_own(role, secret)
            assert may("kms:decrypt", applied.key, {**sealed, **VIA_SSM}) == is_allowed, (role, secret)
            assert not may("kms:decrypt", applied.key, {**sealed, "kms:viaservice": None}), (role, secret)
            assert may("ssm:getparameter", secret.arn, {}) == is_allowed, (role, secret)
            assert not may("ssm:getparameterhistory", secret.arn, {}), (role, secret)
