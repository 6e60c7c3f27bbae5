"""The words and exit statuses by which the programs say what happened, as contract/words.json has them."""

from __future__ import annotations

import json

from iwomp_local.places import REPOSITORY

WORDS = json.loads((REPOSITORY / "contract" / "words.json").read_text())
OUTCOMES = frozenset(WORDS["outcomes"])
CLASSES = frozenset(WORDS["classes"])
EVENTS = frozenset(WORDS["notifier"]["events"])
ENDS_OF_TRIGGERS = frozenset(WORDS["launcher"]["ends"])  # after these the launcher is done with a trigger
REFUSED = f"exit status {WORDS['worker']['refused']}"  # of the worker, in CodeBuild's words, where a rule said no
