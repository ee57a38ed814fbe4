"""What the list of runs says: its rows and columns, search, groups, order and what needs attention."""
