"""The names by which run directories and sweeps are known, for whoever looks for them without reading them."""

CONFIG_FILE = "config.yaml"
BENCH_FILE = "bench.yaml"  # in place of config.yaml in the folder of a bench, which is no run to go on with
COMPARE_FILE = "compare.yaml"  # ... and of a comparison
SUMMARY_FILE = "summary.json"
TRAIN_LOCK = ".train.lock"  # held while the run is trained
JOB_FILE = "overrides.json"  # in the folder of a sweep's job: what distinguishes it within its sweep
HYDRA_FILE = "multirun.yaml"  # of a sweep: Hydra's whole configuration, with the command line that it goes on with
