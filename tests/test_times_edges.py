"""Q1 to Q4 on data at the edge: every sentence is true, or says truly why there is none."""

import shutil

import numpy as np
import pandas as pd
import pytest

from basket.analysis import chosen_times, windows
from basket.analysis.finding import NotAnswered, TooLittleData, answer, require_active
from basket.analysis.questions import goods_by_time
from basket.analysis.questions import q01_busiest as q01
from basket.analysis.questions import q02_spending as q02
from basket.analysis.questions import q03_price_ranges as q03
from basket.analysis.questions import q04_departments as q04
from basket.analysis.questions.ad_calendar import ad_calendar
from basket.checks.verify import unexplained
from basket.synthetic.generate import generate
from basket.tables.result_csv import to_csv
from conftest import COUNTED, run_stages
from small_store import with_orders

pytestmark = pytest.mark.slow

FINDINGS = {
    "busiest": q01.busiest,
    "quiet": q01.quiet,
    "spending": q02.spending,
    "goods": goods_by_time.what_sells_when,
    "prices": q03.price_ranges,
    "popular": q04.popular_departments,
    "small": q04.small_departments,
}
FIGURES = (
    q01.heat_map,
    q02.spend_by_hour,
    q02.value_by_hour,
    q02.value_by_day,
    goods_by_time.goods_by_daypart,
    q03.prices_and_cuts,
    q04.shares,
    q04.reach_and_orders,
)
UNKNOWN = {"q_value": np.nan, "verdict": "undecided", "for_headline": "no"}


def changed(folder, file: str, **columns) -> None:
    """Give columns of a raw file one value."""
    table = pd.read_csv(folder / file, dtype=str, keep_default_na=False)
    table.assign(**columns).to_csv(folder / file, index=False)


def customers_kept(folder, chosen) -> None:
    """Keep the orders of the customers that `chosen` picks from their numbers of prior orders."""

    def theirs(orders: pd.DataFrame) -> pd.Series:
        counts = orders[orders["eval_set"] == "prior"].groupby("user_id").size()
        return orders["user_id"].isin(chosen(counts).index)

    with_orders(folder, folder, theirs)


EDGES = {
    "one day": lambda folder: changed(folder, "orders.csv", order_dow="3"),
    "one hour": lambda folder: changed(folder, "orders.csv", order_hour_of_day="3"),
    "one department": lambda folder: changed(folder, "products.csv", department_id="4"),
    "one price": lambda folder: changed(folder, "products.csv", prices="5.0"),
    "no price": lambda folder: changed(folder, "products.csv", prices=""),
    "one customer": lambda folder: customers_kept(folder, lambda counts: counts.nlargest(1)),
    "five customers": lambda folder: customers_kept(folder, lambda counts: counts.nlargest(5)),
    "all loyal": lambda folder: customers_kept(folder, lambda counts: counts[counts > 40]),
    "nobody active": lambda folder: customers_kept(folder, lambda counts: counts[counts < 5]),
}


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """Give a function that analyses an edge once: its result tables of Q1 to Q4."""
    made = {}
    whole = tmp_path_factory.mktemp("whole")
    generate(whole, scale=0.001)

    def results_of(edge: str) -> dict[str, pd.DataFrame]:
        if edge not in made:
            folder = tmp_path_factory.mktemp("edge")
            shutil.copytree(whole, folder / "data")
            EDGES[edge](folder / "data")
            run = run_stages(folder / "data", folder / "out", "corrected")
            names = run.notebook("05_visualise", COUNTED)
            counts, results = names["counts"], names["results"]
            made[edge] = results | tables_of(counts, results)
        return made[edge]

    return results_of


def tables_of(counts, results) -> dict[str, pd.DataFrame]:
    """Make the tables of Q1 to Q4 and the calendar, as notebook 05 does."""
    tables = {
        "busiest_times": q01.busiest_times(counts, windows.quiet_windows(counts)),
        "order_index": q01.order_index(counts),
        "quiet_windows": windows.quiet_windows(counts),
        "spend_by_time": q02.spend_by_time(counts).assign(**UNKNOWN),
        "department_times": goods_by_time.department_times(counts).assign(**UNKNOWN),
        "split_halves": chosen_times.chosen(counts),
        "price_bands": q03.price_bands(counts),
        "department_prices": q03.department_prices(counts),
        "spend_by_price": q03.spend_by_price(counts),
        "department_reach": q04.department_reach(results["departments"], counts),
    }
    return tables | {"ad_calendar": ad_calendar(tables, counts.settings)}


