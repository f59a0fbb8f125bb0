"""Who may look where: one class for each rule."""
