"""Writes a model for serving: its weights in the wanted number format, with tokenizer and generation settings."""
