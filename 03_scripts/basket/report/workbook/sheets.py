"""The sheets of the report: their names, in order, and what each holds."""

TITLE = "1. Title Page"
MONDAY = "Monday"
SUMMARY = "Executive Summary"
FLOW = "2. Population Flow"
CHECKS = "3. Consistency checks"
WRANGLING = "4. Wrangling steps"
DERIVATIONS = "5. Column derivations"
FIGURES = "6. Visualizations"
SEGMENTS = "Segments"
ADVICE = "7. Recommendations"
CHART_DATA = "8. Chart data"
NOTES = "9. Notes and glossary"

CONTENT = {
    MONDAY: "What to do first, what it could be worth, what to leave; cells to try what if",
    SUMMARY: "What we found, what it means, and what to do, the most important first",
    FLOW: "How many rows came in, were removed or added, and were analysed",
    CHECKS: "What was looked for in each column, what was found and done",
    WRANGLING: "Columns dropped, renamed or given another type",
    DERIVATIONS: "The rule behind each derived column, and how often each label occurs",
    FIGURES: "Every figure beside the question that it answers",
    SEGMENTS: "Each segment by its habits; then every group of customers beside the others",
    ADVICE: "Each question with its answer, action and owner; the week; the trials",
    CHART_DATA: "The numbers behind every figure",
    NOTES: "Citation, method, limits, tests with their intervals, privacy, glossary, versions",
}
SHEETS = (TITLE, *CONTENT)
FOR_THE_CLIENT = (TITLE, MONDAY, SUMMARY, SEGMENTS, ADVICE)  # their tabs stand out
