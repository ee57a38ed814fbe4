"""Ships metrics to MLflow; no other folder uses MLflow."""
