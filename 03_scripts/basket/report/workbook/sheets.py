"""The sheets of the report: their names, in order, and what each holds."""

TITLE = "1. Title Page"
SUMMARY = "Executive Summary"
FLOW = "2. Population Flow"
CHECKS = "3. Consistency checks"
WRANGLING = "4. Wrangling steps"
DERIVATIONS = "5. Column derivations"
FIGURES = "6. Visualizations"
ADVICE = "7. Recommendations"
CHART_DATA = "8. Chart data"
NOTES = "9. Notes and glossary"

CONTENT = {
    SUMMARY: "What we found, what it means, and what to do: one row for each message",
    FLOW: "How many rows came in, were removed or added, and were analysed",
    CHECKS: "What was looked for in each column, what was found and done",
    WRANGLING: "Columns dropped, renamed or given another type",
    DERIVATIONS: "The rule behind each derived column, and how often each label occurs",
    FIGURES: "Every figure beside the question that it answers",
    ADVICE: "Each question with its answer, action and owner; then the ad calendar",
    CHART_DATA: "The numbers behind every figure",
    NOTES: "Citation, method, limits, tests with their intervals, privacy, glossary",
}
SHEETS = (TITLE, *CONTENT)
FOR_THE_CLIENT = (TITLE, SUMMARY, ADVICE)  # their tabs stand out
