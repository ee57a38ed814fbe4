"""The AlignmentJob contract: every program of this project imports it, and it imports none of them."""
