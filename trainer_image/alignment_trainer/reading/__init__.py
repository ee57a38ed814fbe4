"""Reads rows from files, in every format and place."""
