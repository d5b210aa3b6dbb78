"""Customers whose habits tell little: true sentences about segments, or the reason for none.

Small stores made in code, run without notebooks' kernels; `test_emptiness` makes whole reports of
the same kinds and verifies them.
"""

import numpy as np
import pytest

from basket.analysis.finding import NOT_ANSWERED, UNDECIDED
from conftest import run_stages
from small_store import thinned, write_store

AFTER_Q10 = "Q11 What is bought together"
NOBODY = "Not answered: no customer has enough orders to count as active"
INCOMPLETE = "Not answered: histories are incomplete"
OF_HABITS = ("Q5", "Q10", "Q13", "Q14")


def analysed(data, tmp_path, until: str | None = None) -> dict:
    """Run the stages; give the names that notebook 05 defines, all or those before a heading."""
    return run_stages(data, tmp_path / "out", "corrected").notebook("05_visualise", until)


def headlines(names: dict, *questions: str) -> list[str]:
    return [one["headline"] for one in names["paper"].found if one["question"] in questions]


def figures(names: dict) -> set[str]:
    return {figure.name for _, figure in names["paper"].figures}


def test_customers_with_one_or_two_orders_are_in_no_segment(tmp_path):
    names = analysed(write_store(tmp_path / "data", orders=(1, 2)), tmp_path)
    assert set(headlines(names, *OF_HABITS)) == {NOBODY}
    assert names["results"]["segments"].empty
    assert names["results"]["offers"].empty and names["results"]["trial_plan"].empty


def test_where_all_gaps_are_30_days_nobody_is_said_to_come_back_in_weeks(tmp_path):
    names = analysed(write_store(tmp_path / "data", gaps=(30,), customers=60), tmp_path)
    (segment,) = names["results"]["segments"].to_dict("records")
    assert (segment["customers"], segment["median_gap_days"]) == (60, 30)
    said = " ".join(one["so_what"] for one in names["paper"].found if one["question"] == "Q10")
    assert "They order every 30 days or more" in said
    assert (
        headlines(names, "Q5")[1:]
        == ["Not answered: every gap between orders is as long as a gap can be in this data"] * 2
    )
    assert headlines(names, "Q14") == [
        "Not answered: the customers who were seen long enough all place as many orders"
    ]
    assert not names["results"]["return_hazard"]["gaps_ended"].any()
    assert not {"days_between_orders", "return_hazard"} & figures(names)


def test_where_all_orders_are_of_one_size_there_is_nothing_to_foretell(tmp_path):
    data = write_store(tmp_path / "data", lines=(3, 3), customers=60)
    names = analysed(data, tmp_path, AFTER_Q10)
    assert headlines(names, "Q10")[1] == (
        "Not answered: all later orders hold as many lines: there is nothing to foretell"
    )
    told = names["results"]["segment_gain"].query("measure == 'lines_per_order'")
    assert not told["customers"].any() and told["r_squared"].isna().all()
    assert "segment_gain" not in figures(names)


def test_without_prices_the_value_is_lines_per_order(tmp_path):
    names = analysed(write_store(tmp_path / "data", prices="none", customers=60), tmp_path)
    segments, told = names["results"]["segments"], names["results"]["segment_gain"]
    assert segments["mean_lines_per_order"].notna().all()
    assert not segments["spend"].any(), "as the contract has it: the sum of the prices there are"
    assert "order lines" in headlines(names, "Q10")[0]
    by_measure = told.groupby("measure")["customers"].max()
    assert by_measure["lines_per_order"] == 60 and by_measure["order_value"] == 0
    assert names["results"]["prizes"][["spend", "base_spend"]].isna().all(axis=None)
    prizes = [one["prize"] for one in names["paper"].found if one["question"] in OF_HABITS]
    assert any(prizes) and all(prize["spend"] is None for prize in prizes if prize)


def test_incomplete_histories_answer_no_question_about_habits(tmp_path):
    data = thinned(write_store(tmp_path / "whole"), tmp_path / "data", 0.12)
    names = analysed(data, tmp_path)
    assert set(headlines(names, *OF_HABITS)) == {INCOMPLETE}
    assert not {question for question, _ in names["paper"].figures} & set(OF_HABITS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_habits_drawn_by_lot_are_not_said_to_foretell(tmp_path, seed):
    """60 customers, every order's size drawn anew: nothing of the first half tells the second."""
    data = write_store(tmp_path / "data", customers=60, seed=seed)
    names = analysed(data, tmp_path, AFTER_Q10)
    said = [one for one in names["paper"].found if one["question"] == "Q10"][1]
    assert said["kind"] in (UNDECIDED, NOT_ANSWERED)
    told = names["results"]["segment_gain"].set_index(["grouping", "measure"])["r_squared"]
    assert not np.greater(told["segment", "lines_per_order"], 0.1)
