"""`train -m`: the command line of sweeps and searches, and their jobs under Hydra's launchers."""
