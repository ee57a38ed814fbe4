"""The forms of rows with two answers or more, of which one is better."""
