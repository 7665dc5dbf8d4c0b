"""What one reconciliation did: made by reconcile.apply, written to the database by store.save."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from doorsync.controllers.problems import (
    AT_EDGES,
    CANNOT_HOLD,
    CHANGES_REFUSED,
    CHANGES_UNCONFIRMED,
    CONTESTED,
    FOREIGN_HOLDS,
    HOLDS_NO_CARDS,
    PLAN_PENDING,
)
from doorsync.policy.desired import Desired
from doorsync.policy.plan import Change, Plan, Target
from doorsync.policy.safety import Pair
from portal.core.problems import Problem, Problems

# After this many reconciliations in a row that did not reach it, a controller is suspended for a while.
SUSPEND_AFTER = 3
# At most so many bookings are named in a sentence.
NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class Device:
    """What the device reports about itself."""

    firmware: str = ""
    serial: str = ""
    clock_skew_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """What one reconciliation did.

    `plan`: None where the controller was not read. `error`: what ended the reconciliation before its end.
    """

    started_at: datetime
    plan: Plan | None = None
    next_edge_at: datetime | None = None
    done: tuple[Change, ...] = ()
    failed: Mapping[Target, Problem] = field(default_factory=dict)
    unconfirmed: Mapping[Target, Problem] = field(default_factory=dict)
    error: Problem | None = None
    warnings: tuple[Problem, ...] = ()  # what staff should know, and what stops nothing
    reached: bool = True
    device: Device = field(default_factory=Device)

    @property
    def in_step(self) -> bool:
        """Whether the controller now holds what it should, as far as the portal may write there."""
        return self.plan is not None and not (self.failed or self.unconfirmed or self.error)

    @property
    def pending(self) -> frozenset[Pair]:
        return self.plan.protection.pending if self.plan else frozenset()

    @property
    def contested(self) -> frozenset[str]:
        return self.plan.contested if self.plan else frozenset()

    def doors_in_doubt(self) -> Set[int] | None:
        """The doors that may not hold what they should after this reconciliation; None: any of them."""
        if self.plan is None or self.error:
            return None
        doubtful = {door for _card, door in self.pending}
        for target in {*self.failed, *self.unconfirmed, *self.contested}:
            doors = {target} if isinstance(target, int) else self.plan.doors_of.get(target)
            if not doors:
                return None
            doubtful |= doors
        return doubtful

    def problems(self, door_names: Mapping[int, str]) -> Problems:
        """Everything that staff should know; empty where the controller holds what it should."""
        problems = [*([self.error] if self.error else []), *self.warnings]
        for refused, kind in ((self.failed, CHANGES_REFUSED), (self.unconfirmed, CHANGES_UNCONFIRMED)):
            if refused:
                problems.append(kind(n=len(refused), why=next(iter(refused.values()))))
        if self.pending:
            problems.append(PLAN_PENDING(n=len({card for card, _door in self.pending})))
        if self.contested:
            problems.append(CONTESTED(n=len(self.contested)))
        if self.plan and self.plan.holds.unmanaged:
            doors = [door_names.get(door, str(door)) for door in sorted(self.plan.holds.unmanaged)]
            problems.append(FOREIGN_HOLDS(doors=", ".join(doors)))
        return Problems(problems)


def capability_problems(desired: Desired, at_edges: Set[Pair], *, holds_cards: bool, can_hold: bool) -> list[Problem]:
    """What the bookings want of this controller and its family can't do."""
    problems = []
    if desired.cards and not holds_cards:
        problems.append(HOLDS_NO_CARDS(n=len(desired.cards)))
    if desired.unlocked and not can_hold:
        problems.append(CANNOT_HOLD())
    if at_edges:
        causes = {c for card, door in at_edges for p in desired.cards[card].get(door, ()) for c in p.causes}
        bookings = sorted(cause.partition(":")[2] for cause in causes)
        named = ", ".join(bookings[:NAMED_AT_MOST]) + (", …" if len(bookings) > NAMED_AT_MOST else "")
        problems.append(AT_EDGES(n=len({card for card, _door in at_edges}), bookings=named))
    return problems
