"""The verbs: one line each. What each does and needs stands in its room and in its file under `configs/`."""

VERBS = {  # verb -> the module with its `run`
    "train": "attnfocus.commands.train.command",
    "evaluate": "attnfocus.commands.evaluate.command",
    "predict": "attnfocus.commands.predict",
    "inspect": "attnfocus.commands.inspect",
    "compare": "attnfocus.commands.compare.command",
    "bench": "attnfocus.commands.bench.command",
    "doctor": "attnfocus.commands.doctor.command",
}
