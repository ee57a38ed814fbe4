"""The namespaces that the suite creates."""

RELEASES, JOBS, OTHERS = "alignment-suite", "alignment-suite-jobs", "alignment-suite-others"
BESIDE, KILLED, TAUGHT = "alignment-suite-beside", "alignment-suite-killed", "alignment-suite-taught"
"""For what runs beside other tests."""
