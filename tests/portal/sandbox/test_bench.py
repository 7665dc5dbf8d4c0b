"""What the benchmark measures: its rows fit the tables, and its pages open."""

import pytest

from portal.sandbox import bench_pages, bench_rows


@pytest.fixture
def small_building(db, monkeypatch):
    """The benchmark's building with few rows, each page opened twice."""
    for name, value in {"CARDHOLDERS": 60, "CONTROLLERS": 12, "DOORS": 36, "HISTORY": 600, "ENTRIES": 600}.items():
        monkeypatch.setattr(bench_rows, name, value)
    monkeypatch.setattr(bench_pages, "RUNS", 1)
    bench_rows.load()


def test_every_page_opens_without_a_query_per_row(small_building):
    clients = {role: bench_pages._logged_in(role) for role in {page.role for page in bench_pages.pages()}}
    for page in bench_pages.pages():
        figures = list(bench_pages._opened(page, clients[page.role]))
        assert [figure.name for figure in figures[1:]] == [], page
