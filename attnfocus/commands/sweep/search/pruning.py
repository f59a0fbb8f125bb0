"""A trial's run hears from its study whether to go on."""

from pathlib import Path

from attnfocus.commands.sweep.search.options import Objective, SearchOptions
from attnfocus.commands.sweep.search.samplers import pruner_of
from attnfocus.commands.sweep.search.storage import open_storage
from attnfocus.errors import RunError
from attnfocus.events import Evaluated, Listener, StopRequest


class Pruning(Listener):
    """Reports the objective of each validation to the trial, and asks the run to stop where the pruner says so.

    With several objectives, of which Optuna's pruners know nothing, it looks only that they are there.

    Args:
        options: of the search.
        run_dir: the trial's folder, in that of the sweep.
        number: of the trial.
    """

    def __init__(self, options: SearchOptions, run_dir: Path, number: int) -> None:
        import optuna

        storage = open_storage(options, run_dir.parent)
        # Values were proposed before; making the trial known again proposes none with this sampler.
        sampler = optuna.samplers.RandomSampler()
        self.study = optuna.load_study(study_name=options.study_name, storage=storage, sampler=sampler)
        frozen = self.study.get_trials(deepcopy=False)[number]
        self.options = options
        self.trial = optuna.trial.Trial(self.study, frozen._trial_id)
        self.reported = set(frozen.intermediate_values)
        self.objectives = [Objective(**each) for each in self.study.user_attrs["objectives"]]
        self.request: StopRequest | None = None

    def on_evaluation(self, event: Evaluated) -> None:
        if event.split != "valid":
            return
        metrics = [objective.name for objective in self.objectives if objective.is_metric]
        for name in metrics:
            if name not in event.metrics and name != "focus/drift":  # which needs two evaluations
                known = ", ".join(sorted(event.metrics))
                raise RunError(f"hydra.sweeper.objectives: the evaluation gave no {name}, but {known}.")
        if len(self.objectives) > 1 or not metrics or metrics[0] not in event.metrics:
            return
        value = float(event.metrics[metrics[0]])
        if event.step not in self.reported:  # a resumed run comes by again
            self.reported.add(event.step)
            self.trial.report(value, event.step)
        self.study.pruner = pruner_of(self.options, self.objectives, self.study)
        if self.trial.should_prune():
            self.request = StopRequest("pruned", f"pruned at step {event.step}: {metrics[0]} {value:.4g}")

    def stop_request(self) -> StopRequest | None:
        return self.request
