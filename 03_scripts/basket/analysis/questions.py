"""The twelve questions of the analysis: ten from the brief, two of our own (Q11, Q12)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question: a short title and the question itself, in one sentence."""

    title: str
    text: str


QUESTIONS = {
    "Q1": Question(
        "Busiest times",
        "Which days and hours are the busiest, and when are orders so few that an advertisement "
        "can win some?",
    ),
    "Q2": Question(
        "Spending times",
        "When do people spend the most, for each order, for each item and in total, and what "
        "should be advertised then?",
    ),
    "Q3": Question(
        "Price ranges",
        "Into which few price ranges can all prices be folded, so that effort has a direction?",
    ),
    "Q4": Question(
        "Departments",
        "Which departments are ordered most often, which have the lowest share, and why?",
    ),
    "Q5": Question(
        "Loyalty",
        "How are customers spread between new, regular and loyal: how often do they return?",
    ),
    "Q6": Question("Habits by loyalty", "Do ordering habits differ with loyalty?"),
    "Q7": Question("Habits by region", "Do ordering habits differ between regions?"),
    "Q8": Question("Age and family", "Do age and family status go with ordering habits?"),
    "Q9": Question(
        "Classifications", "Which classifications do age, income, goods and family status suggest?"
    ),
    "Q10": Question(
        "Profiles",
        "How do the profiles differ in order value, frequency, products, timing and loyalty?",
    ),
    "Q11": Question("Bought together", "Which products are bought together, and by whom?"),
    "Q12": Question(
        "Sensitivity", "How much do the conclusions depend on the thresholds that we chose?"
    ),
}


def number_of(question: str) -> int:
    """Place of a question in the report: Q1 is 1; whatever is no question of ours comes last."""
    return list(QUESTIONS).index(question) + 1 if question in QUESTIONS else len(QUESTIONS) + 1
