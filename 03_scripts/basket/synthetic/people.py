"""Invented customers, each determined by the id alone, with the distributions of the real ones."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd

from basket.synthetic.by_id import CUSTOMERS_IN_BLOCK, position, uniform
from basket.synthetic.names import words
from basket.synthetic.shopping import real

WIDOWED_FROM = 60  # years, without dependants; the course's rule of family status
CHILD_UP_TO = 21  # years, with dependants; the same


def fabricate_customers(user_ids: np.ndarray) -> pd.DataFrame:
    """Return a row per user id, in the order given, with the columns of the course's customers.csv.

    Within 1..206209 the numbers of people by age, dependants, gender, state, missing first name and
    day joined are the real ones.
    """
    people = attributes(user_ids)
    facts = real()["customers"]
    is_man = position(user_ids, "gender") < facts["male"]
    first = position(user_ids, "first name")
    given = np.where(is_man, _picked("men", first), _picked("women", first)).astype(object)
    given[position(user_ids, "no first name") < facts["first_name_missing"]] = None
    day = position(user_ids, "date joined") * facts["date_joined"]["days"] // CUSTOMERS_IN_BLOCK
    return pd.DataFrame(
        {
            "user_id": user_ids,
            "First Name": pd.Series(given, dtype="str"),
            "Surnam": _picked("surnames", position(user_ids, "surname")),
            "Gender": np.where(is_man, "Male", "Female"),
            "STATE": np.array(states())[people.state],
            "Age": people.age,
            "date_joined": _days_joined()[day],
            "n_dependants": people.dependants,
            "fam_status": _family_status(people.age, people.dependants),
            "income": people.income,
        }
    )


def _picked(words_of: str, number: np.ndarray) -> np.ndarray:
    names = np.array(words(words_of))
    return names[number % len(names)]


@dataclass(frozen=True)
class Attributes:
    """What effects may depend on; one value per customer."""

    age: np.ndarray
    dependants: np.ndarray
    state: np.ndarray  # index into states()
    income: np.ndarray  # dollars a year


def attributes(user_ids: np.ndarray) -> Attributes:
    """Return the age, dependants, state and income of each customer."""
    facts = real()["customers"]
    ages, dependants = np.cumsum(facts["age"]["counts"]), np.cumsum(facts["dependants"])
    age = facts["age"]["least"] + np.searchsorted(ages, position(user_ids, "age"), side="right")
    return Attributes(
        age,
        np.searchsorted(dependants, position(user_ids, "dependants"), side="right"),
        position(user_ids, "state") % len(states()),
        _incomes(age, uniform(user_ids, "income")),
    )


def _incomes(age: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Draw incomes from the histogram of the customer's side of the step from 40 to 41 years."""
    facts = real()["customers"]["income"]
    sides = []
    for least, side in zip(facts["least"], ("up_to_step_age", "above"), strict=True):
        cumulative = np.concatenate(([0], np.cumsum(facts[side]))) / sum(facts[side])
        sides.append(np.interp(chance, cumulative, [least, *facts["edges"][1:]]))
    return np.where(age <= facts["step_age"], *sides).astype(np.int64)


def _family_status(age: np.ndarray, dependants: np.ndarray) -> np.ndarray:
    """Derive the family status as the course did: from age and dependants alone."""
    alone = np.where(age < WIDOWED_FROM, "single", "divorced/widowed")
    family = np.where(age <= CHILD_UP_TO, "living with parents and siblings", "married")
    return np.where(dependants == 0, alone, family)


@cache
def states() -> list[str]:
    """Return the states of all regions, sorted."""
    return sorted(state for states in real()["states"].values() for state in states)


@cache
def _days_joined() -> np.ndarray:
    """Write every day on which someone joined like 4/1/2020."""
    facts = real()["customers"]["date_joined"]
    first = date.fromisoformat(facts["first"])
    days = [first + timedelta(days) for days in range(facts["days"])]
    return np.array([f"{day.month}/{day.day}/{day.year}" for day in days])
