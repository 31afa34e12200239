"""What both forms of the report say at their head."""

TITLE = "The paper's tables and figures, measured here"

COMPARABLE = (
    "The paper's numbers were measured on its own test sets (500 sentences drawn from the development set of CMeEE-V2, "
    "the test set of CCKS2019), its own method with models of 7 to 9 billion parameters; table 9 has other methods "
    "too. They are printed beside ours for orientation; no interval or difference spans the two."
)
READING = (
    "Brackets are intervals. A difference is the row's F1 minus that of the system its column names, on the same "
    "documents; p is two-sided, from the paired bootstrap, and not corrected for the number of rows. “not measured”: "
    "the manifest has no such prediction file."
)
