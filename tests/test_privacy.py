"""Suppression: what leaves 04_analysis tells of no group of too few customers."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from basket.analysis import figure, privacy
from basket.project.folders import ROOT
from basket.project.settings import load_settings, parse_settings
from basket.report.workbook import sheet_record
from basket.report.workbook.shown_figures import FigureGate, publishable_figures

SETTINGS = load_settings(ROOT / "settings.yml")
LEAST = SETTINGS.privacy.smallest_group
AGES, INCOMES = SETTINGS.flags["age_group"].labels, SETTINGS.flags["income_group"].labels
HOUSEHOLDS = ("no dependants", "with dependants")
FAMILIES = {
    "no dependants": ("single", "divorced/widowed"),
    "with dependants": ("married", "living with parents and siblings"),
}
KEYS = ["population", "grouping", "group"]


def habits(**groupings):
    """Make a table of habits with the given customers by group."""
    rows = [
        ("active", grouping, group, customers, customers * 3, customers * 30)
        for grouping, groups in groupings.items()
        for group, customers in groups.items()
    ]
    return pd.DataFrame(rows, columns=[*KEYS, "customers", "orders", "lines"])


def hidden(table):
    """Name the groups whose rows are suppressed."""
    rows = table[table["customers"] == privacy.SUPPRESSED]
    return set(zip(rows["grouping"], rows["group"], strict=True))


def published(table):
    return privacy.publishable(table, SETTINGS)


# --- plain cases


SMALL_AND_NEXT = {"West": 7, "South": 300, "Midwest": 12, "Northeast": 90}


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (SMALL_AND_NEXT, ["West", "Midwest"]),  # a small group goes with the next smallest
        ({"West": 11, "South": 40}, []),  # the boundary is 10 against 11
        ({"West": 10, "South": 40}, ["West", "South"]),
        # two small groups whose sum is small take a third with them; of enough customers they do
        ({"West": 2, "South": 3, "Midwest": 50, "Northeast": 90}, ["West", "South", "Midwest"]),
        ({"West": 6, "South": 5, "Midwest": 50, "Northeast": 90}, ["West", "South"]),
    ],
)
def test_small_groups_are_hidden_with_as_many_others_as_it_takes(region, expected):
    table = published(habits(region=region))
    assert hidden(table) == {("region", name) for name in expected}
    rows = table[table["group"].isin(expected)]
    assert (rows[["customers", "orders", "lines"]] == privacy.SUPPRESSED).all(axis=None)


def test_a_group_of_which_one_customer_holds_more_than_half_goes_with_another():
    table = habits(region={"West": 20, "South": 300, "Midwest": 40, "Northeast": 90})
    for largest, expected in ((0.51, ["West", "Midwest"]), (0.5, [])):
        shown = published(table.assign(largest_share=[largest, 0.1, 0.5, 0.1]))
        assert hidden(shown) == {("region", name) for name in expected}


def test_other_groupings_stay_as_they_are():
    table = published(habits(region={"West": 7, "South": 93}, gender={"Male": 40, "Female": 60}))
    assert {grouping for grouping, _ in hidden(table)} == {"region"}


def test_only_the_active_population_is_published():
    table = habits(region={"West": 50, "South": 93})
    both = pd.concat([table, table.assign(population="all")])
    assert set(published(both)["population"]) == {"active"}


def test_a_store_wide_table_that_counts_no_people_is_shown_for_active_customers():
    table = pd.DataFrame({"population": ["all", "active"], "day": [0, 0], "orders": [9, 3]})
    pd.testing.assert_frame_equal(published(table), table.tail(1).reset_index(drop=True))


# --- buyers: who stands behind a cell, not how many belong to its group


def test_money_and_reach_of_few_buyers_are_hidden_but_not_their_lines():
    table = pd.DataFrame(
        {
            "department": ["produce", "dairy", "bulk", "alcohol", "other"],
            "customers": [90, 40, 30, 2, 0],
            "lines": [900, 400, 90, 25, 1],
            "spend": [9000.0, 4000.0, 900.0, 250.0, 0.0],
            "reach": [0.9, 0.4, 0.3, 0.02, 0.0],
        }
    )
    shown = published(table)
    assert list(shown["lines"]) == list(table["lines"])
    for name in ("customers", "spend", "reach"):  # bulk too: one hidden spend is the rest of all
        assert list(shown[name] == privacy.SUPPRESSED) == [False, False, True, True, False]


def test_a_cell_of_which_one_customer_has_more_than_half_is_hidden():
    times = {"period": "hour", "key": range(3), "spend": [5.0, 6.0, 7.0]}
    table = pd.DataFrame({**times, "customers_behind": 50, "largest_share": [0.5, 0.51, 0.1]})
    assert list(published(table)["spend"] == privacy.SUPPRESSED) == [True, True, False]
    groups = habits(region={"West": 50, "South": 300, "Midwest": 40, "Northeast": 90})
    groups["largest_share"] = [0.6, 0.1, 0.1, 0.1]
    assert hidden(published(groups)) == {("region", "West"), ("region", "Midwest")}
    assert not hidden(published(groups.assign(largest_share=0.5)))


@pytest.mark.parametrize("few", [0, 1, 10])
def test_a_ratio_of_few_buyers_is_hidden_and_another_that_would_tell(few):
    groups = ["Low income", "Middle income", "High income"]
    rows = [
        ("income_group", group, department, 200, buyers, 1.0)
        for department, counts in (("bulk", (few, 60, 50)), ("produce", (150, 160, 170)))
        for group, buyers in zip(groups, counts, strict=True)
    ]
    names = ["grouping", "group_a", "measure", "n", "customers_behind", "effect"]
    base = habits(income_group=dict.fromkeys(groups, 200))
    lifts = pd.DataFrame(rows, columns=names)
    shown = privacy.publishable(lifts, SETTINGS, base)
    expected = [True, False, True, False, False, False]
    assert list(shown["effect"] == privacy.SUPPRESSED) == expected
    lifts.loc[0, "customers_behind"] = LEAST
    shown = privacy.publishable(lifts, SETTINGS, base)
    assert not (shown == privacy.SUPPRESSED).any(axis=None)


def test_a_table_without_rows_is_published_without_rows():
    names = ["question", "grouping", "group_a", "measure", "effect", "customers_behind"]
    shown = privacy.publishable(pd.DataFrame(columns=names), SETTINGS, habits(region={"West": 50}))
    assert list(shown) == names
    assert shown.empty


def test_what_few_of_a_group_buy_is_hidden_in_both_directions():
    """Over the groups of a department, and over the departments of a group."""
    groups, departments = ("West", "South", "Midwest"), ("bulk", "pets", "produce")
    buyers = {("West", "bulk"): 3, ("South", "bulk"): 20, ("Midwest", "bulk"): 30}
    rows = [
        ("region", group, department, buyers.get((group, department), 60), 100)
        for group in groups
        for department in departments
    ]
    mix = pd.DataFrame(rows, columns=["grouping", "group", "department", "customers", "lines"])
    base = habits(region=dict.fromkeys(groups, 90))
    shown = privacy.publishable(mix, SETTINGS, base)
    hidden = shown["lines"] == privacy.SUPPRESSED
    assert hidden[shown["department"] == "bulk"].sum() >= 2
    assert hidden.groupby(shown["group"]).sum().isin([0, 2, 3]).all()
    assert hidden.groupby(shown["department"]).sum().isin([0, 2, 3]).all()


@pytest.mark.parametrize(
    ("weekly", "frequent", "expected"),
    [
        ((37, 40, 17), (45, 30, 19), True),  # 45 - 37 customers have a gap of 8 to 10 days
        ((37, 40, 17), (48, 29, 17), False),  # 11 have
        ((37, 40, 17), (37, 45, 12), True),  # 37 + 45 - 77 = 5 have one of 15 to 20 days
    ],
)
def test_two_flags_over_one_column_tell_of_nobody_between_their_cuts(weekly, frequent, expected):
    rhythm = dict(zip(SETTINGS.flags["rhythm"].labels, weekly, strict=True))
    frequency = dict(zip(SETTINGS.flags["frequency_flag"].labels, frequent, strict=True))
    shown = published(habits(rhythm=rhythm, frequency_flag=frequency))
    withheld = {("frequency_flag", label) for label in frequency}
    assert hidden(shown) == (withheld if expected else set())


FLOW = ["table", "step", "rows_in", "rows_added", "rows_removed", "rows_quarantined", "rows_out"]


def flow_of(customers, active):
    """Make a row flow in which each customer has 5 orders and 20 lines."""
    rows = []
    for raw, merged, each in (
        ("raw_lines", "merged", 20),
        ("raw_orders", "analysis_orders", 5),
        ("raw_customers", "analysis_customers", 1),
    ):
        all_rows, kept = customers * each, active * each
        rows.append((raw, "read", all_rows, 0, 0, 0, all_rows))
        rows.append((merged, "active customers", all_rows, 0, all_rows - kept, 0, kept))
    return pd.DataFrame(rows, columns=FLOW).assign(reason="", rules="corrected")


@pytest.mark.parametrize(("left_out", "few"), [(0, False), (1, True), (10, True), (11, False)])
def test_a_population_flow_that_leaves_out_few_customers_says_only_who_is_left(left_out, few):
    flow = flow_of(50, 50 - left_out)
    assert sheet_record.few_left_out(flow, LEAST) == few
    merged = sheet_record.merged_steps(sheet_record.reconciled(flow))
    assert list(merged["rows_out"]) == [20 * (50 - left_out), 5 * (50 - left_out), 50 - left_out]
    others = [name for name in FLOW if name.startswith("rows_") and name != "rows_out"]
    assert (merged[others] == privacy.SUPPRESSED).all(axis=None)
    assert set(merged["adds_up"]) == {"yes"}


# --- words: what a figure with hidden rows says


def spec_of(**changes):
    data = {"columns": ["group", "share"], "rows": [["West", 0.09], ["South", 0.91]]}
    said = {"title": "West: 9% of customers", "so_what": "So what: 9%.", "alt": "West is 9.1%."}
    other = {"name": "regions", "question": "Q7", "sources": ["group_shares"], "chart": None}
    return {**said, **other, "data": data, "heat": None, **changes}


@pytest.mark.parametrize(
    ("withheld", "unanswered", "neutral"),
    [
        ({("region", "West")}, set(), True),
        (set(), {"regions"}, True),
        (set(), {"So what: 9%."}, True),
        (set(), {"others"}, False),
    ],
)
def test_a_figure_with_hidden_rows_or_without_its_finding_says_nothing(
    withheld, unanswered, neutral
):
    gate = FigureGate(withheld, {"group_shares"}, unanswered)
    (figure,) = publishable_figures([spec_of()], gate, SETTINGS)
    said = " ".join(figure.spec[name] for name in ("title", "so_what", "alt"))
    assert ("9" not in said) == neutral
    assert len(figure.spec["title"].split()) >= 3


def test_an_estimate_is_rounded_as_its_error_allows():
    data = pd.DataFrame({"group": ["a", "b", "c"], "ratio": [1.23456789, 0.04973673, 2.0 / 3]})
    data = data.assign(
        ratio_low=[1.2, 0.0412345678, np.nan], ratio_high=[1.3, 0.0582345678, np.nan]
    )
    words = dict.fromkeys(("name", "title", "subtitle", "alt", "x_title", "y_title"), "words")
    made = figure.dots(data, x="group", y="ratio", sources=("tests",), **words)
    rows = made.record("Q7", "")["data"]["rows"]
    assert rows == [["a", 1.235, 1.2, 1.3], ["b", 0.0497, 0.0412, 0.0582], ["c", 0.67, None, None]]


def test_a_flag_of_orders_has_no_customers_and_is_not_suppressed():
    rows = [
        ("busiest_day", "Busiest day", None, 5, 50),
        ("busiest_day", "Least busy", None, 9, 90),
        ("region", "West", 50, 150, 1500),
        ("region", "South", 60, 160, 1600),
    ]
    table = pd.DataFrame(rows, columns=["flag", "label", "customers", "orders", "lines"])
    table = table.assign(population="active").astype({"customers": "Int64"})
    assert not (published(table) == privacy.SUPPRESSED).any(axis=None)


def test_a_group_hidden_among_habits_is_hidden_everywhere():
    base = habits(region={"West": 7, "South": 93, "Midwest": 12, "Northeast": 100})
    flags = base.rename(columns={"grouping": "flag", "group": "label"})
    profiles = pd.DataFrame({"region": ["West", "South"], "share": [0.1, 0.9]})
    rows = [("West", "South", 100, 0.1), ("South", "Northeast", 193, 0.2), ("", "", 212, 0.3)]
    tests = pd.DataFrame(rows, columns=["group_a", "group_b", "n", "effect"])
    tests = tests.assign(population="active", grouping="region", measure="orders", verdict="small")
    shown = {
        name: privacy.publishable(table, SETTINGS, base)
        for name, table in {"flags": flags, "profiles": profiles, "tests": tests}.items()
    }
    assert list(shown["flags"]["customers"] == privacy.SUPPRESSED) == [True, False, True, False]
    assert list(shown["profiles"]["share"] == privacy.SUPPRESSED) == [True, False]
    assert list(shown["tests"]["effect"] == privacy.SUPPRESSED) == [True, False, False]
    assert list(shown["tests"]["verdict"] == privacy.SUPPRESSED) == [True, False, False]


def test_a_comparison_of_too_few_customers_is_not_published():
    base = habits(region={"West": 70, "South": 93})
    tests = pd.DataFrame({"grouping": "region within age", "n": [10, 11], "effect": [0.1, 0.2]})
    tests = tests.assign(group_a="", group_b="")
    shown = privacy.publishable(tests, SETTINGS, base)
    assert list(shown["effect"] == privacy.SUPPRESSED) == [True, False]


def test_department_mix_hides_which_departments_a_hidden_group_buys_from():
    base = habits(region={"West": 7, "South": 93, "Midwest": 12, "Northeast": 100})
    mix = pd.DataFrame(
        {
            "population": "active",
            "grouping": "region",
            "group": ["West", "South", "South", "Midwest", "Northeast", "Northeast"],
            "department": ["bulk", "bulk", "produce", "produce", "bulk", "produce"],
            "lines": 5,
            "share": 0.1,
            "lift": 1.0,
        }
    )
    shown = privacy.publishable(mix, SETTINGS, base)
    rows = shown[shown["group"].isin(["West", "Midwest"])]
    assert len(rows) == 4
    assert (rows[["lines", "share", "lift"]] == privacy.SUPPRESSED).all(axis=None)
    assert not (shown[shown["group"] == "South"] == privacy.SUPPRESSED).any(axis=None)


def test_a_table_of_groups_without_counts_needs_habits():
    mix = pd.DataFrame({"grouping": ["region"], "group": ["West"], "share": [0.1]})
    with pytest.raises(ValueError, match="habits"):
        published(mix)


def test_buyers_count_where_a_table_has_them():
    groups = [("West", 50, 3, 0.06), ("South", 60, 20, 0.33), ("Midwest", 70, 30, 0.43)]
    pairs = pd.DataFrame(groups, columns=["group", "customers", "buyers", "share"])
    pairs = pairs.assign(product_a=1, product_b=2, grouping="region")
    assert list(published(pairs)["buyers"] == privacy.SUPPRESSED) == [True, True, False]


def test_few_relabelled_customers_are_not_counted():
    counts = {"customers_relabelled": [0, 10, 11], "share_relabelled": [0.0, 0.01, 0.02]}
    table = pd.DataFrame({"setting": ["a", "b", "c"], **counts})
    shown = published(table)
    assert list(shown["customers_relabelled"]) == [0, privacy.SUPPRESSED, 11]
    assert list(shown["share_relabelled"]) == [0.0, privacy.SUPPRESSED, 0.02]


def test_bands_of_age_are_not_counted_where_an_age_group_is_withheld():
    rows = [("16-27", 70, 1.0), ("28-39", 90, 2.0), ("40-64", 320, 3.0), ("65-68", 7, 4.0)]
    ages = pd.DataFrame(rows, columns=["ages", "customers", "mean_income"])
    safe = habits(age_group={"18-39": 160, "40-64": 320, "65+": 40})
    small = habits(age_group={"18-39": 160, "40-64": 320, "65+": 7})
    assert list(privacy.publishable(ages, SETTINGS, safe).columns) == list(ages.columns)
    shown = privacy.publishable(ages, SETTINGS, small)
    assert list(shown.columns) == ["ages", "mean_income"]
    assert list(shown["mean_income"] == privacy.SUPPRESSED).count(True) >= 2


def test_withheld_labels_come_from_tables_of_groups_only():
    base = published(habits(region={"West": 7, "South": 93, "Midwest": 12}))
    ages = published(pd.DataFrame({"ages": ["16-19", "20-23", "24-27"], "customers": [3, 40, 50]}))
    pairs = pd.DataFrame({"group": ["Male", "Female"], "buyers": [3, 20], "grouping": "gender"})
    pairs = published(pairs.assign(product_a=1, product_b=2))
    assert privacy.withheld_labels({"habits": base, "ages": ages, "pairs": pairs}) == {
        ("region", "West"),
        ("region", "Midwest"),
        ("ages", "16-19"),
        ("ages", "20-23"),
    }


# --- the attack: fill in by subtraction whatever follows from totals and relations


def sums_that_an_attacker_knows(table):
    """List sets of rows with a known sum, by hand: (rows added, rows subtracted, sum)."""
    where = {(row.grouping, row.group): place for place, row in enumerate(table.itertuples())}
    total = table.loc[table["grouping"] == "gender", "customers"].sum()

    def rows(grouping, belongs=lambda group: True):
        return [where[key] for key in where if key[0] == grouping and belongs(key[1])]

    sums = [(rows(grouping), [], total) for grouping in table["grouping"].unique()]
    for age in AGES:
        profiles = rows("profile", lambda group, age=age: group.startswith(f"{age}, "))
        sums.append((profiles, rows("age_group", age.__eq__), 0))
    for income in INCOMES:
        end = f", {income.lower()}"
        profiles = rows("profile", lambda group, end=end: group.endswith(end))
        sums.append((profiles, rows("income_group", income.__eq__), 0))
    for household in HOUSEHOLDS:
        none = household == HOUSEHOLDS[0]
        dependants = rows("n_dependants", lambda group, none=none: (group == "0") == none)
        middle = f", {household}, "
        profiles = rows("profile", lambda group, middle=middle: middle in group)
        sums.append((profiles, dependants, 0))
        sums.append((rows("family_status", FAMILIES[household].__contains__), dependants, 0))
    return sums


def attack(table, shown):
    """Subtract until nothing more follows; return the rows that were worked out, with values."""
    visible = shown["customers"][shown["customers"] != privacy.SUPPRESSED]
    known = dict(visible)
    found = {}
    while True:
        news = {}
        for plus, minus, total in sums_that_an_attacker_knows(table):
            unknown = [place for place in [*plus, *minus] if place not in known]
            if len(unknown) == 1:
                rest = total - sum(known.get(place, 0) for place in plus)
                rest += sum(known.get(place, 0) for place in minus)
                news[unknown[0]] = rest if unknown[0] in plus else -rest
        if not news:
            return found
        known |= news
        found |= news


def population(cells):
    """Habits of a population given as customers by age, household and income."""
    everyone = list(product(AGES, HOUSEHOLDS, INCOMES))
    frame = pd.DataFrame(everyone, columns=["age_group", "household", "income_group"])
    frame["customers"] = cells[: len(everyone)]
    frame["profile"] = [
        f"{age}, {household}, {income.lower()}" for age, household, income in everyone
    ]
    rng = np.random.default_rng(sum(cells))
    without = frame["household"] == HOUSEHOLDS[0]
    splits = {}
    for grouping, household, labels in (
        ("n_dependants", HOUSEHOLDS[1], ("1", "2", "3")),
        ("family_status", HOUSEHOLDS[0], FAMILIES[HOUSEHOLDS[0]]),
        ("family_status", HOUSEHOLDS[1], FAMILIES[HOUSEHOLDS[1]]),
    ):
        count = int(frame.loc[without == (household == HOUSEHOLDS[0]), "customers"].sum())
        parts = rng.multinomial(count, [1 / len(labels)] * len(labels))
        splits.setdefault(grouping, {}).update(zip(labels, map(int, parts), strict=True))
    splits["n_dependants"]["0"] = int(frame.loc[without, "customers"].sum())
    total = int(frame["customers"].sum())
    groupings = {
        name: frame.groupby(name)["customers"].sum().to_dict()
        for name in ("age_group", "income_group", "profile")
    }
    groupings |= splits | {"gender": {"Male": total // 2, "Female": total - total // 2}}
    table = habits(**groupings)
    return table[table["customers"] > 0].reset_index(drop=True)


counts = st.one_of(st.integers(0, 14), st.integers(0, 60), st.just(0))


@pytest.mark.slow
@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(counts, min_size=18, max_size=18).filter(lambda cells: sum(cells) >= 2 * LEAST))
def test_no_small_group_follows_from_what_is_published(cells):
    table = population(cells)
    shown = published(table)
    small = table["customers"] < LEAST
    assert (shown.loc[small, "customers"] == privacy.SUPPRESSED).all()
    worked_out = attack(table, shown)
    assert all(table["customers"][place] >= LEAST for place in worked_out), worked_out
    known = shown["customers"].where(shown["customers"] != privacy.SUPPRESSED)
    for plus, minus, total in sums_that_an_attacker_knows(table):
        rest = [place for place in plus if pd.isna(known[place])]
        if rest and not any(pd.isna(known[place]) for place in minus):
            left = total + known[minus].sum() - known[plus].sum()
            assert left == table["customers"][rest].sum() >= LEAST


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=7).filter(lambda s: sum(s) >= LEAST))
def test_what_remains_of_a_total_is_never_small(sizes):
    table = habits(region={f"region {number}": size for number, size in enumerate(sizes)})
    shown = published(table)["customers"]
    rest = table["customers"][shown == privacy.SUPPRESSED]
    assert (len(rest) == 0) == (min(sizes) >= LEAST)
    assert len(rest) != 1 or len(sizes) == 1
    assert len(rest) == 0 or rest.sum() >= LEAST


def test_the_attack_finds_what_a_naive_suppression_leaves_open():
    table = population([2, 70, 30, 60, 160, 12, 15, 26, 66, 43, 92, 190, 13, 15, 52, 19, 54, 147])
    naive = table.astype({"customers": object})
    naive.loc[table["customers"] < LEAST, "customers"] = privacy.SUPPRESSED
    assert attack(table, naive)
    assert not attack(table, published(table))


def test_three_rows_whose_sum_follows_from_two_equations_are_found():
    """All five add up to one number that is known, the last two to another."""
    weights = np.array([[1.0, 1, 1, 1, 1], [0, 0, 0, 1, 1]])
    customers, hidden_rows = np.array([3, 3, 4, 20, 30]), np.ones(5, bool)
    assert privacy.exposed_sets(weights, customers, hidden_rows, LEAST) == [(0, 1, 2)]
    enough = customers + np.array([1, 0, 0, 0, 0])
    assert privacy.exposed_sets(weights, enough, hidden_rows, LEAST) == []


def test_flags_and_habits_hide_the_same_groups():
    table = population([2, 70, 3, 60, 160, 9, 15, 26, 66, 43, 92, 190, 13, 15, 52, 19, 54, 147])
    flags = table.rename(columns={"grouping": "flag", "group": "label"})
    flags.loc[len(flags)] = ("active", "exclusion_flag", "Active", 1036, 1, 1)
    shown = published(flags).rename(columns={"flag": "grouping", "label": "group"})
    assert hidden(shown) == hidden(published(table))


def test_an_attacker_knows_who_has_dependants_by_the_family_status():
    groups = ("family_status", "single"), ("family_status", "married")
    numbers = ("n_dependants", "0"), ("n_dependants", "2")
    known = privacy.known_sums(("grouping", "group"), (*groups, *numbers), ())
    relations = [sums.tolist() for sums, is_relation in known if is_relation]
    assert sorted(relations) == [[0, 1, 0, -1], [1, 0, -1, 0]]


@pytest.mark.parametrize(
    "baskets", [["Top-up", "Regular", "Big"], ["Shop", "Big shop", "Very big shop"]]
)
def test_a_segment_belongs_to_its_rhythm_and_basket_whatever_they_are_called(baskets):
    """One of 8 is hidden among 9: with it a row and a column of the square, or it is the rest."""
    bounds = ("below 7", "below 11", "from 11")
    named = ", ".join(f"{name}: {bound}" for name, bound in zip(baskets, bounds, strict=True))
    text = re.sub("Top-up: .*from 11", named, (ROOT / "settings.yml").read_text(encoding="utf-8"))
    settings = parse_settings(text, ROOT / "settings.yml")
    square = np.array([[156, 198, 39], [100, 58, 166], [8, 102, 154]])
    rhythms = settings.flags["rhythm"].labels
    counted = dict(zip(dict(settings.composed()["segment"]), square.ravel().tolist(), strict=True))
    table = habits(
        segment=counted,
        rhythm=dict(zip(rhythms, square.sum(axis=1).tolist(), strict=True)),
        basket=dict(zip(baskets, square.sum(axis=0).tolist(), strict=True)),
    )
    shown = privacy.publishable(table, settings)
    closed = (shown["customers"] == privacy.SUPPRESSED).to_numpy()[:9].reshape(3, 3)
    assert closed[2, 0] and (closed.sum(axis=0) != 1).all() and (closed.sum(axis=1) != 1).all()
