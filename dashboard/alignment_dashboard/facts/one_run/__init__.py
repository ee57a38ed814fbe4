"""What the page of one run says: why it is in its state, what its curves show, what it was set to, and which commands help."""
