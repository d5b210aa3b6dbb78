"""Compare the oracle itself with numbers it did not compute: real results and hand calculation.

With BASKET_REAL_DATA set to the folder that holds `panel1200` and `panel1200_expected`, the
oracle is compared with another SQL's results on 1,200 real customers. The data sets written by
hand are a few lines each, computed in the comments.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from oracle import KEYS, assert_tables_equal, result_tables, row_flow

RULES = ["corrected", "course"]

# --- real data -----------------------------------------------------------------------------------

EXPECTED_TABLES = sorted(set(KEYS) - {"department_mix"})  # the expected results have no mix

ROW_FLOW = {  # lines read, unmatched, added, kept; orders and customers kept
    "corrected": (180_895, 0, 0, 180_895, 18_774, 1_200),
    "course": (180_895, 225, 12, 180_682, 18_773, 1_200),
}


@pytest.fixture(scope="module")
def panel_tables(panel: Path) -> dict[str, dict[str, pd.DataFrame]]:
    """Compute the panel's result tables once per RULES."""
    return {rules: result_tables(panel, rules) for rules in RULES}


@pytest.mark.parametrize("table", EXPECTED_TABLES)
@pytest.mark.parametrize("rules", RULES)
def test_panel_gives_the_expected_results(real_data, panel_tables, rules, table):
    """Every row and filled cell of the other SQL's results is the oracle's too."""
    path = real_data / "panel1200_expected" / rules / f"{table}.csv"
    expected = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert not expected.empty
    assert_tables_equal(panel_tables[rules][table], expected, KEYS[table], table=table)


@pytest.mark.parametrize("rules", RULES)
def test_panel_gives_the_known_row_flow(panel: Path, rules: str) -> None:
    """Lines, orders and customers read, unmatched, added and kept are the known ones."""
    flow = row_flow(panel, rules)
    lines = [flow[f"lines_{what}"] for what in ("read", "unmatched", "added", "kept")]
    assert (*lines, flow["orders_kept"], flow["customers_kept"]) == ROW_FLOW[rules]


@pytest.mark.parametrize("rules", RULES)
def test_panel_tables_add_up(panel, panel_tables, rules):
    """The labels of every flag share out all lines, and the departments all of a group's."""
    flow = row_flow(panel, rules)
    kept = {"all": flow["lines_kept"], "active": flow["lines_active"]}
    tables = panel_tables[rules]
    for (population, flag), lines in tables["flags"].groupby(["population", "flag"])["lines"]:
        assert lines.sum() == kept[population], flag
    for table in ["orders_by_day", "orders_by_hour", "orders_by_day_hour", "departments"]:
        assert tables[table].groupby("population")["lines"].sum().to_dict() == kept, table
    mix = tables["department_mix"]
    for (population, grouping), rows in mix.groupby(["population", "grouping"]):
        assert rows["lines"].sum() == kept[population], grouping
        assert rows.groupby("group")["share"].sum().to_numpy() == pytest.approx(1), grouping


# --- data sets written by hand -------------------------------------------------------------------

DEPARTMENTS = {4: "produce", 7: "beverages", 16: "dairy eggs"}


def write_raw(folder: Path, products: list, orders: list, lines: list, customers=None) -> Path:
    """Write the five raw files; by default all customers are alike.

    Products: product_id, product_name, aisle_id, department_id, prices. Orders: order_id, user_id,
    eval_set, order_number, order_dow, order_hour_of_day, days_since_prior_order. Lines: order_id,
    product_id, reordered. Customers: user_id, Gender, STATE, Age, n_dependants, fam_status, income.
    """
    if customers is None:
        users = sorted({order[1] for order in orders})
        customers = [(user, "Female", "Ohio", "40", "0", "single", "60000") for user in users]

    def write(name: str, header: str, rows: list) -> None:
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])

    ids = "order_id,user_id,eval_set,order_number"
    people = "user_id,First Name,Surnam,Gender,STATE,Age,date_joined,n_dependants,fam_status,income"
    write("products.csv", "product_id,product_name,aisle_id,department_id,prices", products)
    write("orders.csv", f"{ids},order_dow,order_hour_of_day,days_since_prior_order", orders)
    rows = [(order, product, 1, reordered) for order, product, reordered in lines]
    write("orders_products_prior.csv", "order_id,product_id,add_to_cart_order,reordered", rows)
    rows = [(one[0], "", "S", *one[1:4], "1/1/2017", *one[4:]) for one in customers]
    write("customers.csv", people, rows)
    names = [["department", *DEPARTMENTS.values()]]
    write("departments.csv", ",".join(["department_id", *map(str, DEPARTMENTS)]), names)
    return folder


