"""Reads the progress of running stages, from their pods and from MLflow."""
