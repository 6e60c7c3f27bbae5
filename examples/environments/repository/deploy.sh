#!/bin/sh
# Started by iwomp in a checkout of exactly one commit, with the branch as its argument. STAGE is of the register, where a
# project is one environment; else the branch is called like it.
set -eu
stage=${STAGE:-$1}
aws cloudformation deploy --stack-name "shop-$stage" --template-file template.yaml \
    --parameter-overrides "Stage=$stage" --no-fail-on-empty-changeset
