"""The one place that knows MLflow."""
