"""Shows people how rows are read: their form, their text, and which of its tokens are learned."""
