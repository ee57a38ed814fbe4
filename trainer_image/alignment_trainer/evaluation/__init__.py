"""Measures models of the job: benchmarks, likelihoods, answers and judges, row by row, in one table."""
