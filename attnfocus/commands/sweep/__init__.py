"""Many runs: the folder of a sweep, its jobs and its table."""
