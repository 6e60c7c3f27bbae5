"""What people do with a pipeline: trigger, pause, stop, roll back, read logs and status, redrive; and what is next.

The same for a local stack and for an account. Secrets come from standard input or a file, and are never printed.
"""

from __future__ import annotations

import getpass
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from iwomp_local import places
from iwomp_local.endings import COMMIT_ID, Record
from iwomp_local.pipeline import Pipeline, PipelineError, since, variable

FOLLOW_SECONDS = 9 * 3600.0  # a build lasts 8 hours at most
BUILDS_SHOWN = 3
GIVEN_UP_SHOWN = 5
GIVEN_UP_SECONDS = 2 * 86400.0  # how far back the launcher's log is read for them
REASON_LETTERS = 500
SECRET_BYTES = 8192  # what SSM takes in its largest tier
COLOUR = re.compile("\x1b\\[[0-9;]*m")
CHECK_SECONDS = 20.0


def trigger(pipeline: Pipeline, project: str, branch: str, commit: str | None) -> None:
    """Publishes what CI would publish."""
    if not project or not branch:
        raise PipelineError("say what to deploy: make trigger PROJECT=demo BRANCH=main [COMMIT=<full id>]")
    message = {"project": project, "branch": branch, **({"commit": commit} if commit else {})}
    print(f"published {json.dumps(message)} as {pipeline.publish(project, json.dumps(message))}")
    print(f"next: make logs PROJECT={project}, make status")


def rollback(pipeline: Pipeline, project: str, branch: str, commit: str, *, wait: bool = False) -> None:
    """Has the worker check `commit` and run it, wherever it lies: the way back that a trigger does not have."""
    if not project or not branch or not COMMIT_ID.fullmatch(commit):
        raise PipelineError("say what to go back to: make rollback PROJECT=demo BRANCH=main COMMIT=<full id>")
    for live in pipeline.live(project):
        if live.branch == branch:
            print(f"live was {live.commit}, since {printable(live.time)}")
    deadline = time.monotonic() + FOLLOW_SECONDS
    while (build := pipeline.roll_back(project, branch, commit)) is None:
        if not wait or time.monotonic() > deadline:
            raise PipelineError(
                f"a build of {project} runs, or the account has no build to spare: nothing was started. "
                f"Wait (WAIT=1 does so), or end it: make stop PROJECT={project}"
            )
        time.sleep(pipeline.look_seconds)
    print(f"build {build['id']} checks {commit} and runs it; what was left is held once it has succeeded")
    print(f"next: make logs PROJECT={project}; when it may go forward again: make release or a newer commit")


def release(pipeline: Pipeline, project: str, branch: str) -> None:
    """Lets the head be deployed again that was rolled back from."""
    if not project or not branch:
        raise PipelineError("say what to release: make release PROJECT=demo BRANCH=main")
    if pipeline.running(project):
        raise PipelineError(f"a build of {project} runs, and may write the same record: say it again when it is over")
    held = pipeline.release(project, branch)
    if held is None:
        print(f"nothing of {project} {branch} is held")
        return
    print(f"{held} of {project} {branch} is held no more; nothing was started: make trigger, or wait for the next one")


def logs(pipeline: Pipeline, project: str) -> None:
    """Prints the newest build's log, and what comes as long as it runs."""
    if not project:
        raise PipelineError("say whose log: make logs PROJECT=demo")
    builds = pipeline.builds(project, limit=1)
    if not builds:
        raise PipelineError(
            f"{project} has not been built yet; if it was triggered, the launcher's log says why not: "
            f"{pipeline.outputs['launcher_log_group']}"
        )
    build = builds[0]
    print(f"build {build['id']}, {build['buildStatus']}, started {since(build['startTime'])}", flush=True)
    for line in pipeline.follow(build, FOLLOW_SECONDS):
        print(printable(line.text), flush=True)


def stop(pipeline: Pipeline, project: str) -> None:
    """Ends what a project runs just now. Triggers that wait stay, and the next one starts a build."""
    if not project:
        raise PipelineError("say whose build to end: make stop PROJECT=demo")
    builds = pipeline.running(project)
    for build in builds:
        print(f"ending build {build['id']}, which started {since(build['startTime'])}", flush=True)
        pipeline.stop_build(build)
    if not builds:
        print(f"no build of {project} runs")
    waiting = pipeline.waiting(pipeline.outputs["queue_url"])
    if project in pipeline.paused():
        print(f"{project} is paused, so none of the {waiting} waiting triggers starts another")
    else:
        print(
            f"{waiting} triggers wait, of all projects together; to keep them from starting another build of {project}:"
        )
        print(f"  make pause PROJECT={project}")


def pause(pipeline: Pipeline, project: str, reason: str) -> None:
    """Keeps a project's triggers in the queue until `make resume`, or until SQS has received them too often."""
    if not project:
        raise PipelineError('say what to pause: make pause PROJECT=demo [REASON="we repair the database"]')
    if len(reason) > REASON_LETTERS:
        raise PipelineError(f"give the reason in {REASON_LETTERS} letters or fewer")
    name = pipeline.pause(project, reason.strip() or f"make pause, by {getpass.getuser()}")
    print(f"{project} is paused (parameter {name}): its triggers wait, for some days at most")
    print("  then SQS makes them dead letters, the alarm rings, and make redrive brings them back")
    if pipeline.running(project):
        print(f"a build of it runs; to end it too: make stop PROJECT={project}")
    print(f"when it may deploy again: make resume PROJECT={project}")


