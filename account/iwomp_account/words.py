"""The words by which the programs say what happened, as contract/words.json has them."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = json.loads((Path(__file__).resolve().parents[2] / "contract" / "words.json").read_text())
ENDS_OF_TRIGGERS = frozenset(WORDS["launcher"]["ends"])  # after these the launcher is done with a trigger
