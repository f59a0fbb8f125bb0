"""A search for hyperparameters: a sweep whose jobs a study of Optuna chooses."""