def said_of(tables: dict, settings) -> dict[str, str]:
    """Give each headline, after checking that no sentence holds what is no number of the data."""
    headlines = {}
    for name, function in FINDINGS.items():
        found, seen = answer(function, tables, settings)
        prize = found.prize.what_if if found.prize else ""
        for sentence in (found.headline, found.so_what, found.action, prize):
            assert "nan" not in sentence.lower().replace("finance", ""), sentence
            assert unexplained(sentence, seen.numbers) == [], (sentence, seen.numbers)
        values = [number["value"] for number in seen.numbers.values()]
        assert not any(map(pd.isna, values)), seen.numbers
        headlines[name] = found.headline
    return headlines


@pytest.mark.parametrize("edge", EDGES)
def test_at_an_edge_no_sentence_is_false_and_nothing_breaks(edge, analysed, settings):
    tables = analysed(edge)
    said = said_of(tables, settings)
    for name, table in tables.items():
        assert "nan" not in to_csv(table).lower(), name
    for function in FIGURES:
        try:
            require_active(tables)
            figure = function(tables, settings)
        except (TooLittleData, NotAnswered) as reason:
            assert str(reason).endswith(".")
            continue
        assert "nan" not in f"{figure.title} {figure.alt}".lower()
    print(edge, said)


def test_one_day_is_no_busiest_day(analysed, settings):
    said = said_of(analysed("one day"), settings)
    assert said["busiest"].startswith("All orders fall on Tuesday, and the hours ")
    assert said["quiet"].startswith("No waking window that has orders is proven")
    assert list(analysed("one day")["quiet_windows"]["day_name"]) == ["Tuesday"]


def test_one_hour_outside_waking_hours_leaves_no_window(analysed, settings):
    said = said_of(analysed("one hour"), settings)
    assert said["quiet"].startswith("Not answered: no order of an active customer falls into")
    assert said["goods"] == "Not answered: all orders fall into one part of the day"
    assert said["busiest"].endswith("and the hours 03:00–04:00 take 100%")
    assert said["spending"].startswith("All money is spent between 03:00 and 04:00; ")


def test_one_department_is_not_compared_with_itself(analysed, settings):
    said = said_of(analysed("one department"), settings)
    only = "Not answered: only one department with a name has order lines"
    assert said["popular"] == said["small"] == only
    assert said["goods"] == "Not answered: only one department has order lines"


def test_one_price_is_not_divided_and_no_price_is_no_zero(analysed, settings):
    said = said_of(analysed("one price"), settings)
    assert said["prices"] == "Every priced order line costs $5.00: there is nothing to divide"
    said = said_of(analysed("no price"), settings)
    nothing = "Not answered: no order line of an active customer has a price"
    assert said["prices"] == said["spending"] == nothing
    assert said["popular"].startswith("Produce ")


@pytest.mark.parametrize("edge", ["one customer", "five customers"])
def test_of_few_customers_nothing_is_concluded(edge, analysed, settings):
    tables = analysed(edge)
    for name, function in FINDINGS.items():
        found, _ = answer(function, tables, settings)
        assert found.confidence in ("low", "medium"), name
        assert found.touches == (), name
    assert tables["split_halves"].empty
    assert tables["ad_calendar"].empty
    assert (tables["department_times"]["lines"] > 0).all()
    for name in ("spend_by_time", "order_index"):
        assert (tables[name]["orders"] > 0).all()


def test_with_loyal_customers_alone_no_department_has_a_time_of_its_own(analysed, settings):
    found, _ = answer(goods_by_time.what_sells_when, analysed("all loyal"), settings)
    assert found.headline.startswith("No department is confirmed")


def test_where_nobody_is_active_each_answer_says_so(analysed, settings):
    said = set(said_of(analysed("nobody active"), settings).values())
    assert said == {"Not answered: no customer has enough orders to count as active"}
