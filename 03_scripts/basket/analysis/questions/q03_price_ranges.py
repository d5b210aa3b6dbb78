"""Q3: into which few price ranges all prices can be folded, and where each range lies."""

import numpy as np
import pandas as pd

from basket.analysis import figure
from basket.analysis.finding import (
    DESIGN,
    INVENTED_PRICES,
    SALES,
    Evidence,
    Finding,
    Prize,
    TooLittleData,
    if_invented,
    is_invented,
)
from basket.analysis.question import PRICE, WHEN, Question
from basket.analysis.questions.group_words import goods
from basket.analysis.questions.q04_departments import named_departments
from basket.analysis.totals import Counts
from basket.analysis.words import in_dollars, listed
from basket.project.settings import Settings
from basket.tables.sums import dollars, per

QUESTION = Question(
    id="Q3",
    title="Price ranges",
    text="Into which few price ranges can all prices be folded, and what do they hold?",
    part=WHEN,
    needs=(PRICE,),
)
ALL = "all departments"
CUTS = ("third_dollars", "two_thirds_dollars")
THIRDS = ("a third of lines", "two thirds of lines")


def price_bands(counts: Counts) -> pd.DataFrame:
    """Say what each price range holds of all departments and of each, active population.

    A row per department and range; the shares are those of the department's lines and spend.
    """
    products = _priced(counts)
    whole = products.assign(department=ALL)
    table = pd.concat([whole, products]).groupby(["department", "price_range"], observed=True)
    table = table.agg(products=("cents", "size"), lines=("lines", "sum"), cents=("spend", "sum"))
    of_department = table.groupby("department", observed=True)[["lines", "cents"]].transform("sum")
    table = table.assign(
        share_of_lines=per(table["lines"], of_department["lines"]),
        spend=dollars(table["cents"]),
        share_of_spend=per(table["cents"], of_department["cents"]),
    )
    return table.drop(columns="cents").reset_index().astype({"price_range": "str"})


def department_prices(counts: Counts) -> pd.DataFrame:
    """Say where the prices of all departments and of each lie, active population, dearest first.

    A third of its order lines cost up to `third_dollars`, two thirds up to `two_thirds_dollars`:
    the department's own three price ranges.
    """
    products = _priced(counts)
    groups = [(ALL, products)] if len(products) else []
    rows = [
        {
            "department": name,
            "products": len(of),
            "lines": of["lines"].sum(),
            "spend": dollars(of["spend"].sum()),
            "lowest_dollars": of["cents"].min() / 100,
            **_own_cuts(of),
            "highest_dollars": of["cents"].max() / 100,
        }
        for name, of in [*groups, *products.groupby("department")]
    ]
    columns = ["department", "products", "lines", "spend", "lowest_dollars", *CUTS]
    table = pd.DataFrame(rows, columns=[*columns, "highest_dollars"])
    first = (table["department"] != ALL).rename("first")
    order = pd.concat([first, -table["two_thirds_dollars"], table["department"]], axis=1)
    return table.loc[order.sort_values(list(order)).index].reset_index(drop=True)


def _priced(counts: Counts) -> pd.DataFrame:
    """Take the products with a price that active customers bought, with their lines."""
    lines = counts["product"].at("population", "active")["lines"]
    products = counts.products.assign(lines=lines)
    products = products[products["price_cents"].notna() & (lines > 0)]
    cents = products["price_cents"].to_numpy("int64")
    return pd.DataFrame(
        {
            "department": products["department"].astype("str").to_numpy(),
            "price_range": products["price_range"].to_numpy(),
            "cents": cents,
            "lines": products["lines"].to_numpy(),
            "spend": products["lines"].to_numpy() * cents,
        }
    )


