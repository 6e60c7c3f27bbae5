"""What a request comes to: IAM's evaluation of identity policies, boundary and resource policy together.

After "Policy evaluation logic" of the IAM user guide, for one account and its neighbours, without organisations. It
errs on one side only: where a request leaves something open, it is judged as whoever attacks would choose. An Allow
with an open condition counts, a Deny with one does not; a thing whose policy is not known (somebody else's) forbids
nothing. So what is denied here is denied by AWS, and what is allowed here may need a lucky attacker.

That is why it is an evaluator of our own. The local AWS's (ministack) judges one exact request, has no open keys, and
takes a statement that it does not understand for one that says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from iwomp_boundary.conditions import Context, Value
from iwomp_boundary.policy import Statement

Statements = tuple[Statement, ...]
# What a request says of itself beyond what all of its principal's say: keys and values.
Scenario = tuple[tuple[str, Value], ...]


class Kind(Enum):
    """Who asks."""

    IDENTITY = "AWS"  # a user or a role
    SERVICE = "Service"
    FEDERATED = "Federated"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Principal:
    """Somebody with their policies. `known` is what every request of theirs carries."""

    name: str  # an ARN, a service's name, or "*"
    kind: Kind
    account: str = ""
    identity: Statements = ()
    boundary: Statements | None = None

    @property
    def known(self) -> Context:
        arn = self.name if self.kind is Kind.IDENTITY else None
        return {"aws:principalarn": arn, "aws:principalaccount": self.account or None}

    def about(self, action: str) -> Principal:
        """The same one with those statements only that speak of an action, to judge many requests for it."""
        own = tuple(statement for statement in self.identity if action in statement.matched)
        bounds = None
        if self.boundary is not None:
            bounds = tuple(statement for statement in self.boundary if action in statement.matched)
        return replace(self, identity=own, boundary=bounds)


@dataclass(frozen=True)
class Request:
    """One call. Keys that `context` does not name are open."""

    action: str  # in lower case
    resource: str
    context: Context


class Named(Enum):
    """How a resource's policy speaks of a principal."""

    NOT = 0
    BY_ACCOUNT = 1  # then the principal's own policies decide, too
    ITSELF = 2


@dataclass
class Memory:
    """What the same statements say of the same thing is judged once, however many actions they speak of."""

    principal: Principal
    policies: Mapping[str, Statements]
    _known: dict[Speaking, dict[tuple[object, ...], bool]] = field(default_factory=dict)

    def about(self, action: str) -> Asked:
        """To ask many times about one action."""
        principal = self.principal.about(action)
        speaking = (needs_policy(action), same(principal.identity), same(principal.boundary))
        return Asked(principal, action, self.policies, self._known.setdefault(speaking, {}))


# Whether a policy is needed, and the statements of identity and boundary that speak of an action.
Speaking = tuple[bool, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Asked:
    """A principal with those statements only that speak of the action, and what is known of others like these."""

    principal: Principal
    action: str
    policies: Mapping[str, Statements]
    known: dict[tuple[object, ...], bool]

    def allowed(self, resource: str, contexts: Mapping[Scenario, Context]) -> Iterator[Scenario]:
        """In which contexts the request may go through, the thing's own policy included."""
        theirs = [each for each in self.policies.get(resource, ()) if self.action in each.matched]
        place = (resource, resource in self.policies, same(theirs))
        for scenario, context in contexts.items():
            said = self.known.get((place, scenario))
            if said is None:
                said = allowed(self.principal, Request(self.action, resource, context), self.policies)
                self.known[place, scenario] = said
            if said:
                yield scenario

    def allowed_by_itself(self, request: Request) -> bool:
        key = (request.resource, tuple(request.context.items()))
        said = self.known.get(key)
        if said is None:
            said = self.known[key] = allowed_by_itself(self.principal, request)
        return said


def same(statements: Iterable[Statement] | None) -> tuple[int, ...]:
    """Equal for the very same statements. No boundary is not an empty one."""
    return (0,) if statements is None else tuple(map(id, statements))


def allowed(principal: Principal, request: Request, resource_policies: Mapping[str, Statements]) -> bool:
    """Whether the request may go through, for an attacker who chooses what is open."""
    attached = resource_policies.get(request.resource)
    if attached is None:
        return allowed_by_itself(principal, request)
    theirs = [
        (named, statement)
        for statement in attached
        if speaks(statement, request) and (named := naming(statement, principal)) is not Named.NOT
    ]
    if denied(principal, request) or any(denies(statement, request) for _, statement in theirs):
        return False
    by_identity = granted(principal, request)
    ways = {named for named, statement in theirs if may_allow(statement, request)}
    if Named.ITSELF in ways and principal.kind is not Kind.IDENTITY:
        return True
    if account_of(request.resource) not in ("", principal.account):  # both accounts have to agree
        return by_identity and bool(ways)
    if Named.ITSELF in ways:
        return True
    return by_identity and (Named.BY_ACCOUNT in ways or not needs_policy(request.action))


def allowed_by_itself(principal: Principal, request: Request) -> bool:
    """Whether a principal's own policies and its boundary let the request through, whoever the thing itself lets in."""
    return not denied(principal, request) and granted(principal, request)


def denied(principal: Principal, request: Request) -> bool:
    """Whether its own policies or its boundary forbid it."""
    return any(denies(statement, request) for statement in (*principal.identity, *(principal.boundary or ())))


def granted(principal: Principal, request: Request) -> bool:
    """Whether its own policies grant it, and its boundary too, if it has one."""
    return any(may_allow(statement, request) for statement in principal.identity) and (
        principal.boundary is None or any(may_allow(statement, request) for statement in principal.boundary)
    )


def speaks(statement: Statement, request: Request) -> bool:
    return request.action in statement.matched and statement.on(request.resource)


def denies(statement: Statement, request: Request) -> bool:
    said = not statement.allows and speaks(statement, request)
    return said and all(condition.met(request.context) is True for condition in statement.conditions)


def may_allow(statement: Statement, request: Request) -> bool:
    said = statement.allows and speaks(statement, request)
    return said and all(condition.met(request.context) is not False for condition in statement.conditions)


def needs_policy(action: str) -> bool:
    """Keys and roles are opened by their own policy only; for other things of the account the identity's is enough."""
    return action.startswith(("kms:", "sts:"))


def naming(statement: Statement, principal: Principal) -> Named:
    if statement.principals is None:
        return Named.NOT
    names = statement.principals.get("AWS", ())
    if "*" in names:
        return Named.ITSELF
    if principal.kind is Kind.IDENTITY:
        if principal.name in names:
            return Named.ITSELF
        by_account = any(name == principal.account or is_root_of(name, principal.account) for name in names)
        return Named.BY_ACCOUNT if by_account else Named.NOT
    return Named.ITSELF if principal.name in statement.principals.get(principal.kind.value, ()) else Named.NOT


def is_root_of(name: str, account: str) -> bool:
    return name.startswith("arn:") and name.endswith(f"::{account}:root")


def account_of(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""  # noqa: PLR2004 (the fifth part)


def within_reach(principal: Principal, resource_policies: Iterable[Statements]) -> frozenset[str]:
    """The actions that any Allow grants this principal; every other one is denied on whatever there is."""
    found: set[str] = set()
    for statement in principal.identity:
        if statement.allows:
            found |= statement.matched
    for statements in resource_policies:
        for statement in statements:
            if statement.allows and naming(statement, principal) is not Named.NOT:
                found |= statement.matched
    return frozenset(found)
