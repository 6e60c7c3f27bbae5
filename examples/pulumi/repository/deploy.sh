#!/bin/sh
# Started by iwomp in a checkout of exactly one commit.
set -eu
export PULUMI_SKIP_UPDATE_CHECK=true PULUMI_CONFIG_PASSPHRASE=
pulumi login --non-interactive "s3://example-pulumi/pages?region=$AWS_REGION"
pulumi stack select --create --secrets-provider "awskms://alias/pulumi?region=$AWS_REGION" production
pulumi up --non-interactive --yes --skip-preview
