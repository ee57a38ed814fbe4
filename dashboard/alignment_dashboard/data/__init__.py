"""Reads jobs and metrics from Kubernetes, local files and MLflow; imports no Streamlit."""