def frame(header: str, *rows: tuple) -> pd.DataFrame:
    """Write an expected table by hand; None is a cell that does not apply."""
    return pd.DataFrame(rows, columns=header.split(), dtype=object)


def assert_rows(
    tables: dict[str, pd.DataFrame], table: str, header: str, *rows: tuple, **where: str
) -> None:
    """Compare the rows where columns have these values with rows written by hand, both ways."""
    actual, expected = tables[table], frame(header, *rows)
    for column, value in where.items():
        actual = actual[actual[column] == value]
    keys = [key for key in KEYS[table] if key in expected.columns]
    actual = actual[list(expected.columns)]
    assert_tables_equal(actual, expected, keys, table=table, both_ways=True)


@pytest.mark.parametrize(
    ("newline", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8"), ("\r\n", "utf-8-sig")]
)
def test_doubled_product_ids(tmp_path: Path, newline: str, encoding: str) -> None:
    """Corrected gives the first row of the pair its absent id; course lets the lines fan out."""
    write_raw(
        tmp_path,
        products=[
            (1, "Apple", 24, 4, "2.0"),
            (3, 'Tea, "the first"', 94, 7, "3.0"),  # really 2, which is absent
            (3, "Cheese", 21, 16, "7"),
            (4, "", 24, 4, "5.0"),  # nameless
            (5, "None", 21, 16, "1.0"),  # a name, and an exact duplicate
            (5, "None", 21, 16, "1.0"),
        ],
        orders=[
            (10, 1, "prior", 1, 0, "08", ""),
            (11, 1, "prior", 2, 0, "09", "7.0"),
            (12, 1, "prior", 3, 2, "09", "7.0"),
            (13, 1, "train", 4, 2, "09", "7.0"),  # no prior order: it takes no part
        ],
        lines=[
            *[(10, 1, 0), (10, 2, 0), (10, 3, 0)],
            *[(11, 4, 0), (11, 5, 0), (11, 3, 1)],
            (12, 3, 1),
        ],
    )
    for path in tmp_path.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text, newline=newline, encoding=encoding)
    # Corrected: 7 lines, none lost. produce 2.00 + 5.00, tea 3.00 once, cheese 3 x 7.00 + 1.00.
    flow = dict(orders_kept=3, customers_kept=1, lines_active=0, customers_active=0)
    assert row_flow(tmp_path, "corrected") == flow | dict(
        lines_read=7, lines_unmatched=0, lines_added=0, lines_kept=7, lines_excluded=7
    )
    header = "population department_id department products customers orders lines spend"
    header += " reorder_rate"
    assert_rows(
        result_tables(tmp_path, "corrected"),
        "departments",
        header,
        ("all", 4, "produce", 2, 1, 2, 2, 7.00, 0),
        ("all", 7, "beverages", 1, 1, 1, 1, 3.00, 0),
        ("all", 16, "dairy eggs", 2, 1, 3, 4, 22.00, 2 / 4),
    )
    # Course: 2 (absent) and 4 (nameless) unmatched; the three lines of 3 become six:
    # 7 - 2 + 3 = 8. Tea 3 x 3.00 of which 2 reordered.
    assert row_flow(tmp_path, "course") == flow | dict(
        lines_read=7, lines_unmatched=2, lines_added=3, lines_kept=8, lines_excluded=8
    )
    course = result_tables(tmp_path, "course")
    assert_rows(
        course,
        "departments",
        header,
        ("all", 4, "produce", 1, 1, 1, 1, 2.00, 0),
        ("all", 7, "beverages", 1, 1, 3, 3, 9.00, 2 / 3),
        ("all", 16, "dairy eggs", 2, 1, 3, 4, 22.00, 2 / 4),
    )
    # Distinct ids: 3 counts once in either range. Low 2.00 + 3 x 3.00 + 1.00, mid 3 x 7.00.
    assert_rows(
        course,
        "price_ranges",
        "population price_range products orders lines spend",
        ("all", "Low-range product", 3, 3, 5, 12.00),
        ("all", "Mid-range product", 1, 3, 3, 21.00),
    )


