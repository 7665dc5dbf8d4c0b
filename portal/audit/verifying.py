"""Recomputes seals, and names the first entry or seal that differs from what was sealed."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from portal.audit.models import Entry, Seal, SealCheck, SealedEntry, Unsealed
from portal.audit.problems import (
    CHAIN_BROKEN,
    ENTRY_CHANGED,
    ENTRY_SEALED_LATE,
    ENTRY_WITHOUT_SEAL,
    ROOT_DIFFERS,
    SEAL_CHANGED,
    SEAL_MISSING,
    SEAL_REPLACED,
    SEALED_ENTRY_MISSING,
    UNSEALED_ENTRY_MISSING,
)
from portal.audit.sealer import MAX_BLOCK_ENTRIES, hashed
from portal.audit.sealing import NOTHING, Block, merkle_root
from portal.core import clock
from portal.core.problems import Problem

FULL_CHECK_INTERVAL = timedelta(days=1)
# The worker seals once a minute; only after the update that brought seals do many entries wait longer.
MAX_WAIT_FOR_SEAL = timedelta(hours=1)
_SEALS_PER_QUERY = 500


class BrokenSealError(Exception):
    """An entry or a seal differs from what was sealed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


def check_seals() -> None:
    """Check the new seals; all seals once a day, and as long as something is broken."""
    now = clock.now()
    state = SealCheck.objects.filter(pk=1).first()
    everything = (
        state is None
        or bool(state.last_error)
        or state.all_checked_at is None
        or now - state.all_checked_at >= FULL_CHECK_INTERVAL
    )
    check(everything=everything)


def check(*, everything: bool, progress: Callable[[Seal], None] = lambda seal: None) -> SealCheck:
    """Check all seals, or those after the last that was in order, and store the result."""
    now = clock.now()
    state, _created = SealCheck.objects.get_or_create(pk=1)
    try:
        _check_last_known(state)
        number, hash_before = (0, NOTHING) if everything else (state.number, state.hash)
        for seal in _in_order(number, hash_before):
            number, hash_before = seal.number, seal.hash
            progress(seal)
        if everything:
            _check_no_stray_entry()
        _check_unsealed(now)
    except BrokenSealError as error:
        state.last_error = error.problem
    else:
        state.last_error, state.number, state.hash = [], number, hash_before
        if everything:
            state.all_checked_at = now
    state.checked_at = now
    state.save()
    return state


def _check_last_known(state: SealCheck) -> None:
    """Somebody who deletes the newest seals, or builds the chain anew, leaves a chain that is valid by itself."""
    if state.number and not Seal.objects.filter(number=state.number, hash=state.hash).exists():
        raise BrokenSealError(SEAL_REPLACED(number=state.number, hash=state.hash))


def _in_order(number: int, hash_before: str) -> Iterator[Seal]:
    """The seals after `number`, each once it is checked. Raises BrokenSealError."""
    while seals := _next_seals(number):
        members = _members(seals)
        for seal in seals:
            if seal.number != number + 1:
                raise BrokenSealError(SEAL_MISSING(missing=number + 1, number=seal.number))
            _check_seal(seal, hash_before, members.get(seal.number, []))
            number, hash_before = seal.number, seal.hash
            yield seal


def _next_seals(after: int) -> list[Seal]:
    """The next seals: so few that their entries fit into memory."""
    seals: list[Seal] = []
    entries = 0
    for seal in Seal.objects.filter(number__gt=after).order_by("number")[:_SEALS_PER_QUERY]:
        entries += seal.count
        if seals and entries > MAX_BLOCK_ENTRIES:
            break
        seals.append(seal)
    return seals


# An entry's id, its leaf when it was sealed, and its leaf today: None if the entry is gone.
_Member = tuple[int, bytes, bytes | None]


def _members(seals: list[Seal]) -> dict[int, list[_Member]]:
    sealed = SealedEntry.objects.filter(seal_id__gte=seals[0].number, seal_id__lte=seals[-1].number)
    leaves = dict(hashed(Entry.objects.filter(id__in=sealed.values("entry_id"))))
    members: dict[int, list[_Member]] = {}
    for pk, number, leaf in sealed.order_by("seal_id", "entry_id").values_list("entry_id", "seal_id", "leaf"):
        members.setdefault(number, []).append((pk, bytes(leaf), leaves.get(pk)))
    return members


def _check_seal(seal: Seal, hash_before: str, members: list[_Member]) -> None:
    if seal.previous != hash_before:
        raise BrokenSealError(CHAIN_BROKEN(number=seal.number))
    block = Block(
        number=seal.number,
        first_id=seal.first_id,
        last_id=seal.last_id,
        count=seal.count,
        root=seal.root,
        previous=seal.previous,
        sealed_at=seal.sealed_at,
    )
    if block.hash() != seal.hash:
        raise BrokenSealError(SEAL_CHANGED(number=seal.number))
    for pk, sealed_leaf, leaf in members:
        if leaf is None:
            raise BrokenSealError(SEALED_ENTRY_MISSING(number=seal.number, entry=pk))
        if leaf != sealed_leaf:
            raise BrokenSealError(ENTRY_CHANGED(number=seal.number, entry=pk))
    if merkle_root([sealed_leaf for _pk, sealed_leaf, _leaf in members]).hex() != seal.root:
        raise BrokenSealError(ROOT_DIFFERS(number=seal.number, count=seal.count, listed=len(members)))


def _check_no_stray_entry() -> None:
    """Every entry waits for its seal or has one, from its commit on. Raises BrokenSealError."""
    is_sealed = Exists(SealedEntry.objects.filter(entry_id=OuterRef("id")))
    waits = Exists(Unsealed.objects.filter(entry_id=OuterRef("id")))
    stray = Entry.objects.filter(~is_sealed, ~waits).order_by("id").values_list("id", flat=True).first()
    # _check_seal has not seen entries that are listed under a seal that does not exist.
    pretended = SealedEntry.objects.filter(~Exists(Seal.objects.filter(number=OuterRef("seal_id"))))
    if stray is None:
        stray = pretended.order_by("entry_id").values_list("entry_id", flat=True).first()
    if stray is not None:
        raise BrokenSealError(ENTRY_WITHOUT_SEAL(entry=stray))


def _check_unsealed(now: datetime) -> None:
    gone = Unsealed.objects.filter(~Exists(Entry.objects.filter(id=OuterRef("entry_id")))).order_by("entry_id").first()
    if gone is not None:
        raise BrokenSealError(UNSEALED_ENTRY_MISSING(entry=gone.pk))
    late = Unsealed.objects.filter(since__lt=now - MAX_WAIT_FOR_SEAL).order_by("entry_id").first()
    if late is not None:
        raise BrokenSealError(ENTRY_SEALED_LATE(entry=late.pk))
