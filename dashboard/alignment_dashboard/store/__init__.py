"""Reads runs, histories and files from MLflow: over REST or, on one machine, read-only from its database."""