def test_lines_of_other_orders_are_unmatched(tmp_path: Path) -> None:
    """Only prior orders are analysed: a line of a train or an unknown order is counted and gone."""
    write_raw(
        tmp_path,
        products=[(1, "Apple", 24, 4, "2.0")],
        orders=[(10, 1, "prior", 1, 0, "08", ""), (11, 1, "train", 2, 0, "08", "7.0")],
        lines=[(10, 1, 0), (11, 1, 1), (12, 1, 1)],
    )
    flow = row_flow(tmp_path, "course")
    expected = dict(lines_read=3, lines_unmatched=2, lines_added=0, lines_kept=1, orders_kept=1)
    assert {name: flow[name] for name in expected} == expected


def test_price_ceiling(tmp_path: Path) -> None:
    """Corrected flags never see a price above 100; the course's do, its spend does not."""
    prices = ["5.0", "5.1", "15.0", "15.1", "100.0", "14900.0", ""]
    write_raw(
        tmp_path,
        products=[(n, f"P{n}", 24, 4, price) for n, price in enumerate(prices, start=1)],
        orders=[(user, user, "prior", 1, 0, "08", "") for user in (1, 2, 3)],
        lines=[(1, 1, 0), (1, 6, 0), (2, 7, 0), (3, 2, 0), (3, 3, 0), (3, 4, 0), (3, 5, 0)],
    )
    corrected, course = (result_tables(tmp_path, rules) for rules in RULES)
    # Low 5.0; mid 5.1 + 15.0; high 15.1 + 100.0; missing 14900.0 and the empty one.
    header = "price_range products orders lines spend"
    assert_rows(
        corrected,
        "price_ranges",
        header,
        ("Low-range product", 1, 1, 1, 5.00),
        ("Mid-range product", 2, 1, 2, 20.10),
        ("High-range product", 2, 1, 2, 115.10),
        ("(missing)", 2, 2, 2, 0.00),
    )
    # The course calls 14900.0 high, and its spend leaves it out.
    assert_rows(
        course,
        "price_ranges",
        header,
        ("Low-range product", 1, 1, 1, 5.00),
        ("Mid-range product", 2, 1, 2, 20.10),
        ("High-range product", 3, 2, 3, 115.10),
        ("(missing)", 1, 1, 1, 0.00),
    )
    # All at eight: 5.0 + 20.1 + 115.1 = 140.2 over 3 orders and 5 prices that are not missing.
    for tables in (corrected, course):
        assert_rows(
            tables,
            "orders_by_hour",
            "population hour orders lines spend mean_order_value mean_item_price",
            ("all", 8, 3, 7, 140.20, 140.2 / 3, 28.04),
        )
    # Customer 1 bought 5.0 and 14900.0; 2 nothing with a price; 3 5.1 + 15 + 15.1 + 100 = 135.2.
    header = "group customers orders lines spend mean_order_value mean_lines_per_order"
    header += " mean_item_price median_days_between_orders reorder_rate"
    missing = ("(missing)", 1, 1, 1, 0.00, 0.00, 1, None, None, 0)
    assert_rows(
        corrected,
        "habits",
        header,
        ("Low spender", 1, 1, 2, 5.00, 5.00, 2, 5.00, None, 0),
        ("High spender", 1, 1, 4, 135.20, 135.20, 4, 33.80, None, 0),
        missing,
        grouping="spending_flag",
    )
    # Course: 1 and 3 are both high spenders; 140.2 over 2 orders and 5 priced lines.
    assert_rows(
        course,
        "habits",
        header,
        ("High spender", 2, 2, 6, 140.20, 70.10, 3, 28.04, None, 0),
        missing,
        grouping="spending_flag",
    )


