#!/bin/sh
# Started by iwomp in a checkout of exactly one commit. If the deployment is stopped, Terraform hears of it, ends in order and
# lets go of its lock.
set -eu
terraform=${TERRAFORM:-terraform} # or tofu
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
"$terraform" init -no-color -input=false
# The plan stands in the log; what is applied is this plan and no other.
"$terraform" plan -no-color -input=false -lock-timeout=2m -out=deploy.tfplan
"$terraform" apply -no-color -input=false deploy.tfplan
