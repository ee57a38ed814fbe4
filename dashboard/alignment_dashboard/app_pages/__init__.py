"""The pages; Streamlit runs each as a script, again for every visitor and every change."""