@pytest.mark.parametrize("rules", RULES)
def test_mean_price_of_exactly_ten_is_a_high_spender(tmp_path: Path, rules: str) -> None:
    """9.1 + 10.2 + 10.7 = 30.0 is a mean of 10.00; in floats it is 9.999999999999998."""
    write_raw(
        tmp_path,
        products=[
            (n, f"P{n}", 24, 4, price)
            for n, price in enumerate(["9.1", "10.2", "10.7", "10.6"], start=1)
        ],
        orders=[(user, user, "prior", 1, 0, "08", "") for user in (1, 2)],
        lines=[(1, 1, 0), (1, 2, 0), (1, 3, 0), (2, 1, 0), (2, 2, 0), (2, 4, 0)],
    )
    assert_rows(
        result_tables(tmp_path, rules),
        "flags",
        "label customers orders lines",
        ("High spender", 1, 1, 3),  # customer 1
        ("Low spender", 1, 1, 3),  # customer 2: 29.9 / 3
        flag="spending_flag",
    )


def test_median_gap(tmp_path: Path) -> None:
    """The two middle gaps are averaged; over orders (corrected) or over lines (course)."""
    gaps = {1: "10 11", 2: "10 10", 3: "20 20", 4: "20 21", 5: "", 6: "5 12"}
    orders = [
        (user * 10 + number, user, "prior", number, 0, "08", gap)
        for user, text in gaps.items()
        for number, gap in enumerate(["", *text.split()], start=1)
    ]
    lines = [(order[0], 1, 0) for order in orders] + [(63, 2, 0), (63, 3, 0)]
    write_raw(tmp_path, [(n, f"P{n}", 24, 4, "1.0") for n in (1, 2, 3)], orders, lines)
    # Orders: 1 10.5 regular, 2 10 frequent, 3 20 regular, 4 20.5 non-frequent, 5 none,
    # 6 (5 + 12) / 2 = 8.5 frequent. The groups' gaps: 10 10 5 12 -> 10; 10 11 20 20 -> 15.5.
    header = "group customers orders lines median_days_between_orders"
    assert_rows(
        result_tables(tmp_path, "corrected"),
        "habits",
        header,
        ("Frequent customer", 2, 6, 8, 10),
        ("Regular customer", 2, 6, 6, 15.5),
        ("Non-frequent customer", 1, 3, 3, 20.5),
        ("(missing)", 1, 1, 1, None),
        grouping="frequency_flag",
    )
    # Lines: 6 has 5 12 12 12 -> 12, regular. The group's gaps are over orders all the same:
    # 10 11 20 20 5 12 -> 11.5 (over lines it would be 12).
    assert_rows(
        result_tables(tmp_path, "course"),
        "habits",
        header,
        ("Frequent customer", 1, 3, 3, 10),
        ("Regular customer", 3, 9, 11, 11.5),
        ("Non-frequent customer", 1, 3, 3, 20.5),
        ("(missing)", 1, 1, 1, None),
        grouping="frequency_flag",
    )


def test_busiest_labels_and_their_ties(tmp_path: Path) -> None:
    """Ties go to the lower day or hour, busiest labels before slowest; by orders or by lines."""
    days_lines = [(0, 2), (0, 1), (1, 1), (1, 1), (2, 3), (3, 2), (4, 2)]  # one per order
    orders = [
        (number, 1, "prior", number, day, f"{day + 8:02}", "" if number == 1 else "7.0")
        for number, (day, _) in enumerate(days_lines, start=1)
    ]
    lines = [
        (number, product, 0)
        for number, (_, count) in enumerate(days_lines, start=1)
        for product in range(1, count + 1)
    ]
    write_raw(tmp_path, [(n, f"P{n}", 24, 4, "1.0") for n in (1, 2, 3)], orders, lines)
    expected = {}
    # Orders by day 2 2 1 1 1: busiest 0 (a tie with 1), least busy 2 (a tie with 3 and 4); the
    # two busiest 0 1, the two slowest 2 3. Hour = day + 8: with one hour a label, as the days.
    expected["corrected"] = [
        ("busiest_day", "Busiest day", 2, 3),
        ("busiest_day", "Least busy", 1, 3),
        ("busiest_day", "Regularly busy", 4, 6),
        ("busiest_days", "Busiest days", 4, 5),
        ("busiest_days", "Slowest days", 2, 5),
        ("busiest_days", "Regularly busy", 1, 2),
        ("busiest_period_of_day", "Most orders", 2, 3),
        ("busiest_period_of_day", "Fewest orders", 1, 3),
        ("busiest_period_of_day", "Average orders", 4, 6),
    ]
    # Lines by day 3 2 3 2 2: busiest 0 (a tie with 2), least busy 1 (a tie with 3 and 4); the
    # two busiest 0 2, the two slowest 1 3.
    expected["course"] = [
        ("busiest_day", "Busiest day", 2, 3),
        ("busiest_day", "Least busy", 2, 2),
        ("busiest_day", "Regularly busy", 3, 7),
        ("busiest_days", "Busiest days", 3, 6),
        ("busiest_days", "Slowest days", 3, 4),
        ("busiest_days", "Regularly busy", 1, 2),
        ("busiest_period_of_day", "Most orders", 2, 3),
        ("busiest_period_of_day", "Fewest orders", 2, 2),
        ("busiest_period_of_day", "Average orders", 3, 7),
    ]
    for rules in RULES:
        tables = result_tables(tmp_path, rules, {"busiest_hours": 1})
        days = tables["orders_by_day"].query("population == 'all'")["day_name"]
        assert list(days) == ["Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"]
        busiest = tables["flags"][tables["flags"]["flag"].str.startswith("busiest")]
        assert busiest["customers"].isna().all()
        header = "flag label orders lines"
        assert_rows({"flags": busiest}, "flags", header, *expected[rules], population="all")


