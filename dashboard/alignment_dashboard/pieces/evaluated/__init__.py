"""What was measured of models: scores, judges, exports before and after, for one run or several."""
