"""Names of the files and folders of a run, of a bench and of a comparison (docs/architecture.md has the whole list)."""

CONFIG_FILE = "config.yaml"
SUMMARY_FILE = "summary.json"
METRICS_FILE = "metrics.jsonl"
LOG_FILE = "train.log"
ANSWERS_FILE = "predictions-test.jsonl"
CLASSES_FILE = "classes-test.csv"
CONFUSION_FIGURE = "confusion-test.png"
REPORT_FILE = "report.html"
FAITHFULNESS_FILE = "faithfulness.json"
FAITHFULNESS_FIGURE = "faithfulness.png"
HEADS_FILE = "heads.json"
EVENT_FILES = "events.out.tfevents.*"
TRAIN_LOCK = ".train.lock"  # held while the run is trained
JOB_FILE = "overrides.json"  # in the folder of a sweep's job: what distinguishes it within its sweep
HYDRA_FILE = "multirun.yaml"  # of a sweep: Hydra's whole configuration, with the command line that it goes on with
OF_JOB = (JOB_FILE, "traceback.txt", ".lock", ".process")  # what a sweep writes beside its run

CHECKPOINTS = "checkpoints"
DATA_FOLDER = "data"  # tokenizers and labels
FINGERPRINTS_FILE = "fingerprints.json"  # in `DATA_FOLDER`
MAPS_FOLDER = "focus"
MAPS_HISTORY_FILE = "history.safetensors"  # in `MAPS_FOLDER`: a few examples at a few evaluations of the whole run
PAGES_FOLDER = "inspect"

BENCH_FILE = "bench.yaml"  # in place of config.yaml in the folder of a bench, which is no run to go on with
COMPARE_FILE = "compare.yaml"  # ... of a comparison
DATA_FILE = "data.yaml"  # ... and of a look at data

COMPARE_PAGE = "compare.html"  # of a comparison, and of a sweep, beside two tables of its numbers
TIDY_FILE = "results-tidy.csv"
DIFFERENCES_FILE = "differences.csv"
