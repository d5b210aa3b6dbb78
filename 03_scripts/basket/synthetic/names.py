"""Invented names of products and people, from the word lists in names.yml."""

from functools import cache
from pathlib import Path

import yaml

PLAIN_HOUSES = 3  # the houses whose products come without a variant first


@cache
def words(name: str) -> list[str]:
    """Return a word list of names.yml by name, or the surnames: every start with every ending."""
    if name == "surnames":
        return [start + end for start in words("surname_starts") for end in words("surname_ends")]
    return _lists()[name]


@cache
def _lists() -> dict:
    return yaml.safe_load(Path(__file__).with_name("names.yml").read_text(encoding="utf-8"))


def product_name(department: str, rank: int) -> str:
    """Name the department's product of this popularity rank (from 0); each rank has its own name.

    The kind changes fastest, then the house, so that the best-selling products of a department
    differ in kind; within a kind and house each further rank has another variant.
    """
    kinds, houses, variants = _lists()["kinds"][department], words("houses"), words("variants")
    turn, kind = divmod(rank, len(kinds))
    round_, place = divmod(turn, len(houses))
    if round_ >= len(variants):
        raise ValueError(f"{department}: no name left for rank {rank:,}; add kinds or variants")
    house = (place + kind * 5 + len(department)) % len(houses)
    variant = round_ if place < PLAIN_HOUSES else (round_ + place * 7) % len(variants)
    return f"{houses[house]} {kinds[kind]}{variants[variant]}"
