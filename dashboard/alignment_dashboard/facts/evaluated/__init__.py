"""What pages say about measured models: how each was made, where two differ, and how that is written."""
