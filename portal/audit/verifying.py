"""Recomputes seals, and names the first thing that is not as it was sealed."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from portal.audit.models import Entry, Seal, SealCheck, SealedEntry, Unsealed
from portal.audit.sealer import MOST_IN_A_BLOCK, hashed
from portal.audit.sealing import NOTHING, Block, merkle_root
from portal.core import clock

ALL_AFTER = timedelta(days=1)
# Sealed once a minute; many wait only after the update that brought seals.
SEALED_WITHIN = timedelta(hours=1)
_SEALS_AT_ONCE = 500


class Broken(Exception):
    """Something is not as it was sealed; says what, in a sentence."""


def check_seals() -> None:
    """Check the seals that are new; all of them once a day, and as long as something is broken."""
    now = clock.now()
    state = SealCheck.objects.filter(pk=1).first()
    everything = (
        state is None
        or state.last_error != ""
        or state.all_checked_at is None
        or now - state.all_checked_at >= ALL_AFTER
    )
    check(everything=everything)


def check(*, everything: bool, progress: Callable[[Seal], None] = lambda seal: None) -> SealCheck:
    """Check all seals, or those after the last that was in order, and keep the result."""
    now = clock.now()
    state, _created = SealCheck.objects.get_or_create(pk=1)
    try:
        _remembered(state)
        number, before = (0, NOTHING) if everything else (state.number, state.hash)
        for seal in _in_order(number, before):
            number, before = seal.number, seal.hash
            progress(seal)
        if everything:
            _none_past_the_seals()
        _none_left_behind(now)
    except Broken as broken:
        state.last_error = str(broken)
    else:
        state.last_error, state.number, state.hash = "", number, before
        if everything:
            state.all_checked_at = now
    state.checked_at = now
    state.save()
    return state


def _remembered(state: SealCheck) -> None:
    """Who takes away the newest seals, or makes the whole chain anew, leaves a chain that is whole in itself."""
    if state.number and not Seal.objects.filter(number=state.number, hash=state.hash).exists():
        raise Broken(
            _("Seal %(number)d is gone or is another: an earlier check found it with the hash %(hash)s.")
            % {"number": state.number, "hash": state.hash}
        )


def _in_order(number: int, before: str) -> Iterator[Seal]:
    """The seals after `number`, each once it is found in order. Raises Broken."""
    while some := _some_seals(number):
        members = _members(some)
        for seal in some:
            if seal.number != number + 1:
                raise Broken(
                    _("Seal %(missing)d is missing; the next is %(number)d.")
                    % {"missing": number + 1, "number": seal.number}
                )
            _check_seal(seal, before, members.get(seal.number, []))
            number, before = seal.number, seal.hash
            yield seal


def _some_seals(after: int) -> list[Seal]:
    """The next seals: few enough that their entries fit into memory."""
    some: list[Seal] = []
    entries = 0
    for seal in Seal.objects.filter(number__gt=after).order_by("number")[:_SEALS_AT_ONCE]:
        entries += seal.count
        if some and entries > MOST_IN_A_BLOCK:
            break
        some.append(seal)
    return some


# An entry's id, its leaf when it was sealed, and its leaf now: None if it is gone.
_Member = tuple[int, bytes, bytes | None]


def _members(seals: list[Seal]) -> dict[int, list[_Member]]:
    sealed = SealedEntry.objects.filter(seal_id__gte=seals[0].number, seal_id__lte=seals[-1].number)
    leaves = dict(hashed(Entry.objects.filter(id__in=sealed.values("entry_id"))))
    found: dict[int, list[_Member]] = {}
    for pk, number, leaf in sealed.order_by("seal_id", "entry_id").values_list("entry_id", "seal_id", "leaf"):
        found.setdefault(number, []).append((pk, bytes(leaf), leaves.get(pk)))
    return found


def _check_seal(seal: Seal, before: str, members: list[_Member]) -> None:
    number = {"number": seal.number}
    if seal.previous != before:
        raise Broken(_("The chain is broken at seal %(number)d: it does not follow the seal before.") % number)
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
        raise Broken(_("Seal %(number)d was changed: its hash is not that of what it says.") % number)
    for pk, then, now in members:
        if now is None:
            raise Broken(_("Entry %(entry)d is missing: seal %(number)d covers it.") % (number | {"entry": pk}))
        if now != then:
            raise Broken(_("Entry %(entry)d was changed after seal %(number)d.") % (number | {"entry": pk}))
    if merkle_root([then for _pk, then, _now in members]).hex() != seal.root:
        raise Broken(
            _("Seal %(number)d covers %(count)d entries, and %(found)d are listed under it that do not make its root.")
            % (number | {"count": seal.count, "found": len(members)})
        )


def _none_past_the_seals() -> None:
    """Every entry waits for its seal or has one, from the moment it can be seen. Raises Broken."""
    known = Exists(SealedEntry.objects.filter(entry_id=OuterRef("id")))
    waits = Exists(Unsealed.objects.filter(entry_id=OuterRef("id")))
    stray = Entry.objects.filter(~known, ~waits).order_by("id").values_list("id", flat=True).first()
    # The seals were looked at one by one: who is listed under one that is not there was not.
    pretended = SealedEntry.objects.filter(~Exists(Seal.objects.filter(number=OuterRef("seal_id"))))
    if stray is None:
        stray = pretended.order_by("entry_id").values_list("entry_id", flat=True).first()
    if stray is not None:
        raise Broken(
            _("Entry %(entry)d has no seal and does not wait for one: it was added past the log's triggers.")
            % {"entry": stray}
        )


def _none_left_behind(now: datetime) -> None:
    gone = Unsealed.objects.filter(~Exists(Entry.objects.filter(id=OuterRef("entry_id")))).order_by("entry_id").first()
    if gone is not None:
        raise Broken(_("Entry %(entry)d is missing: it was taken away before it was sealed.") % {"entry": gone.pk})
    late = Unsealed.objects.filter(since__lt=now - SEALED_WITHIN).order_by("entry_id").first()
    if late is not None:
        raise Broken(
            _("Entry %(entry)d has waited for its seal for more than an hour: see whether the worker runs.")
            % {"entry": late.pk}
        )
