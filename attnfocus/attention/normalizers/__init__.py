"""From scores to weights: one class for each way."""
