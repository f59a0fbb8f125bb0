"""Where a run looks: its examples with their maps, on the screen, as a page, as figures, as JSON."""
