"""What is done before a model is loaded: tasks are opened, and rows of an earlier attempt kept or forgotten."""
