"""Admin lists of tables that grow without end: never counted to the end, never read through."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Max, Min, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy

# Rows that can be paged through. A day or a filter leads to older ones.
COUNTED_AT_MOST = 10_000
# Rows that a search reads, the newest that the filters leave: no index finds part of a word.
SEARCHED_AT_MOST = 20_000
SEARCHES_THE_NEWEST = gettext_lazy(
    "Looks through the newest 20,000 rows. For older ones choose a day or a filter first."
)


class CappedPaginator(Paginator):
    """Counts no further than COUNTED_AT_MOST, so that a page takes the same time however long the list is."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:COUNTED_AT_MOST].count())


class Periods(QuerySet):
    """Offers every year, month and day between the first row and the last: only reading all rows would show which have
    none."""

    def datetimes(self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None) -> Any:
        """The choices of the admin's date hierarchy."""
        ends = self.order_by().aggregate(first=Min(field_name), last=Max(field_name))
        if ends["first"] is None:
            return []
        return periods(timezone.localtime(ends["first"]), timezone.localtime(ends["last"]), kind)


def periods(first: datetime, last: datetime, kind: str) -> list[datetime]:
    """The years, months or days (`kind`) from one local moment to another, both within."""
    starts: dict[tuple[int, ...], datetime] = {}
    day = first.replace(hour=12)
    while day.date() <= last.date():
        key = (day.year, day.month, day.day)[: {"year": 1, "month": 2, "day": 3}[kind]]
        starts.setdefault(key, day)
        day += timedelta(days=1)
    return list(starts.values())


class LongList(admin.ModelAdmin):
    """For tables that grow without end. `newest_by`: the indexed field by which a search finds the newest rows."""

    newest_by = ""

    paginator = CappedPaginator
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        ordering = self.get_ordering(request) or self.model._meta.ordering
        return Periods(self.model).order_by(*ordering)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if search_term and self.newest_by:
            newest = queryset.order_by(f"-{self.newest_by}").values_list(self.newest_by, flat=True)
            beyond = newest[SEARCHED_AT_MOST : SEARCHED_AT_MOST + 1].first()
            if beyond is not None:
                queryset = queryset.filter(**{f"{self.newest_by}__gt": beyond})
        return super().get_search_results(request, queryset, search_term)


def values_of(model: type[Model], column: str) -> Sequence[str]:
    """The distinct values of an indexed text column, in order: one step through the index for each."""
    table, name = (connection.ops.quote_name(part) for part in (model._meta.db_table, column))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE step(value) AS ("  # noqa: S608 (names of our own, quoted)
            f"(SELECT min({name}) FROM {table}) UNION ALL "
            f"SELECT (SELECT min({name}) FROM {table} WHERE {name} > step.value) FROM step WHERE step.value IS NOT NULL"
            f") SELECT value FROM step WHERE value IS NOT NULL"
        )
        return [value for (value,) in cursor.fetchall()]
