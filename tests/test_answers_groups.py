"""What Q6 to Q10 say, word by word, in every branch: `answers_groups.md` on `cases_groups.py`."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from basket.analysis.finding import Evidence, Finding, TooLittleData
from basket.analysis.questions import profiles_of_people, q06_habits, q07_region, q09_classes
from basket.checks.verify import unexplained
from basket.project.settings import load_settings
from cases_groups import FIGURE_PARTS, FIGURES, FINDINGS, REGIONS, bands, loyalty, profiles, value
from conftest import write_settings
from group_tables import alike, overall, tables

WHOLE = pd.DataFrame({"what": [""], "found": [0], "of": [9], "share": [0.0], "limit": [0.01]})
ANSWERS = Path(__file__).parent / "answers_groups.md"


def said(case: str, settings) -> dict[str, str]:
    """All that a finding or a figure says, part by part."""
    if case in FIGURES:
        function, given = FIGURES[case]
        made = function(given, settings)
        first = ", ".join(str(made.data[name].iloc[0]) for name in (made.x, *made.series))
        return {part: f"{getattr(made, part)}" for part in FIGURE_PARTS} | {"first row": first}
    function, given = FINDINGS[case]
    found = function(Evidence({"completeness": WHOLE} | given), settings)
    touches = "; ".join(
        ", ".join(f"{name} {value}" for name, value in asdict(touch).items() if value)
        for touch in found.touches
    )
    prize = found.prize
    return {
        **{part: f"{value}" for part, value in asdict(found).items()},
        "touches": touches,
        "rests_on": ", ".join(found.rests_on),
        "prize": f"{prize.what_if} {prize.spend}, {prize.share_of_spend}" if prize else "",
    }


def answers() -> dict[str, dict[str, str]]:
    """Read what answers_groups.md says in each case, part by part."""
    blocks = ANSWERS.read_text(encoding="utf-8").split("\n## ")[1:]
    return {
        name: dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("- "))
        for name, _, text in (block.partition("\n") for block in blocks)
    }


@pytest.mark.parametrize("case", [*FINDINGS, *FIGURES])
def test_each_case_says_what_is_written(case, settings):
    assert {part: text for part, text in said(case, settings).items() if text} == answers()[case]


def test_no_answer_is_left_over_and_none_shows_what_a_program_would():
    assert set(answers()) == {*FINDINGS, *FIGURES}
    text = ANSWERS.read_text(encoding="utf-8")
    for word in ("nan", "dtype", "inf ", "n_dependants", "_flag", "less lines"):
        assert word not in text.replace("habits_by_", ""), word


@pytest.mark.parametrize("case", FINDINGS)
def test_every_number_of_a_sentence_is_a_cell(case, settings):
    function, given = FINDINGS[case]
    seen = Evidence({"completeness": WHOLE} | given)
    found = function(seen, settings)
    parts = [
        found.headline,
        found.so_what,
        found.action,
        found.prize.what_if if found.prize else "",
    ]
    assert unexplained(" ".join(parts), seen.numbers) == []


def of_loyalty() -> dict:
    return loyalty(alike("loyalty_flag", ("New customer", "Loyal customer")))


@pytest.mark.parametrize(
    ("function", "given", "reason"),
    [
        (
            q07_region.by_region,
            tables([*overall("region", effects=(float("nan"),) * 3), *alike("region", REGIONS)]),
            "All customers whose region is known are in one group.",
        ),
        (
            q07_region.by_region,
            {
                **tables([*overall("region", effects=(float("nan"),) * 3)]),
                "habits": pd.DataFrame(
                    [("active", "region", "(missing)", 90)],
                    columns=["population", "grouping", "group", "customers"],
                ),
            },
            "No customer's region is known.",
        ),
        (
            q06_habits.habits_by_loyalty,
            of_loyalty() | {"habits": of_loyalty()["habits"].head(2)},
            "No active customer is a loyal customer.",
        ),
        (
            q06_habits.habits_by_loyalty,
            of_loyalty() | {"habits": of_loyalty()["habits"].assign(customers=[310, 520, 9])},
            "A loyalty group has too few active customers to be shown.",
        ),
        (
            q09_classes.steps,
            bands("age", "income", "", "no", r2_confirm_half=None),
            "Too few customers have a known age or income to look for steps.",
        ),
        (
            profiles_of_people.how_profiles_differ,
            profiles((1, 1, 1)) | {"profiles": profiles((1, 1, 1))["profiles"].tail(1)},
            "No profile has enough customers to be shown.",
        ),
    ],
)
def test_where_the_data_holds_too_little_the_true_reason_is_given(
    function, given, reason, settings
):
    with pytest.raises(TooLittleData, match=reason):
        function(Evidence({"completeness": WHOLE} | given), settings)


def test_no_two_cases_of_one_question_say_the_same_and_act_otherwise(settings):
    """An action that a finding gives follows from its kind: no hypothesis without a difference."""
    for case, (function, given) in FINDINGS.items():
        found: Finding = function(Evidence({"completeness": WHOLE} | given), settings)
        assert (found.action_basis == "hypothesis") <= (found.kind == "difference"), case
        assert ("control group" in found.action) == (found.action_basis == "hypothesis"), case
        assert (found.prize is not None) == (found.action_basis == "hypothesis"), case


def test_the_orders_that_a_comparison_at_equal_income_covers_are_said_by_group(settings):
    function, given = FINDINGS["region, undecided"]
    tests = given["tests"].copy()
    west = (tests["group_a"] == "West") & (tests["effect_name"] == "ratio")
    tests.loc[west, "covered"] = 0.104
    found = function(Evidence({"completeness": WHOLE} | given | {"tests": tests}), settings)
    assert found.so_what.endswith(
        "that hold the group and others: 10% to 87% of all orders, by group."
    )


def test_three_steps_are_listed(settings):
    given = bands("age", "income", "35 | 50 | 65", "yes") | {"completeness": WHOLE}
    found = q09_classes.steps(Evidence(given), settings)
    assert "steps at age 35, 50 and 65, which tell more" in found.headline


def test_profiles_have_a_panel_for_each_income(tmp_path):
    bands = {"Low, very": "below 50000", "High": "from 50000"}
    file = write_settings(tmp_path / "s.yml", {"flags.income_group.bands": bands})
    names = {"South": "40-64, no dependants, high", "West": "18-39, no dependants, low, very"}
    given = {name: each.replace(names) for name, each in value(0.93, "profile").items()}
    data = profiles_of_people.value_by_profile(given, load_settings(file)).data
    assert data["income"].tolist() == ["low, very", "high"]
    assert data["people"].tolist() == ["18-39, no dependants", "40-64, no dependants"]
