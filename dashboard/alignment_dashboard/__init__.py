"""Shows AlignmentJobs in a browser: what runs, what is wrong, and how training goes."""
