"""Starts and watches the processes of a stage, and reports how they ended."""