def _own_cuts(products: pd.DataFrame) -> dict[str, float]:
    """Prices up to which a third and two thirds of the order lines lie."""
    products = products.sort_values("cents")
    reached = 3 * products["lines"].cumsum().to_numpy()
    places = np.searchsorted(reached, [reached[-1] // 3, 2 * (reached[-1] // 3)])
    return dict(zip(CUTS, products["cents"].to_numpy()[places] / 100, strict=True))


def _of_departments(table: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Take the departments with a name; TooLittleData where nothing has a price."""
    if table.empty:
        raise TooLittleData("No order line of an active customer has a price.")
    return named_departments(table[table["department"] != ALL], settings)


def spend_by_price(counts: Counts) -> pd.DataFrame:
    """Say what is spent at which price: a row per whole dollar, active population.

    A row holds the prices from `from_dollars` to a cent below the next dollar.
    """
    products = _priced(counts)
    table = products.assign(from_dollars=products["cents"] // 100).groupby("from_dollars")
    table = table.agg(products=("cents", "size"), lines=("lines", "sum"), cents=("spend", "sum"))
    if len(table):
        table = table.reindex(range(table.index.max() + 1), fill_value=0)
    spend = dollars(table["cents"])
    share = per(table["cents"], table["cents"].sum())
    table = table.assign(spend=spend, share_of_spend=share).drop(columns="cents")
    return table.rename_axis("from_dollars").reset_index()


def prices_and_cuts(tables: dict, settings: Settings) -> figure.Figure:
    """Draw what is spent at which price, with the simple cuts and those at thirds of the lines."""
    named = _of_departments(tables["department_prices"], settings)
    whole = tables["department_prices"].set_index("department").loc[ALL]
    thirds = [whole[name] for name in CUTS]
    table = tables["spend_by_price"]
    flag = settings.flags["price_range"]
    simple = [cut for cut in flag.cuts if cut <= table["from_dollars"].max()]
    cuts = [(cut, f"simple cut {in_dollars(cut)}") for cut in simple]
    cuts += [(cut, f"{name} ${cut:,.2f}") for name, cut in zip(THIRDS, thirds, strict=True)]
    low, high = (f"${cut:,.2f}" for cut in thirds)
    return figure.histogram(
        table,
        x="from_dollars",
        y="share_of_spend",
        name="price_ranges",
        title=f"A third of order lines cost up to {low}, two thirds up to {high}",
        subtitle="Share of spend by price in whole dollars, active customers; lines: the simple "
        "cuts and those at a third and two thirds of the order lines",
        alt=f"Histogram of spend by price. A third of the order lines cost up to {low}, two thirds "
        f"up to {high}; the highest price of {len(named)} departments is "
        f"${whole['highest_dollars']:,.2f}.",
        sources=("spend_by_price", "department_prices"),
        x_title="Price in US dollars",
        y_title="Share of spend",
        number_format=figure.SHARE,
        cuts=tuple(sorted(cuts)),
        native=False,
        so_what="The cuts at thirds part the order lines evenly; simple cuts are easier to "
        "remember and hold unequal parts." + if_invented(tables, INVENTED_PRICES),
    )


def price_ranges(seen: Evidence, settings: Settings) -> Finding:
    """Say what the simple price ranges hold, and where the prices of departments lie."""
    named = _of_departments(seen.tables["department_prices"], settings)
    whole = seen.row("department_prices", department=ALL)
    highest, money = whole.highest_dollars, whole.spend
    said: dict = {
        "owner": SALES,
        "confidence": "high",
        "rests_on": (INVENTED_PRICES,),
        "figure": "price_ranges",
        "prize": Prize(what_if=f"${money:,.0f} is spent on products with a price.", spend=money),
        "change_mind": "Margins by product: ranges of equal profit would serve better.",
    }
    if whole.lowest_dollars == highest:
        return Finding(
            headline=f"Every priced order line costs ${highest:.2f}: there is nothing to divide",
            so_what="One price makes one range.",
            action="No action follows.",
            **said,
        )
    ranges = _what_they_hold(seen, settings)
    top = f"The highest price is ${highest:.2f}."
    if len(named) < 2:
        return Finding(headline=ranges, so_what=top, action="No action follows.", **said)
    plan = "With real prices, plan" if is_invented(seen.tables, PRICE) else "Plan"
    above = []
    for place, cost in ((0, " cost"), (-1, "")):
        row = seen.row("department_prices", department=named["department"].iloc[place])
        name = row.cell("department", f"department_{abs(place)}", "department")
        cut = row.cell("two_thirds_dollars", f"cut_{abs(place)}")
        above.append(f"of {goods(name)}{cost} more than ${cut:.2f}")
    return Finding(
        headline=f"{ranges}; what counts as expensive differs by department",
        so_what=f"A third of the order lines {', '.join(above)}. {top}",
        action=f"{plan} by each department's own price ranges, cut at a third and two thirds of "
        "its order lines; keep the simple ones for comparison.",
        action_basis=DESIGN,
        **said,
    )


def _what_they_hold(seen: Evidence, settings: Settings) -> str:
    """Say what share of the money each simple price range holds."""
    table = seen.tables["price_bands"]
    found = set(table.loc[table["department"] == ALL, "price_range"])
    ranges = [name for name in settings.flags["price_range"].labels if name in found]
    shares = [
        seen.row("price_bands", department=ALL, price_range=name).cell("share_of_spend", name)
        for name in ranges
    ]
    held = [f"{share:.1%} ({name})" for name, share in zip(ranges, shares, strict=True)]
    return f"The simple price ranges hold {listed(held)} of the money"
