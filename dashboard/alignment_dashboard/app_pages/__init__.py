"""The pages; each is a script that Streamlit runs anew for every visitor."""
