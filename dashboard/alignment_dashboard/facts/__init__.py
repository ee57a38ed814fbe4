"""What the pages say about jobs and runs: pure functions, without Streamlit, clock, files or network."""
