"""Charts as data: which panels each kind of stage has, and the options that ECharts draws."""
