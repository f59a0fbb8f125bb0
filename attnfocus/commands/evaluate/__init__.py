"""`attnfocus evaluate`: the metrics of a run, again."""
