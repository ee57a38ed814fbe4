"""How a model of the job answers many prompts: in which batches, with which random numbers, into which files."""
