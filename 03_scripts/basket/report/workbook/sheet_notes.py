"""Sheet 9: citation, method, limits, tests, privacy and glossary."""

import pandas as pd

from basket.analysis.questions import number_of
from basket.analysis.words import per_cent
from basket.project import git
from basket.project.settings import POPULATION_FLAG, Settings
from basket.report.workbook.page import Book, Page
from basket.report.workbook.sheets import NOTES
from basket.report.workbook.values import NOTHING

WIDTHS = (22.0, 26.0, 29.0, 22.0, 12.5, 17.0, 13.0, 10.0, 10.0, 9.5, 9.5, 25.0)
CITATION = (
    "“The Instacart Online Grocery Shopping Dataset 2017”, accessed via Kaggle "
    "(https://www.kaggle.com/competitions/instacart-market-basket-analysis)."
)
RIGHT_HALF = 6  # column in which the right half of the glossary begins
MOST_TESTS = 60
CHANCE = '[<0.0001]"< 0.0001";0.0000'  # format of p and q: none is 0
EFFECTS = {
    "cramers_v": "Cramér's V",
    "epsilon_squared": "epsilon²",
    "cliffs_delta": "Cliff's delta",
    "ratio": "ratio",
}
NOT_SHOWN = ["population", "group_a", "group_b", "statistic", "for_headline", "customers_to_decide"]
NOT_SHOWN += ["covered", "effective_customers", "largest_share", "customers_behind"]
NOT_SHOWN += ["adjusted_for", "reason"]
DETAILS = r"(share of|orders (in|at)) "
Notes = dict[str, str]  # terms, each with its explanation