def resume(pipeline: Pipeline, project: str) -> None:
    """Takes a pause away; what has waited comes within the queue's longest delay."""
    if not project:
        raise PipelineError("say what to resume: make resume PROJECT=demo")
    if not pipeline.resume(project):
        print(f"{project} is not paused")
        return
    waiting = pipeline.waiting(pipeline.outputs["queue_url"])
    print(f"{project} deploys again; {waiting} triggers wait, of all projects together, and come back by themselves")


def status(pipeline: Pipeline) -> None:
    """Prints what is paused, what is live, what ran and what waits."""
    paused = pipeline.paused()
    for project in pipeline.projects:
        print(project)
        if (pause := paused.get(project)) is not None:
            print(f"  paused  {since(pause.since)}: {printable(pause.reason)}; make resume PROJECT={project}")
        live = pipeline.records(project)
        for branch, record in live:
            print(f"  live    {printable(branch):<20} {what_is_live(record)}")
        if not live:
            print("  live    nothing yet")
        for build in pipeline.builds(project, BUILDS_SHOWN):
            for line in describe(pipeline, project, build):
                print(f"  {line}")
    waiting = pipeline.waiting(pipeline.outputs["queue_url"])
    dead = pipeline.waiting(pipeline.outputs["dead_letter_queue_url"])
    if dead:
        for line in given_up(pipeline):
            print(f"  {line}")
    print(f"{waiting} waiting, {dead} given up" + (": see the launcher's log, then make redrive" if dead else ""))


def given_up(pipeline: Pipeline) -> list[str]:
    """Why the newest dead letters died, as the launcher's log tells it: the last that was said of each."""
    last: dict[str, dict[str, Any]] = {}
    for said in pipeline.launcher_outcomes(begin=time.time() - GIVEN_UP_SECONDS):
        if isinstance(trigger := said.get("trigger"), str):
            last[trigger] = last.pop(trigger, {}) | said  # moves it to the end
    lines = [
        printable(
            f"{said['outcome']:<8} {said.get('project', '?')} {said.get('branch', '?')}: {said.get('reason', '')}"
        )
        for said in last.values()
        if said["outcome"] in ("expired", "failed")
    ]
    return lines[-GIVEN_UP_SHOWN:]


def printable(text: str) -> str:
    """What somebody else wrote, without what a terminal would obey. Colours are left out, tabs become spaces."""
    plain = COLOUR.sub("", text.expandtabs())
    return "".join(letter if letter.isprintable() else "?" for letter in plain)


def what_is_live(record: Record | None) -> str:
    if record is None:
        return 'its record cannot be read: see docs/operations.md, "A record that cannot be read"'
    held = f", {record.held[:12]} is held: make release, or push something newer" if record.held else ""
    return f"{record.commit[:12]}  since {printable(record.time)}{held}"


def describe(pipeline: Pipeline, project: str, build: dict[str, Any]) -> list[str]:
    """A line about a build, and one about why it did not deploy."""
    ending = pipeline.ending(build, project)
    what = printable(f"{variable(build, 'GITBRANCH') or '?'} {(ending.commit or '')[:12]}").strip()
    line = f"build   {ending.word:<12} {what:<34} {since(build['startTime'])}"
    return [line, f"        {printable(ending.reason)}"] if ending.reason else [line]


def secret(pipeline: Pipeline, project: str, file: Path | None) -> None:
    """Stores a project's Git credentials: a JSON document, or a bare token."""
    if not project:
        raise PipelineError("say whose secret: make secret PROJECT=demo < token.txt, or FILE=token.txt")
    pipeline.project(project)  # before anybody types a secret for a project that is not there
    name = pipeline.store_secret(project, credentials_document(read_secret(file), pipeline.git_url(project)))
    print(f"stored in {name}; the next build uses it")


def read_secret(file: Path | None) -> bytes:
    if file is not None:
        return file.read_bytes()
    if sys.stdin.isatty():
        return getpass.getpass("Git token, or JSON document on one line (not shown): ").encode()
    return sys.stdin.buffer.read(2 * SECRET_BYTES)


def credentials_document(handed_over: bytes, git_url: str | None = None) -> str:
    """The document to store, by the worker's own rules: contract/examples/handed_over.rs. Errors repeat nothing."""
    arguments = [str(places.handed_over()), *([git_url] if git_url else [])]
    done = subprocess.run(arguments, input=handed_over, capture_output=True, check=False, timeout=CHECK_SECONDS)
    if done.returncode != 0:
        raise PipelineError(f"{done.stderr.decode().strip()}; nothing was stored")
    return done.stdout.decode()


def redrive(pipeline: Pipeline) -> None:
    """Sends the dead letters through the launcher's checks again."""
    count = pipeline.redrive()
    print(
        f"{count} sent through the same checks again; make status shows what became of them"
        if count
        else "no trigger was given up: nothing to send"
    )


def next_steps(pipeline: Pipeline) -> None:
    """What to do after `make deploy`."""
    print("\nThe pipeline is there. What comes next:\n")
    if not pipeline.projects:
        print("  register a repository: an entry in `projects` of terraform/terraform.tfvars, then make deploy again")
        return
    for project, command in sorted(pipeline.outputs["publish_command"].items()):
        print(f"  {project}")
        print(f"    its Git credential, unless it is public:  make secret PROJECT={project} < token.txt")
        print(f"    what its CI runs once its tests pass:     {command}")
    print("\n  the policy of the CI's identity:  terraform -chdir=terraform output -raw publisher_policy")
    print("  try it yourself:                  make trigger PROJECT=... BRANCH=..., make logs PROJECT=..., make status")