@pytest.mark.parametrize("rules", RULES)
def test_slowest_labels_are_given_among_the_rest(tmp_path: Path, rules: str) -> None:
    """Three days alike: 0 is busiest, 1 least busy; 0 and 1 the busiest two, 2 alone slowest."""
    write_raw(
        tmp_path,
        products=[(1, "Apple", 24, 4, "2.0")],
        orders=[(n, 1, "prior", n, n - 1, "08", "") for n in (1, 2, 3)],
        lines=[(n, 1, 0) for n in (1, 2, 3)],
    )
    flags = result_tables(tmp_path, rules)["flags"]
    assert_rows(
        {"flags": flags[flags["flag"].isin(["busiest_day", "busiest_days"])]},
        "flags",
        "flag label orders lines",
        ("busiest_day", "Busiest day", 1, 1),
        ("busiest_day", "Least busy", 1, 1),
        ("busiest_day", "Regularly busy", 1, 1),
        ("busiest_days", "Busiest days", 2, 2),
        ("busiest_days", "Slowest days", 1, 1),
    )


@pytest.mark.parametrize("rules", RULES)
def test_customer_groups_at_their_cuts(tmp_path: Path, rules: str) -> None:
    """Loyalty, activity, age, income and region change at their cuts; the mix and its lift."""
    customers = {
        # user: (order number, customer, products); 1 is produce, 2 to 4 are dairy eggs
        1: (4, (1, "Female", "Delaware", "39", "0", "single", "49999"), [1]),
        2: (5, (2, "Male", "Maryland", "40", "3", "married", "50000"), [1, 2, 3, 4]),
        3: (10, (3, "Female", "District of Columbia", "64", "0", "single", "99999"), [1, 2]),
        4: (11, (4, "Female", "Pennsylvania", "65", "0", "", "100000"), [2]),
        5: (40, (5, "Male", "Missouri", "", "", "single", ""), [2]),
        6: (41, (6, "Female", "", "18", "0", "single", "25903"), [1]),
    }
    write_raw(
        tmp_path,
        products=[(n, f"P{n}", 24, 4 if n == 1 else 16, "1.0") for n in (1, 2, 3, 4)],
        orders=[
            (user, user, "prior", number, 0, "08", "7.0")
            for user, (number, _, _) in customers.items()
        ],
        lines=[(user, product, 0) for user, row in customers.items() for product in row[2]],
        customers=[customer for _, customer, _ in customers.values()],
    )
    tables = result_tables(tmp_path, rules)
    flags = tables["flags"].query("population == 'all'")
    found = {flag: rows.set_index("label")["customers"] for flag, rows in flags.groupby("flag")}
    expected = {
        "loyalty_flag": {"New customer": 3, "Regular customer": 2, "Loyal customer": 1},
        "exclusion_flag": {"Low activity": 1, "Active": 5},
        "age_group": {"18-39": 2, "40-64": 2, "65+": 1, "(missing)": 1},
        "income_group": {"Low income": 2, "Middle income": 2, "High income": 1, "(missing)": 1},
        "region": {"South": 3, "Northeast": 1, "Midwest": 1, "(missing)": 1},
        "family_status": {"single": 4, "married": 1, "(missing)": 1},
        "gender": {"Female": 4, "Male": 2},
        "n_dependants": {"0": 4, "3": 1, "(missing)": 1},
    }
    assert {flag: found[flag].to_dict() for flag in expected} == expected
    # All: produce 4 of 10 lines, dairy 6. Women: 3 and 2 of 5; men: 1 and 4 of 5.
    # Active, without customer 1: produce 3 of 9, dairy 6; women 2 and 2 of 4, men as before.
    assert_rows(
        tables,
        "department_mix",
        "population group department lines share lift",
        ("all", "Female", "produce", 3, 0.6, 0.6 / 0.4),
        ("all", "Female", "dairy eggs", 2, 0.4, 0.4 / 0.6),
        ("all", "Male", "produce", 1, 0.2, 0.2 / 0.4),
        ("all", "Male", "dairy eggs", 4, 0.8, 0.8 / 0.6),
        ("active", "Female", "produce", 2, 0.5, 0.5 * 9 / 3),
        ("active", "Female", "dairy eggs", 2, 0.5, 0.5 * 9 / 6),
        ("active", "Male", "produce", 1, 0.2, 0.2 * 9 / 3),
        ("active", "Male", "dairy eggs", 4, 0.8, 0.8 * 9 / 6),
        grouping="gender",
    )


