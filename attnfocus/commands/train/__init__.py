"""`attnfocus train`: the recipe, and what only training needs."""
