"""The namespaces that the suite creates."""

RELEASES, JOBS, OTHERS, BESIDE = "alignment-suite", "alignment-suite-jobs", "alignment-suite-others", "alignment-suite-beside"
