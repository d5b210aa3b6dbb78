"""The tables of Q11 against independent SQL, on real and generated data, and in several parts."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from basket.synthetic.generate import generate
from oracle_pairs import Pairs

COMPARED = "Q12 How much depends on our thresholds?"


@pytest.fixture(scope="module")
def analysed(request, built, tmp_path_factory):
    """Give a function: the raw files by name and, made once, the tables up to those of the pairs.

    The names are those of the panel, and of a generated set in which pairs are frequent.
    """

    @cache
    def of(name):
        if name == "panel":
            data = request.getfixturevalue("panel")
        else:
            generate(data := tmp_path_factory.mktemp("generated_pairs"), scale=0.01)
        return data, built(data, "corrected").notebook("05_visualise", COMPARED)["results"]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("name", ["panel", "generated"])
def test_pairs_are_those_of_independent_sql(name, analysed):
    """Choice, counts, the four lifts with limits, p, m, and who is a candidate."""
    data, results = analysed(name)
    table, oracle = results["product_pairs"], Pairs(data)
    chosen = oracle.chosen()
    assert len(table) > 10
    shown = set()
    for (a, b), in_first in chosen.items():
        expected = oracle.described(a, b) if oracle.terms(a, b)["together"].sum() else {}
        rows = table[(table["product_a"] == a) & (table["product_b"] == b)]
        few = expected.get("customers_with_both", 0) < 11 or expected["largest_share"] > 0.5
        assert len(rows) == (not few), (a, b)
        if few:
            continue
        (row,) = rows.to_dict("records")
        shown.add((a, b))
        assert row["effect_first_half"] == pytest.approx(in_first, rel=1e-9)
        may = expected.pop("may_be_candidate")
        for column, value in expected.items():
            assert row[column] == pytest.approx(value, rel=1e-7, nan_ok=True), column
        candidate = may and expected["p_value"] < 0.05 / len(chosen)
        assert row["candidate"] == ("yes" if candidate else "no")
    assert shown == set(zip(table["product_a"], table["product_b"], strict=True))
    assert table["lift_given_size_low"].dropna().is_monotonic_decreasing
    if name == "panel":  # limes and coriander
        found = table[table["candidate"] == "yes"][["product_a", "product_b"]]
        assert found.values.tolist() == [[26209, 31717]]


@pytest.mark.slow
def test_buyers_are_those_of_independent_sql(analysed):
    """The share of each group against the others', customer by customer."""
    data, results = analysed("panel")
    table, oracle = results["pair_buyers"], Pairs(data)
    groups = oracle.connection.execute("FROM customers").df().set_index("user_id")
    assert table["reason"].eq("").any()
    for (a, b), rows in table.groupby(["product_a", "product_b"]):
        terms = oracle.terms(int(a), int(b)).set_index("user_id")
        bought = terms["together"] > 0
        for row in rows.itertuples():
            label = groups.loc[terms.index, row.grouping]
            inside = label == row.group
            known = label != "(missing)"
            assert (row.customers, row.buyers) == (inside.sum(), (inside & bought).sum())
            share, others = bought[inside].mean(), bought[known & ~inside].mean()
            assert row.share == pytest.approx(share)
            if others > 0:
                assert row.effect == pytest.approx(share / others)
            if row.reason == "":
                z = (bought - share) / share / inside.sum()
                z = np.where(inside, z, (bought - others) / others / (known & ~inside).sum())
                z = pd.Series(z, bought.index)[known]
                m = (z**2).sum() ** 2 / (z**4).sum()
                assert row.effective_customers == pytest.approx(m)
