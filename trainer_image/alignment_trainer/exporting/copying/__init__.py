"""Copies an exported folder to where it is wanted: each copy is whole, or does not look like one."""
