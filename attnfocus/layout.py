"""Names of the files and folders of a run, of a bench and of a comparison (docs/architecture.md has the whole list)."""

CONFIG_FILE = "config.yaml"
SUMMARY_FILE = "summary.json"
METRICS_FILE = "metrics.jsonl"
LOG_FILE = "train.log"
ANSWERS_FILE = "predictions-test.jsonl"
FAITHFULNESS_FILE = "faithfulness.json"
EVENT_FILES = "events.out.tfevents.*"
TRAIN_LOCK = ".train.lock"  # held while the run is trained
OF_JOB = ("overrides.json", "traceback.txt", ".lock", ".process")  # what a sweep writes beside its run

CHECKPOINTS = "checkpoints"
DATA_FOLDER = "data"  # tokenizers and labels
FINGERPRINTS_FILE = "fingerprints.json"  # in `DATA_FOLDER`
MAPS_FOLDER = "focus"
PAGES_FOLDER = "inspect"

BENCH_FILE = "bench.yaml"  # in place of config.yaml in the folder of a bench, which is no run to go on with
COMPARE_FILE = "compare.yaml"  # ... of a comparison
DATA_FILE = "data.yaml"  # ... and of a look at data
