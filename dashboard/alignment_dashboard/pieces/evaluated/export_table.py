"""Exports before and after, one column each."""

from collections.abc import Sequence

import pandas
import streamlit as st
from alignment_api.results.proofs import HEADS, Exported, broken_limits, proof_lines, proof_sentences

from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.text import plain


def show_exports(exports: Sequence[Exported]) -> None:
    """Show what each export costs, if there are any."""
    if not exports:
        return
    st.header("Exports before and after", anchor=False)
    for sentence in broken_limits(exports):
        show_notice("Export", "red", sentence)
    names, *lines = zip(*proof_lines(exports), strict=True)
    frame = pandas.DataFrame(lines, pandas.Index(HEADS[1:], name=HEADS[0]), list(names))
    described = "; ".join(f"{head} {', '.join(line)}" for head, line in zip(HEADS[1:], lines, strict=True))
    st.table(frame.rename(columns=plain).map(plain), alt=f"Exports {', '.join(names)}. {described}.", border="horizontal")
    for one in exports:
        places = [one.report.output, *one.report.destinations, *filter(None, [one.report.registered])]
        st.caption(plain(f"{one.stage}: {', '.join(places)}"))
    for sentence in proof_sentences(exports):
        st.caption(plain(sentence))
