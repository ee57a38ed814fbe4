"""Near-duplicates are found exactly as if all pairs were compared."""

import random

import pytest
from alignment_trainer.synthesis.distilling.similarity import KeptTexts
from rouge_score.rouge_scorer import RougeScorer

CASES = [
    ("the same text", ["Name a city."], "Name a city.", 0.7, True),
    ("another case and other signs", ["Name a city."], "name a CITY!", 1.0, True),
    ("exactly the maximum", ["a b c d e f g h i j"], "a b c d e f g x y z", 0.7, True),
    ("one word less", ["a b c d e f g h i j"], "a b c d e f w x y z", 0.7, False),
    ("the same words in another order", ["a b c d"], "d c b a", 0.7, False),
    ("a word that is repeated", ["a a a a"], "a b b b", 0.5, False),
    ("any kept one counts", ["x y z", "Name a city.", "u v w"], "Name a river.", 0.6, True),
    ("another script", ["Назови город в Швейцарии"], "Назови город во Франции", 0.5, True),
    ("another script, other words", ["Назови город в Швейцарии"], "Переведи этот текст", 0.5, False),
    ("no words", ["?!"], "?!", 0.7, True),
    ("nothing kept", [], "Name a city.", 0.7, False),
]


@pytest.mark.parametrize(("kept", "text", "maximum", "is_similar"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_a_text_is_similar_to_any_kept_one(kept, text, maximum, is_similar):
    known = KeptTexts(maximum)
    for each in kept:
        known.add(each)
    assert known.has_similar(text) is is_similar


def test_it_agrees_with_comparing_all_pairs():
    draw, scorer = random.Random(1), RougeScorer(["rougeL"])
    texts = [" ".join(draw.choices("abcdefg", k=draw.randint(1, 9))) for _ in range(300)]
    known, kept, found = KeptTexts(0.7), [], []
    for text in texts:
        found.append(known.has_similar(text))
        assert found[-1] == any(scorer.score(other, text)["rougeL"].fmeasure >= 0.7 for other in kept)
        if not found[-1]:
            known.add(text)
            kept.append(text)
    assert 50 < sum(found) < 250
