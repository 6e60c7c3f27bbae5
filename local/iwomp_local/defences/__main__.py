"""`python -m iwomp_local.defences`: first all named tests as the code is, then each with its defence off."""

from __future__ import annotations

import argparse
import os
import sys

from iwomp_local.defences.judge import Judge, Verdict
from iwomp_local.defences.listed import Command, Defect, Defence, all_defences
from iwomp_local.defences.tree import Tree, alone
from iwomp_local.places import REPOSITORY
from iwomp_local.story import Colour, Stopwatch, Story

SCRATCH = REPOSITORY / ".tools" / "defences"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make defences", description=__doc__)
    parser.add_argument("--only", metavar="NAME", default="", help="those whose title holds NAME")
    wanted = parser.parse_args().only
    story = Story()
    try:
        defences = [defence for defence in all_defences() if wanted in defence.title]
        if not defences:
            raise Defect(f"there is no defence {wanted!r}")
        with alone(SCRATCH):
            return run(defences, story)
    except Defect as defect:
        story.line(story.paint(f"\n{defect}", Colour.BAD))
        return 2


def run(defences: list[Defence], story: Story) -> int:
    tree = Tree(SCRATCH / "tree")
    tree.fill(REPOSITORY)
    texts = {defence.title: defence.off(tree.read(defence.file)) for defence in defences}
    judge = Judge(tree, SCRATCH / "target")
    if any(defence.command[0] == "terraform" for defence in defences):
        judge.prepare()
    show_unchanged(defences, judge, story)
    story.heading("One defence after another off")
    defects, unseen = [], []
    for defence in defences:
        if defence.only_as_root and os.geteuid() != 0:
            unseen.append(defence.title)
            continue
        watch = Stopwatch()
        story.progress(defence.title)
        try:
            with tree.changed(defence.file, texts[defence.title]):
                verdict = judge.verdict(defence.command, {defence.fails})
        except Defect as defect:
            defects.append(f"{defence.title}: {defect}")
            story.check(False, f"{defence.title} (not tried)", watch.seconds)
            continue
        end = " (the test did not end)" if verdict is Verdict.HUNG else ""
        story.check(verdict is not Verdict.PASSED, f"{defence.title}{end}", watch.seconds)
    return conclude(story, defects, unseen)


def show_unchanged(defences: list[Defence], judge: Judge, story: Story) -> None:
    tests: dict[Command, set[str]] = {}
    for defence in defences:
        tests.setdefault(defence.command, set()).add(defence.fails)
    count = sum(map(len, tests.values()))
    story.heading("The tests as the code is")
    for command, names in tests.items():
        story.progress(" ".join(command))
        if judge.verdict(command, names) is not Verdict.PASSED:
            raise Defect(f"as the code is, one of these fails in {' '.join(command)}: {', '.join(sorted(names))}")
    story.check(True, f"{count} tests pass", story.seconds)


def conclude(story: Story, defects: list[str], unseen: list[str]) -> int:
    held = story.held - 1  # the first check was of the tests as they are
    survived = len(story.broken) - len(defects)
    story.heading("Result")
    story.say(f"{held} of {held + survived} defences are missed when they are off, in {story.seconds:.0f} s.")
    for title in unseen:
        story.say(f"Not seen, for want of root: {title}.")
    for defect in defects:
        story.line(story.paint(f"\nA defect of the list. {defect}", Colour.BAD))
    return 1 if story.broken else 0


sys.exit(main())
