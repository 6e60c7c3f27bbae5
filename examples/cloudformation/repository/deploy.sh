#!/bin/sh
# Started by iwomp in a checkout of exactly one commit.
set -eu
aws cloudformation deploy --stack-name website --template-file template.yaml --no-fail-on-empty-changeset
