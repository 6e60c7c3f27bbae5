#!/usr/bin/env bash
# Shows that the trigger action publishes what it was given, however hostile, and runs none of it: its script is taken
# out of action.yml and run as GitHub runs it, with an AWS CLI that prints the message.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# Everything after `run: |` is the script.
sed '1,/^      run: |$/d' "$(dirname "${BASH_SOURCE[0]}")/action.yml" >"$work/script.sh"
mkdir "$work/bin"
cat >"$work/bin/aws" <<'FAKE'
#!/usr/bin/env bash
echo "$*" >"$CALL"
while [[ $# -gt 0 ]]; do
  if [[ $1 == --message ]]; then printf '%s' "$2" >"$MESSAGE"; fi
  shift
done
echo 11111111-2222-3333-4444-555555555555
FAKE
chmod +x "$work/bin/aws"

main() {
  local commit=0123456789abcdef0123456789abcdef01234567

  publish demo main "$commit"
  check "it publishes project, branch and commit" \
    same "$(cat "$work/message")" "{\"project\":\"demo\",\"branch\":\"main\",\"commit\":\"$commit\"}"
  check "to the topic, in the topic's region" \
    matches "$(cat "$work/call")" '--region eu-west-1 --topic-arn arn:aws:sns:eu-west-1:123456789012:iwomp '
  check "and hands on the trigger's id" same "$(cat "$work/output")" trigger-id=11111111-2222-3333-4444-555555555555

  publish demo main ""
  check "without a commit the message has none" same "$(cat "$work/message")" '{"project":"demo","branch":"main"}'

  # shellcheck disable=SC2016 # that nothing expands it is what is to be shown
  local hostile='x"; $(touch '"$work"'/ran) `touch '"$work"'/ran` ","commit":"y'
  publish "$hostile" "$hostile" ""
  check "a hostile name stays one string" same "$(jq --raw-output .branch "$work/message")" "$hostile"
  check "adds no key" same "$(jq --compact-output keys "$work/message")" '["branch","project"]'
  check "and runs nothing" test ! -e "$work/ran"

  echo "$passed passed, $failed failed"
  [[ $failed == 0 ]]
}

# publish PROJECT BRANCH COMMIT
publish() {
  : >"$work/output"
  env PATH="$work/bin:$PATH" CALL="$work/call" MESSAGE="$work/message" GITHUB_OUTPUT="$work/output" \
    TOPIC_ARN=arn:aws:sns:eu-west-1:123456789012:iwomp PROJECT="$1" BRANCH="$2" COMMIT="$3" \
    bash --noprofile --norc -e -o pipefail "$work/script.sh" >/dev/null
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

main
