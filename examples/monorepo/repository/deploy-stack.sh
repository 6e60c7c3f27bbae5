#!/bin/sh
# deploy-stack.sh NAME: what the services have in common. It stands above them, so that a sparse checkout of each has it.
set -eu
aws cloudformation deploy --stack-name "$1" --template-file template.yaml --no-fail-on-empty-changeset
