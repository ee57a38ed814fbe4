"""The world of one machine: a folder and processes."""
