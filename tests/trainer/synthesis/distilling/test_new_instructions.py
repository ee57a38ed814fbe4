"""New instructions are read from a numbered list; what nobody can answer in writing is dropped."""

import pytest
from alignment_trainer.synthesis.distilling.new_instructions import asked_for_more, instructions_in, why_unfit

REPLIES = [
    ("1. Name a city.\n2. Name a river.", False, ["Name a city.", "Name a river."]),
    ("Sure!\n\n1) Name a city.\n2) Name a river.\n", False, ["Name a city.", "Name a river."]),
    ("1. Translate:\n\nHaus\nBaum\n2. Name a river.", False, ["Translate:\n\nHaus\nBaum", "Name a river."]),
    ("1. Name a city.\n2. Name a ri", True, ["Name a city."]),
    ("1. Name a ci", True, []),
    ("1.  \n2. Name a river.", False, ["Name a river."]),
    ("I cannot do that.", False, None),
    ("In 1990. Name a city", False, None),
    (" 1. Name a city.\n2. Name a river.", False, ["Name a city.", "Name a river."]),
    ("**1. Name a city.**\n**2. Name a river.**", False, ["Name a city.", "Name a river."]),
    ("**1.** Name a **big** city.\n**2.** Name a river.", False, ["Name a **big** city.", "Name a river."]),
    ("### 1. Name a city.\n\n### 2. Name a river.", False, ["Name a city.", "Name a river."]),
    ("1. Sort:\n1) fig\n2) pear\n2. Name a river.", False, ["Sort:\n1) fig\n2) pear", "Name a river."]),
    (
        "1. Halve:\n   1. Boil it.\n   2. Fry it.\n2. Name a river.",
        False,
        ["Halve:\n   1. Boil it.\n   2. Fry it.", "Name a river."],
    ),
    ("1. Go on:\n7. Sunday\n2. Name a river.", False, ["Go on:\n7. Sunday", "Name a river."]),
    ("1. Who was king in\n1990.5 and why?\n2. Name a river.", False, ["Who was king in\n1990.5 and why?", "Name a river."]),
    ("1. Sort:\n1. fig\n2. pear\n2. Name a river.", False, None),
    ("1. Sort:\n1. fig\n2. pe", True, None),
    ("1. Name a river.\n2. Sort:\n1. fig\n2. pear", False, None),
]


@pytest.mark.parametrize(("reply", "is_cut", "found"), REPLIES)
def test_a_reply_is_read_as_a_list(reply, is_cut, found):
    assert instructions_in(reply, is_cut) == found


def test_the_examples_are_shown():
    (message,) = asked_for_more(["Name a city.", "Name a {river}."])
    assert message["role"] == "user"
    assert "<task>\nName a city.\n</task>\n\n<task>\nName a {river}.\n</task>" in message["content"]


FIT = [
    "Write a poem about a map that lies.",
    "Explain how a file system works.",
    "Describe how painters draw attention to a face.",
    "Give three reasons to visit Norway.",
    "Compare photographs and paintings as works of art.",
    "Record of a trip: shorten it. We went to Bern by train and came back on foot.",
    "Write HTML for a page with a picture and a link.",
    "What does a graph of supply and demand show?",
    "Explain how download speed is measured by providers.",
    "Explain the following graph algorithm: Dijkstra's.",
    "Write a Python function that counts the lines of a given file.",
    "Explain what a heat map below zero degrees would mean.",
    "Write a script that will create a file and upload it.",
    "What does it mean to click with somebody?",
    "Is tap water safe in Bern?",
    "Explain attachment theory to parents.",
]
UNFIT = [
    ("Describe this picture.", "unanswerable"),
    ("What is shown in the following chart?", "unanswerable"),
    ("Summarize the attached document.", "unanswerable"),
    ("Click on the link and tell me what it says.", "unanswerable"),
    ("Read https://example.com and summarize it.", "unanswerable"),
    ("Go to the website of the city and find its mayor.", "unanswerable"),
    ("Draw a cat on a sofa.", "unanswerable"),
    ("Create an image of a sunset over Bern.", "unanswerable"),
    ("Who sings in the video above?", "unanswerable"),
    ("Which country is in the map above?", "unanswerable"),
    ("Count the lines of the attached file.", "unanswerable"),
    ("Explain the graph shown here.", "unanswerable"),
    ("Look at the attachment and correct it.", "unanswerable"),
    ("Please download the report and summarize it.", "unanswerable"),
    ("Tap here to begin.", "unanswerable"),
    ("Take a photo of your lunch.", "unanswerable"),
    ("Say hello.", "length"),
    ("word " * 151, "length"),
]


@pytest.mark.parametrize(("instruction", "why"), [*((text, None) for text in FIT), *UNFIT])
def test_an_instruction_that_nobody_can_answer_in_writing_is_unfit(instruction, why):
    assert why_unfit(instruction) == why
