"""What the commits of the acceptance run hold: each is a deploy.sh that tells in its output what it was able to do."""

from __future__ import annotations

import json

MARK = "accept:"  # how the lines of these commands begin

# The metric line is CloudWatch's embedded format, with the time of now; it is what a forger would print.
TELLING = """#!/bin/sh
# Started by the pipeline under test, with the branch as its only argument.
set -u
echo "{mark} commit $IWOMP_COMMIT of $1"
if aws ssm put-parameter --name {parameter} --type String --overwrite --value "$IWOMP_COMMIT" >/dev/null; then
    echo "{mark} wrote {parameter}"
fi
if aws iam create-user --user-name {user} >/dev/null 2>&1; then
    echo "{mark} made a user"
else
    echo "{mark} was denied a user"
fi
printf '{metric}\\n' "$(date +%s)000"
if [ -d /codebuild ]; then
    echo "{mark} /codebuild is there"
    find /codebuild -type f -readable 2>/dev/null | head -n 500 | while read -r file; do
        if grep -qE 'AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN|CONTAINER_CREDENTIALS|CONTAINER_AUTHORIZATION)' "$file"; then
            echo "{mark} credentials in $file"
        fi
    done
fi
echo "{mark} done"
"""

SHORT = f"""#!/bin/sh
echo "{MARK} commit $IWOMP_COMMIT of $1"
"""

# Sleeps in small pieces, since a shell runs a trap only between two commands.
SLOW = f"""#!/bin/sh
trap 'echo "{MARK} trap begins"; sleep 2; echo "{MARK} trap ends"; exit 143' TERM
echo "{MARK} waits to be stopped"
seconds=0
while [ "$seconds" -lt 600 ]; do
    sleep 1
    seconds=$((seconds + 1))
done
echo "{MARK} was not stopped"
"""


def telling(parameter: str, user: str, namespace: str) -> str:
    """The first commit: says what it can reach."""
    metric = json.dumps(
        {
            "_aws": {
                "Timestamp": "@",
                "CloudWatchMetrics": [{"Namespace": namespace, "Dimensions": [[]], "Metrics": [{"Name": "Forged"}]}],
            },
            "Forged": 1,
        }
    ).replace('"@"', "%s")
    return TELLING.format(mark=MARK, parameter=parameter, user=user, metric=metric)
