#!/bin/sh
# A team's first afternoon, by the README and on this machine: clone, deploy, register a repository, let its CI ask, and see
# what was deployed. Then the pipeline is upgraded while a trigger waits in its queue, and set back to the version before
# while CI goes on asking. At the end everything is taken down, and a table says how long each step took.
#
#   examples/afternoon.sh [FROM]
#
# FROM, a tag or a commit of this checkout, is the version to begin with: its last release, unless another is named. From
# there it is upgraded to the commit that is checked out here. Without a release that is where it begins, too, and only a
# value of terraform.tfvars changes.
#
# The account is a local AWS (local/README.md): no image is built, since its builds are processes of this machine. From the
# environment: ENTRIES, a file with further entries for `projects`; TF_VAR_..., as Terraform takes them; KEEP=1 leaves all
# there at the end.
set -eu

checkout=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
began='' step=''

main() {
  to=$(git -C "$checkout" rev-parse HEAD)
  from=${1:-$(git -C "$checkout" describe --tags --abbrev=0 2>/dev/null || echo "$to")}
  trap take_down EXIT
  trap 'exit 130' INT TERM

  step "Clone $from"
  run git clone --quiet "$checkout" "$work/iwomp"
  cd "$work/iwomp"
  run git checkout --quiet "$from"

  step "Build"
  run make programs iwomp
  PATH=$PWD/target/release:$PATH

  step "An account: a local AWS, and a Git host with a repository that wants a token"
  run make account
  # shellcheck source=/dev/null
  . .local/account/env
  run git clone --quiet .local/account/git/demo.git "$work/demo"

  step "Register the repository"
  more >"$work/more"
  entry 3600 >terraform/terraform.tfvars
  cat terraform/terraform.tfvars

  step "Deploy the pipeline"
  run make deploy TF_ARGS=-auto-approve # its doctor sees a trigger get through, and finds no credentials yet
  run iwomp secret set demo --yes <.local/account/token.txt
  run iwomp doctor demo --in-build || true # an account on a machine has no trail, and shows no quotas

  step "Push, and let CI ask"
  ci_gets_its_key
  push "Hello"
  trigger=$(publish)
  run iwomp wait "$trigger" --timeout 10m
  page_is "Hello"

  step "Upgrade to $to while a trigger waits"
  run iwomp pause demo --reason "the pipeline is upgraded" --yes
  push "Hello again"
  trigger=$(publish)
  run git checkout --quiet "$to"
  entry 7200 >terraform/terraform.tfvars
  run make deploy TF_ARGS=-auto-approve
  page_is "Hello"
  run iwomp resume demo --yes
  run iwomp wait "$trigger" --timeout 10m
  page_is "Hello again"

  step "Back to $from while CI goes on asking"
  push "And again"
  go_on_asking &
  asking=$!
  run git checkout --quiet "$from"
  run make deploy TF_ARGS=-auto-approve
  touch "$work/enough"
  wait "$asking" || fail "CI could not ask: $(cat "$work/complaint")"
  while read -r trigger; do
    iwomp wait "$trigger" --timeout 10m >/dev/null || fail "trigger $trigger was lost: iwomp trace $trigger"
  done <"$work/asked"
  echo "CI asked $(wc -l <"$work/asked" | tr -d ' ') times, and no trigger was lost."
  page_is "And again"
  run iwomp status demo

  step "Take the pipeline down"
  run aws iam delete-access-key --user-name "$ci_user" --access-key-id "$ci_key" # as it was made, by hand
  run make destroy TF_ARGS=-auto-approve

  step ''
  printf '\nThe afternoon, in seconds:\n\n'
  cat "$work/times"
}

# The README's entry, of the repository that is there: its host has a certificate of its own, and its CI is a user. Beside it
# what a day at one desk wants; how long a trigger may wait, in seconds, is what an upgrade here changes.
entry() {
  sed -n '/^   projects = {$/,/^   }$/s/^   //p' README.md | sed \
    -e "s|https://github.com/example/demo.git|$GIT_URL|" \
    -e "/own_topic/r $work/more" -e "/^  }\$/r ${ENTRIES:-/dev/null}"
  echo "retry_seconds    = 20 # what waits looks more often"
  echo "builds_per_hour  = 100"
  echo "max_wait_seconds = $1"
}

more() {
  echo '    publisher   = { ci = "user", read = "status" }'
  echo '    ca_bundle   = <<-PEM'
  sed 's/^/      /' .local/account/git/ca.pem
  echo '    PEM'
}

# What it deploys: a page in a bucket.
push() {
  (
    cd "$work/demo"
    cat >deploy.sh <<'DEPLOY'
#!/bin/sh
set -eu
aws s3api head-bucket --bucket afternoon-pages 2>/dev/null || aws s3 mb s3://afternoon-pages
aws s3 cp --only-show-errors index.html s3://afternoon-pages/index.html
DEPLOY
    chmod +x deploy.sh
    echo "$1" >index.html
    git add .
    git -c user.name=Ada -c user.email=ada@example.com commit --quiet --message "$1"
    run git push --quiet origin HEAD:main
  )
}

page_is() {
  page=$(aws s3 cp s3://afternoon-pages/index.html -)
  [ "$page" = "$1" ] || fail "the page says '$page', and not '$1'"
  echo "The page says: $page"
}

# CI has the key of the identity that the entry's `publisher` made, and nothing else: not ours, which an operator has.
ci_gets_its_key() {
  publish_command=$(of_demo publish_command '')
  ci_user=$(of_demo publishers '["user_name"]')
  # shellcheck disable=SC2046 # a key's id and its secret, neither of which has blanks
  set -- $(aws iam create-access-key --user-name "$ci_user" \
    --query 'AccessKey.[AccessKeyId, SecretAccessKey]' --output text)
  ci_key=$1 ci_secret=$2
}

# Of an output by project, what stands there of demo.
of_demo() {
  terraform -chdir=terraform output -json "$1" | python3 -c "import json, sys; print(json.load(sys.stdin)['demo']$2)"
}

# The command that `make deploy` has printed; prints the trigger's id.
publish() {
  echo "CI$ $publish_command" >&2
  AWS_ACCESS_KEY_ID=$ci_key AWS_SECRET_ACCESS_KEY=$ci_secret sh -c "$publish_command --query MessageId --output text"
}

go_on_asking() {
  until [ -e "$work/enough" ]; do
    publish >>"$work/asked" 2>"$work/complaint"
    sleep 2
  done
}

step() {
  if [ "$step" ]; then
    printf '%6d  %s\n' $(($(date +%s) - began)) "$step" >>"$work/times"
  fi
  step=$1 began=$(date +%s)
  [ ! "$1" ] || printf '\n== %s\n' "$1"
}

run() {
  echo "\$ $*"
  "$@"
}

fail() {
  echo "afternoon.sh: $*" >&2
  exit 1
}

take_down() {
  status=$?
  trap - EXIT
  touch "$work/enough" # who goes on asking, asks no more
  if [ "${KEEP-}" ]; then
    echo "All is still there, in $work/iwomp: make down there ends it."
  else
    [ ! -e "$work/iwomp/.local/account" ] || make --no-print-directory -C "$work/iwomp" down
    rm -rf "$work"
  fi
  exit "$status"
}

main "$@"