# --- the comparison can fail ---------------------------------------------------------------------

TABLE = frame(
    "population day orders spend rate", ("all", 0, 3, 10.00, 0.5), ("all", 1, 4, 20.00, None)
)


def changed(row: int, column: str, value: object) -> pd.DataFrame:
    """Copy TABLE with one cell changed."""
    copy = TABLE.copy()
    copy.loc[row, column] = value
    return copy


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        (changed(1, "orders", 5), r"t: row population=all, day=1, column 'orders'.* 5, .* 4"),
        (changed(0, "spend", 10.02), r"day=0, column 'spend': actual 10.02, expected 10.0"),
        (changed(0, "rate", 0.500002), r"column 'rate'"),
        (changed(0, "rate", None), r"column 'rate': actual \(empty\), expected 0.5"),
        (TABLE.iloc[:1], r"row population=all, day=1 is expected and missing"),
        (TABLE.drop(columns="orders"), r"column 'orders' is expected and missing"),
        (pd.concat([TABLE, TABLE.iloc[:1]]), r"actual: row population=all, day=0 .* twice"),
    ],
)
@pytest.mark.parametrize("both_ways", [False, True])
def test_comparison_names_the_first_difference(actual, message, both_ways):
    """A changed cell, a lost row or column and a doubled key each fail, named."""
    with pytest.raises(AssertionError, match=message):
        assert_tables_equal(actual, TABLE, ["population", "day"], table="t", both_ways=both_ways)


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        (changed(1, "rate", 0.1), r"day=1, column 'rate': actual 0.1, expected \(empty\)"),
        (TABLE.assign(more=1), r"column 'more' is not expected"),
        (pd.concat([TABLE, TABLE.iloc[:1].assign(day=2)]), r"day=2 is not expected"),
    ],
)
def test_comparison_both_ways_refuses_what_is_not_expected(actual, message):
    """One way, more cells, columns and rows are welcome; both ways they fail, named."""
    keys = ["population", "day"]
    assert_tables_equal(actual, TABLE, keys)
    with pytest.raises(AssertionError, match=message):
        assert_tables_equal(actual, TABLE, keys, both_ways=True)


def test_comparison_allows_types_order_and_rounding_to_differ() -> None:
    """Text read from a CSV file equals numbers, in any order, within the tolerances."""
    other = frame(
        "day population spend orders rate",
        ("1", "all", "20.01", "4", ""),
        ("0.0", "all", "9.99", "3", "0.500001"),
    )
    assert_tables_equal(other, TABLE, ["population", "day"], both_ways=True)
