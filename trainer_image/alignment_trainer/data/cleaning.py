"""Finds empty answers and answers that speak of being an AI, and corrects sentences in the wrong case."""

import re
from collections.abc import Iterator

from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Text

_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\.\.)\s+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# In other languages a single i may be a word such as "and"; only before these words it is certainly English.
_ENGLISH_I = re.compile(
    r"\bi\b(?=['’](?:m|ve|d|ll)\b| (?:am|was|have|had|will|would|can|could|should|do|did|don|think|want|need|know|like|love|"
    r"hope|feel|see|saw|said|say|mean|use|used|tried|got|get|just|also|really|never|always|still|cannot)\b)"
)
_CODE_SIGNS = re.compile(r"[{}<>=_\\|`#@/]|::|->|\w\(|;\s*$")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|mr|mrs|ms|dr|st|a\.m|p\.m)|\b\w)\.$", re.IGNORECASE)
_FEWEST_WORDS = 3
_FEWEST_SHOUTED_WORDS = 4

_OF_ITSELF = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bas an (?:ai|artificial intelligence)\b",
        r"\bas a (?:large )?language model\b",
        r"\bi(?:['’]m| am) (?:just |only |merely )?an? (?:ai|artificial intelligence|(?:large )?language model)\b",
        r"\bi (?:do not|don['’]t|cannot|can['’]t|am not able to) (?:actually |really )?(?:have|feel|experience|hold) "
        r"(?:any )?(?:\w+ )?(?:or \w+ )?(?:emotions?|feelings?|opinions?|beliefs?|preferences?)\b",
    )
)


def answers_nothing(row: Dialogue | Pair) -> bool:
    """Return whether an answer is empty, or both answers of a pair are the same, so that the row teaches nothing useful."""
    if isinstance(row, Pair) and row.chosen == row.rejected:
        return True
    return any(not answer or answer.isspace() for answer in _answers(row))


def truecased_row(row: Dialogue | Pair) -> Dialogue | Pair:
    """Correct the case in the messages of a row; texts without roles may start within a sentence and stay unchanged."""
    if isinstance(row, Pair):
        prompt, chosen, rejected = map(_truecased_messages, row.parts)
        return Pair(prompt, chosen, rejected, row.tools)
    before = None if row.prompt is None else _truecased_messages(row.prompt)
    return Dialogue(before, _truecased_messages(row.answer), row.tools, row.unlearned)


def speaks_of_itself(row: Dialogue | Pair) -> bool:
    """Return whether the answers to learn speak of being an AI, or of having no feelings and opinions."""
    learned = (row.prompt, row.chosen) if isinstance(row, Pair) else (row.prompt, row.answer)
    answers = [learned[1]] if isinstance(learned[1], str) else []
    for part in learned:
        if isinstance(part, list):
            answers += [message["content"] for message in part if message["role"] == "assistant"]
    return any(pattern.search(answer) for answer in answers for pattern in _OF_ITSELF)


def truecased(text: str) -> str:
    """Correct sentences written only in lower case or only in capitals; lines that look like code stay unchanged."""
    lines = text.split("\n")
    in_code = False
    for index, line in enumerate(lines):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(("    ", "\t")):
            begins = index == 0 or not lines[index - 1].strip()
            lines[index] = _line(line, begins)
    return "\n".join(lines)


def _answers(row: Dialogue | Pair) -> Iterator[str]:
    """Yield all answers, also those of earlier turns, which are learned or precede what is learned."""
    yield from (answer for answer in row.answers if isinstance(answer, str))
    for part in row.parts:
        if isinstance(part, list):
            # A call of a tool is an answer, also without a text.
            yield from (
                message["content"] for message in part if message["role"] == "assistant" and not message.get("tool_calls")
            )


def _truecased_messages(part: Text) -> Text:
    if not isinstance(part, list):
        return part
    return [
        {**message, "content": truecased(message["content"])} if message["role"] in ("user", "assistant") else message
        for message in part
    ]


def _line(line: str, begins: bool) -> str:
    """Correct one line; the start of a line after another line stays, because it may continue a sentence, a list or a verse."""
    pieces, start = [], 0
    for gap in _SENTENCE_END.finditer(line):
        if not _ABBREVIATION.search(line[start : gap.start()]):
            pieces += [line[start : gap.start()], gap.group()]
            start = gap.end()
    pieces.append(line[start:])
    if not begins and not pieces[0].isupper():
        return pieces[0] + "".join(map(_sentence, pieces[1:]))
    return "".join(map(_sentence, pieces))


def _sentence(sentence: str) -> str:
    words = _WORD.findall(sentence)
    if len(words) < _FEWEST_WORDS or _CODE_SIGNS.search(sentence):
        return sentence
    if sentence.isupper() and len(words) >= _FEWEST_SHOUTED_WORDS:
        return _begun(sentence.lower())
    if sentence.islower() and sentence[0].isalpha() and sentence.rstrip()[-1] in ".!?":
        return _begun(sentence)
    return sentence


def _begun(sentence: str) -> str:
    first = next(index for index, sign in enumerate(sentence) if sign.isalpha())
    return sentence[:first] + sentence[first].upper() + _ENGLISH_I.sub("I", sentence[first + 1 :])
