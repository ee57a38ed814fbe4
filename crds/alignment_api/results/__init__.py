"""What stages of evaluation and export report: the trainer writes it, the command line and the dashboard read it."""
