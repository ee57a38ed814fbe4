"""One page for each kind of stage, each with one `run(config)`."""