def write_notes(book: Book, published: dict[str, pd.DataFrame], facts: dict) -> Page:
    """Write the notes that let a reader judge the rest."""
    settings = book.settings
    page = book.page(NOTES, "Notes and glossary", WIDTHS)
    for title, notes in sections(settings, facts).items():
        page.section(title)
        for term, text in notes.items():
            page.term(term, text)
    _write_files(page, facts["data"].get("files") or {})
    page.section("Glossary")
    words = glossary(settings)
    half = -(-len(words) // 2)
    first = page.row
    for place, (term, text) in enumerate(words.items()):
        column = 1 if place < half else RIGHT_HALF
        page.row = first + place % half
        page.write(page.row, column, term, font=page.look.font(bold=True))
        page.write(page.row, column + 1, text)
        page.set_height(page.row, 14)
    page.row = first + half
    page.keep(first, page.row - 1)
    page.space(6)
    _write_tests(page, published)
    return page


def _write_files(page: Page, files: dict[str, dict]) -> None:
    """Write the sizes and hashes of the files as received."""
    if not files:
        return
    page.section("The files as received")
    frame = pd.DataFrame(files).T[["bytes", "sha256"]].sort_index().rename_axis("file")
    headings = {"sha256": "sha256"}
    page.table(
        "input_files", frame.reset_index(), headings=headings, overflow=("sha256",), dense=True
    )
    page.space(8)


def sections(settings: Settings, facts: dict) -> dict[str, Notes]:
    """Return the sections of the sheet: citation, method, reading help, limits and privacy."""
    return {
        "Data and citation": _data(facts),
        "Method and units": _method(settings),
        "How to read an interval": _interval(settings),
        "What this data cannot tell": _limits(settings),
        "Privacy": _privacy(settings),
    }


def _data(facts: dict) -> Notes:
    versions = ", ".join(f"{name} {value}" for name, value in facts.get("versions", {}).items())
    commit = git.in_words(facts["commit"], facts.get("dirty", False))
    return {
        "Citation": facts["data"].get("citation", f"{CITATION} Non-commercial use, with citation."),
        "Data of this run": facts["data"]["description"] + ".",
        **facts["data"]["about"],
        "RULES": (
            f"{facts['rules']}. The corrected rules repair the known faults of the files; the "
            "course rules repeat what published analyses print."
        ),
        "Data sha256": facts["data"]["sha256"],
        "Settings sha256": facts["settings_sha256"],
        "Version, commit": f"{facts['version']}, {commit}",
        "Versions": versions or NOTHING,
    }


def _method(settings: Settings) -> Notes:
    limits, statistics = settings.thresholds, settings.statistics
    return {
        "Units": (
            "An order line is a product in an order; an order belongs to a customer. Every number "
            "names its unit. Busiest means most orders, not most lines."
        ),
        "Population": (
            f"Customers are of two kinds ({settings.flags[POPULATION_FLAG].wording}; only prior "
            "orders count). Findings speak of active customers unless they say otherwise."
        ),
        "Money": (
            "US dollars, summed in whole cents. A price above "
            f"{limits.price_ceiling_dollars:g} dollars is damage and counts as missing."
        ),
        "Tests": (
            "The unit of every test is the customer: one row for each, then the test. Effects come "
            "first, with their interval; q is the false discovery rate over all tests of this "
            "report."
        ),
        "Verdicts": (
            "No practical difference: the whole interval lies below the smallest threshold. Small, "
            "medium, large: the whole interval reaches that threshold and q is below "
            f"{statistics.significance:g}. Undecided: anything else. {thresholds(settings)}"
        ),
    }


def _interval(settings: Settings) -> Notes:
    return {
        "In plain words": (
            "Were the study repeated with other customers many times, about "
            f"{per_cent(settings.statistics.confidence)} of the intervals drawn in this way would "
            "hold the true value; a short interval is a precise answer, and one that reaches both "
            "none and a difference that matters leaves the question open."
        )
    }


def _limits(settings: Settings) -> Notes:
    return {
        "No dates": (
            "Orders carry a weekday and an hour but no date: no trends, seasons, cohorts, churn or "
            "lifetime value."
        ),
        "Weekdays": (
            f"No official source says which day 0 is; we read it as {settings.day_names[0]}."
        ),
        "No leaving": (
            "Every prior order was followed by another, by the way the sample was drawn: it tells "
            "how soon customers come back, never whether."
        ),
        "Censored gaps": (
            "A gap of 30 days means 30 or more. Medians below 30 are sound; a mean counts such "
            "gaps as 30, and serves comparisons and what-ifs alone."
        ),
        "No quantities": (
            "A line says that a product was bought, not how many of it. There are no costs, "
            "discounts or fees."
        ),
        "No causes": (
            "Nothing was varied and no advertisement was recorded: differences between groups are "
            "not effects of belonging to them."
        ),
    }


def _privacy(settings: Settings) -> Notes:
    return {
        "Suppression": (
            "Everything is of active customers, but the population flow and how many labels a "
            "threshold changes. A number is suppressed where fewer than "
            f"{settings.privacy.smallest_group} customers stand behind it (those of the group, or "
            "the buyers among them), or one has more than half of it, together with as many others "
            "as keep it from being worked out; what is said about it is withheld too."
        ),
        "Still shown": (
            "Counts of orders by time and of lines by department, however few customers place "
            "them. A reader may infer that a suppressed number is small, but not what it is."
        ),
        "Several reports": (
            "Two reports on nearly the same customers differ by the few who came or went. Before "
            "one is sent, its counts of customers are compared with those of all that were sent: a "
            f"difference of 1 to {settings.privacy.smallest_group - 1} is refused unless somebody "
            "accepts it. Orders, money and shares are not compared."
        ),
        "Never published": (
            "Names of customers and identifiers of customers. Names are dropped while the files "
            "are read."
        ),
    }


def thresholds(settings: Settings) -> str:
    """Say the thresholds of small, medium and large effects."""
    parts = [
        f"{EFFECTS[name]} {' / '.join(f'{step:g}' for step in steps)}"
        for name, steps in settings.statistics.effects.model_dump().items()
    ]
    return f"Small / medium / large from: {'; '.join(parts)}, or the inverse of a ratio."


def glossary(settings: Settings) -> Notes:
    """Explain words that a reader may not know."""
    limits = settings.thresholds
    return {
        "Busiest period": (
            f"the {limits.busiest_hours} hours of the day with most orders; as many "
            "with fewest are the quietest"
        ),
        "Cliff's delta": "how far one group lies above another: 0 not at all, 1 or -1 entirely",
        "Cramér's V": "how strongly two classifications go together: 0 not at all, 1 entirely",
        "Effective customers": (
            "how many customers of equal weight would give an interval as narrow"
        ),
        "epsilon²": "share of the differences in rank between customers that their group explains",
        "Source": "the table of results that holds the numbers",
        "Interval": (
            f"where the true value lies with {per_cent(settings.statistics.confidence)} confidence"
        ),
        "Lift": "how many times more often than in the whole population; 1 is no difference",
        "Loyalty": settings.flags["loyalty_flag"].wording,
        "Mean item price": "spend / order lines with a price",
        "Mean order value": "spend / orders",
        "Order line": "a product in an order",
        "Prior order": "an order of a customer before the latest; only these have lines",
        "Profile": "age group, with or without dependants, income group",
        "Reorder rate": "share of order lines whose product the customer had bought before",
        "Segment": "; ".join(settings.flags[name].wording for name in ("rhythm", "basket")),
        "Support": "share of orders that contain both products",
        "Usual gap": "the median of a customer's own days between orders",
        "Usual share": "the share of all order lines that a department has among all customers",
        "Waking window": (
            f"{settings.window_hours} hours in a row between "
            f"{settings.waking_hours[0]}:00 and {settings.waking_hours[1] + 1}:00"
        ),
    }


def _write_tests(page: Page, published: dict[str, pd.DataFrame]) -> None:
    page.section("Tests: effects with their intervals")
    tests = published.get("tests")
    if tests is None or tests.empty:
        page.text("This run holds no tests.")
        page.space(6)
        return
    counts = published.get("verdict_counts")
    if counts is not None and not counts.empty:
        page.text(
            "The comparisons of this report by verdict, without those that follow from how groups "
            "are made or from how many orders their customers have.",
            colour="muted",
        )
        page.space(3)
        page.table("verdict_counts", by_question(counts), dense=True)
        page.space(6)
    shown = chosen_tests(tests)
    page.text(
        f"The overall comparison of each ordering habit: {len(shown)} of {len(tests)} comparisons. "
        "A verdict here is that of the overall "
        "test alone: an answer also rests on each group's intervals against the others.",
        colour="muted",
    )
    page.space(3)
    if "reason" in shown:  # why nothing follows from a test stands beside its verdict
        why = shown["reason"].fillna("").map(lambda reason: f" ({reason})" if reason else "")
        shown = shown.assign(verdict=shown["verdict"] + why)
    shown = _in_words(shown.drop(columns=NOT_SHOWN, errors="ignore"))
    headings = {"effect_name": "Measure of effect"}
    formats = {"p_value": CHANCE, "q_value": CHANCE}
    place = page.table("tests", shown, headings=headings, formats=formats, dense=True)
    page.repeat(place.header)


def by_question(counts: pd.DataFrame) -> pd.DataFrame:
    """Add up how many tests of each question have which verdict, in the order of the questions."""
    added = counts.groupby("question", sort=False).sum(numeric_only=True)
    return added.loc[sorted(added.index, key=number_of)].reset_index()


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Write labels as a reader sees them."""
    words = table.copy()
    for name in ("grouping", "measure"):
        if name in words:
            words[name] = words[name].str.replace("_", " ")
    if "effect_name" in words:
        words["effect_name"] = [EFFECTS.get(name, name) for name in words["effect_name"]]
    return words


def chosen_tests(tests: pd.DataFrame) -> pd.DataFrame:
    """Choose the overall tests of ordering habits: no departments, times of day or strata."""
    overall = tests["group_a"].fillna("").astype("str") == ""
    if "adjusted_for" in tests:
        overall &= tests["adjusted_for"].fillna("") == ""
    detail = tests["measure"].str.match(DETAILS) | tests["grouping"].str.contains(" within ")
    return tests[overall & ~detail].head(MOST_TESTS).reset_index(drop=True)
