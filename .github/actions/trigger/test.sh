#!/usr/bin/env bash
# Shows that the trigger action publishes what it was given and no more, however hostile, runs none of it, waits, and hands on
# what came of it: its script is taken out of action.yml and run as GitHub runs it, with an AWS CLI that knows one build.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
trigger_id=11111111-2222-3333-4444-555555555555
build=iwomp--demo:66666666-7777-8888-9999-000000000000
commit=0123456789abcdef0123456789abcdef01234567

# Everything after `run: |` is the script.
sed '1,/^      run: |$/d' "$here/action.yml" >"$work/script.sh"
mkdir "$work/bin"
cat >"$work/bin/aws" <<'FAKE'
#!/usr/bin/env bash
printf '%s\n' "$*" >>"$CALLS"
arguments=("$@")
while [[ $# -gt 0 ]]; do
  if [[ $1 == --message ]]; then printf '%s' "$2" >"$MESSAGE"; fi
  shift
done
case "${arguments[*]}" in
  *'sns publish'*) echo "$TRIGGER_ID" ;;
  *list-builds*) [[ ! -s $MESSAGE ]] || echo "$BUILD" ;;
  *TRIGGERID*) printf '%s\t1\tIN_PROGRESS\t%s\tmain\t\t\t\n' "$BUILD" "$TRIGGER_ID" ;;
  *currentPhase*) printf '%s\tCOMPLETED\t/aws/codebuild/iwomp--demo\tstream\n' "$STATUS" ;;
  *get-log-events*) printf 'token\n>\t::error::of the build\n\n' ;;
  *contexts*) echo 'Reason: exit status 1' ;;
esac
FAKE
chmod +x "$work/bin/aws"

main() {
  act iwomp demo main "$commit" ""
  check "it publishes project, branch and commit" \
    same "$(cat "$work/message")" "{\"project\":\"demo\",\"branch\":\"main\",\"commit\":\"$commit\"}"
  check "to the topic, in the topic's region" matches "$(cat "$work/calls")" '--region eu-west-1'
  check "to that topic" matches "$(cat "$work/calls")" 'sns publish --topic-arn arn:aws:sns:eu-west-1:123456789012:iwomp '
  check "and asks AWS for nothing else" same "$(wc -l <"$work/calls")" 1
  check "it hands on the trigger's id" has_line "$work/output" "trigger_id=$trigger_id"
  check "and that it has not waited" has_line "$work/output" result=published
  check "the summary has it, too" matches "$(cat "$work/summary")" "$trigger_id"

  act iwomp demo main "" ""
  check "without a commit the message has none" same "$(cat "$work/message")" '{"project":"demo","branch":"main"}'
  act iwomp--demo "" main "" ""
  check "the project's own topic tells the project" same "$(cat "$work/message")" '{"project":"demo","branch":"main"}'

  STATUS=SUCCEEDED act iwomp demo main "$commit" 10m
  check "one that waits ends as the deployment does: well" same "$ended" 0
  check "hands on how" has_line "$work/output" result=succeeded
  check "and by which build" has_line "$work/output" "build=$build"
  check "what the build prints is no command to GitHub" matches "$(cat "$work/said")" '| ::error::of the build'
  check "nor is any line then" same "$(grep --count '^::' "$work/said")" 2 # stop-commands, and its end

  STATUS=FAILED act iwomp demo main "$commit" 10m
  check "or with its failure" same "$ended" 1
  check "which is handed on" has_line "$work/output" result=failed
  check "and in the summary" matches "$(cat "$work/summary")" '### Deployment: failed'

  # shellcheck disable=SC2016 # that nothing expands it is what is to be shown
  local hostile='x"; $(touch '"$work"'/ran) `touch '"$work"'/ran` ","commit":"y'
  act iwomp "$hostile" "$hostile" "" ""
  check "a hostile name ends it" same "$ended" 2
  check "publishes nothing" test ! -e "$work/message"
  check "runs nothing" test ! -e "$work/ran"
  check "and is in no summary" test ! -s "$work/summary"

  echo "$passed passed, $failed failed"
  [[ $failed == 0 ]]
}

# act TOPIC PROJECT BRANCH COMMIT WAIT: runs it; $ended is its exit status
act() {
  rm -f "$work"/{message,calls}
  : >"$work/output"
  : >"$work/summary"
  ended=0
  env PATH="$work/bin:$PATH" CALLS="$work/calls" MESSAGE="$work/message" TRIGGER_ID="$trigger_id" BUILD="$build" \
    STATUS="${STATUS-}" GITHUB_ACTIONS=true GITHUB_ACTION_PATH="$here" GITHUB_OUTPUT="$work/output" \
    GITHUB_STEP_SUMMARY="$work/summary" TOPIC_ARN="arn:aws:sns:eu-west-1:123456789012:$1" PROJECT="$2" BRANCH="$3" \
    COMMIT="$4" WAIT="$5" bash --noprofile --norc -e -o pipefail "$work/script.sh" >"$work/said" 2>&1 || ended=$?
}

check() {
  local sentence=$1
  shift
  if "$@"; then
    echo "ok      $sentence"
    passed=$((passed + 1))
  else
    echo "FAILED  $sentence"
    failed=$((failed + 1))
  fi
}

same() { [[ $1 == "$2" ]]; }
matches() { [[ $1 == *"$2"* ]]; }
has_line() { grep --quiet --line-regexp --fixed-strings -- "$2" "$1"; }

main
