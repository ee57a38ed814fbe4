"""What can happen to a row, in words; each used row has exactly one fate, so that the counts add up."""

TRAIN, HELD_OUT = "train", "held_out"

UNUSABLE = {
    "nothing_answered": "an answer is empty, or both answers are the same",
    "labelled_bad": "their label says that the answer is bad",
    "undecided": "none of their answers is better than another",
    "unpaired": "their answers do not answer the same prompt",
}
"""The reasons that preflight finds in a row itself; the others need the rest of the job."""

UNMATCHED = "no other row answers their prompt with the other label"
"""Why a row of a dataset for KTO is in no pair; such rows are not among those that are available."""

FATES = {
    TRAIN: "to train on",
    HELD_OUT: "held out",
    "duplicates": "left out of training because the same row is held out",
    **{reason: f"left out because {words}" for reason, words in UNUSABLE.items()},
    "refusals": "removed because the answer speaks of being an AI",
    "contaminated": "left out because an evaluation set contains their text",
    "control_tokens": "left out because their text would be read as control tokens",
    "dropped": "dropped because nothing is left to learn",
}
REMARKS = {
    "cut": "shortened to maxLength",
    "unended": "of these without the end of an answer",
    "truecased": "with corrected case",
    "unmatched": f"more left out because {UNMATCHED}",
}

COUNTS = ("available", "used", *FATES, *REMARKS)
