"""What the run makes beside the pipeline: the CI's role, and a queue that listens to alarms and reports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

from iwomp_account.accept.waiting import Patience
from iwomp_account.place import Place, one_line

SESSION_SECONDS = 3600


@dataclass
class Bystanders:
    """They carry the pipeline's name, so that somebody who finds them knows what they are."""

    place: Place
    patience: Patience
    name: str
    alarm_topic: str = ""
    queue_url: str = ""
    _subscriptions: list[str] = field(default_factory=list)

    @property
    def role_name(self) -> str:
        return f"ci-of-{self.name}"

    @property
    def _partition(self) -> str:
        return self.place.caller.split(":")[1]

    def listen(self) -> None:
        """Makes the topic that alarms notify, and the queue that hears it."""
        sns, sqs = self.place.client("sns"), self.place.client("sqs")
        self.alarm_topic = str(sns.create_topic(Name=f"alarms-of-{self.name}")["TopicArn"])
        queue_arn = f"arn:{self._partition}:sqs:{self.place.region}:{self.place.account}:heard-of-{self.name}"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": self.place.account}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.queue_url = str(
            sqs.create_queue(QueueName=f"heard-of-{self.name}", Attributes={"Policy": document})["QueueUrl"]
        )
        self.hear(self.alarm_topic)

    def hear(self, topic_arn: str) -> None:
        queue_arn = self.place.client("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        answer = self.place.client("sns").subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True
        )
        self._subscriptions.append(str(answer["SubscriptionArn"]))

    def ci(self, topic_arn: str) -> Any:
        """A session of a role that may publish on this topic, and nothing else."""
        iam = self.place.client("iam")
        account = f"arn:{self._partition}:iam::{self.place.account}:root"
        trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        rights = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic_arn}
        role = iam.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=policy(trust))["Role"]
        iam.put_role_policy(RoleName=self.role_name, PolicyName="publish", PolicyDocument=policy(rights))

        def take() -> dict[str, str] | None:
            try:
                taken: dict[str, str] = self.place.client("sts").assume_role(
                    RoleArn=role["Arn"], RoleSessionName="accept", DurationSeconds=SESSION_SECONDS
                )["Credentials"]
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDenied":
                    raise
                return None  # a new role is known everywhere after some seconds only
            return taken

        taken = self.patience.wait_for("the CI's role can be taken", take, 60.0)
        return boto3.session.Session(
            taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"], region_name=self.place.region
        )

    def remove(self) -> list[str]:
        """Takes all of it away; what could not be removed, with the reason."""
        left: list[str] = []

        def away(what: str, service: str, call: str, **arguments: str) -> None:
            try:
                getattr(self.place.client(service), call)(**arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("NoSuchEntity", "NotFound"):
                    left.append(f"{what}: {one_line(error)}")

        for arn in self._subscriptions:
            away(f"subscription {arn}", "sns", "unsubscribe", SubscriptionArn=arn)
        if self.alarm_topic:
            away(f"topic {self.alarm_topic}", "sns", "delete_topic", TopicArn=self.alarm_topic)
        if self.queue_url:
            away(f"queue {self.queue_url}", "sqs", "delete_queue", QueueUrl=self.queue_url)
        away(
            f"policy of role {self.role_name}", "iam", "delete_role_policy",
            RoleName=self.role_name, PolicyName="publish",
        )  # fmt: skip
        away(f"role {self.role_name}", "iam", "delete_role", RoleName=self.role_name)
        return left


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
