#!/bin/sh
# Started by iwomp in a checkout of the team's copy of this repository: rolls out what stands in its Terraform, with the code of
# functions and image that is live. New code is a person's `make deploy`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../terraform"
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1

terraform init -no-color -input=false
"$here/live" ..
terraform plan -no-color -input=false -lock-timeout=5m -out=deploy.tfplan >plan.txt || {
  cat plan.txt
  exit 1
}
cat plan.txt

# An edit that takes away what the next edit would have to come by is a mistake, and nobody is asked here. What cannot be had
# back is guarded by the ceiling, whatever this says.
taken=' +# (aws_(ecr|kms|sqs)_|module\.(shared_topic|launcher|notifier|courier)([.]|\[)|module\.(project|own_topic|publisher)\["'$IWOMP_PROJECT'"\])'
if grep -E "^$taken.* (will be destroyed|must be replaced)" plan.txt; then
  echo "deploy.sh: nothing was applied: that is for a person, with make deploy" >&2
  exit 1
fi
terraform apply -no-color -input=false deploy.tfplan
