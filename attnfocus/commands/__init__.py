"""One verb = one file = one recipe that fits a screen."""
