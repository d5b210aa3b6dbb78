"""Plain words for what the record calls by the names of tables, codes and switches.

A client has neither our files nor our list of decisions: codes and hashes stand on sheet 9 only.
"""

import re

TABLES = {
    "raw_products": "Products as received",
    "raw_departments": "Departments as received",
    "raw_orders": "Orders as received",
    "raw_customers": "Customers as received",
    "raw_lines": "Order lines as received",
    "products": "Products, cleaned",
    "departments": "Departments, cleaned",
    "orders": "Orders, cleaned",
    "customers": "Customers, cleaned",
    "merged": "Order lines, merged",
    "analysis_products": "Products for the analysis",
    "analysis_orders": "Orders for the analysis",
    "analysis_customers": "Customers for the analysis",
    "low_activity_customers": "Customers of low activity",
    "flat_lines": "Order lines with every column",
}
CODE = re.compile(r" ?\((?:D-\d+(?:, )?)+\)| ?\bD-\d+\b")
PHRASES = {
    "RULES=corrected": "our rules",
    "RULES=course": "the course's rules",
    "RULES": "rules",
    "(exclusion_flag)": "",
    "sample low_activity_customers": "sample of customers of low activity",
    "settings.yml": "the settings",
}


def plain_words(text: str) -> str:
    """Leave out codes, and say switches and names of tables in words."""
    text = CODE.sub("", str(text))
    for name, words in PHRASES.items():
        text = text.replace(name, words)
    for name, words in TABLES.items():
        if "_" in name:
            text = re.sub(rf"\b{name}\b", words.lower(), text)
    return text.strip()


def table_in_words(name: str) -> str:
    """Name a table of the pipeline, or of the results, as a reader would."""
    return TABLES.get(name, name.replace("_", " "))


def sources_in_words(names: list[str]) -> str:
    """Name the result tables behind a figure."""
    return ", ".join(name.replace("_", " ") for name in names)
