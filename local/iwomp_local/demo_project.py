"""The repository that the demo deploys, its register entry and what its role may do: a small team's first project."""

from __future__ import annotations

import json
from typing import Any

from iwomp_local.emulator import ACCOUNT, REGION

NAME = "demo"
BRANCH = "main"
CLOUDFORMATION_STACK = "demo-website"
BUCKET = "demo-website-pages"
GREETING = "/demo-website/greeting"
TABLE = "demo-website-visits"

DEPLOY = f"""#!/bin/sh
# Started by iwomp with the branch as its only argument, in a checkout of exactly one commit.
set -eu
echo "deploy.sh: bringing $1 at $IWOMP_COMMIT to {CLOUDFORMATION_STACK}"
aws cloudformation deploy --stack-name {CLOUDFORMATION_STACK} \\
    --template-file infrastructure.json --no-fail-on-empty-changeset
echo "deploy.sh: the greeting is now '$(aws ssm get-parameter --name {GREETING} --query Parameter.Value --output text)'"
"""

# In the second commit: what a compromised repository would try first.
REACHING_OUT = """
echo "deploy.sh: now something that this project's role was not given: aws iam create-user"
if aws iam create-user --user-name intruder; then
    echo "deploy.sh: that was allowed"
else
    echo "deploy.sh: that was denied"
fi
"""

PAGES = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}
VISITS = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "day", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
    },
}


def greeting(text: str) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": GREETING, "Type": "String", "Value": text}}


def template(**resources: dict[str, Any]) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}, indent=2) + "\n"


FIRST_COMMIT = {
    "deploy.sh": DEPLOY,
    "infrastructure.json": template(Pages=PAGES, Greeting=greeting("Hello")),
}
SECOND_COMMIT = {
    "deploy.sh": DEPLOY + REACHING_OUT,
    "infrastructure.json": template(Pages=PAGES, Greeting=greeting("Hello again"), Visits=VISITS),
}


def rights() -> dict[str, Any]:
    """What the project's role may do beside what every project's may: this one stack and what is in it."""
    here = f"{REGION}:{ACCOUNT}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OwnStack",
                "Effect": "Allow",
                "Action": [
                    "cloudformation:CreateChangeSet",
                    "cloudformation:DescribeChangeSet",
                    "cloudformation:DescribeStackEvents",
                    "cloudformation:DescribeStacks",
                    "cloudformation:ExecuteChangeSet",
                    "cloudformation:GetTemplateSummary",
                ],
                "Resource": f"arn:aws:cloudformation:{here}:stack/{CLOUDFORMATION_STACK}/*",
            },
            {
                "Sid": "WhatIsInIt",
                "Effect": "Allow",
                "Action": ["s3:*", "ssm:*", "dynamodb:*"],  # a demo's licence: name single actions in earnest
                "Resource": [
                    f"arn:aws:s3:::{BUCKET}",
                    f"arn:aws:ssm:{here}:parameter{GREETING}",
                    f"arn:aws:dynamodb:{here}:table/{TABLE}",
                ],
            },
        ],
    }


def plain(name: str) -> dict[str, str]:
    """The first commit of another project, which has no rights yet."""
    return {"deploy.sh": f'#!/bin/sh\nset -eu\necho "deploy.sh: {name} brings $1 at $IWOMP_COMMIT"\n'}


def entry(git_url: str, ca_bundle: str, name: str = NAME) -> dict[str, Any]:
    """The project's entry in terraform.tfvars."""
    return {
        "git_url": git_url,
        "command": "deploy.sh",
        "branches": [BRANCH],
        "own_topic": True,
        "ca_bundle": ca_bundle,
        **({"policy_json": json.dumps(rights())} if name == NAME else {}),
    }
