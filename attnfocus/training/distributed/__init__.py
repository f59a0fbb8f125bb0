"""One run in several processes: how they meet, what they share, how weights are divided among them."""
