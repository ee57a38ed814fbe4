"""Tasks of lm-eval as its installed package describes them: their files, members, data and faults; without importing it."""
