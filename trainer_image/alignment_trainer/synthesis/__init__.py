"""Rows that models write: dialogues of teachers, scored answers as pairs, answers of the student; rounds of them."""
