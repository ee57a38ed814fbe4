"""The words of a text in any script, for ROUGE: rouge-score's own have no letters beside a to z; pure."""

import re
import unicodedata

WORDS = "words of letters, marks and digits, signs of scripts without spaces one by one"
_ALONE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Signs of Thai, Lao, Burmese, Khmer, Japanese and Chinese, which write no spaces between words."""


class Words:
    """What rouge-score asks for the words of a text."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words; of a text in plain English, those that rouge-score finds."""
        written = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in text.lower())
        return _ALONE.sub(lambda found: f" {found[0]} ", written).split()
