"""Streamlit elements that several pages share."""
