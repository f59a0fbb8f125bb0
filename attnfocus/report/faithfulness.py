"""What `evaluate faithfulness=true` prints: the verdict, then what it rests on."""

from rich.console import Console

from attnfocus.report.console import say
from attnfocus.report.text import metric_name, num_cells, number
from attnfocus.tasks import Faithfulness


def print_faithfulness(console: Console, tested: Faithfulness) -> None:
    """Prints the verdict, the metrics one by one, and what could not be measured."""
    say(console, "")
    say(console, tested.verdict, style="bold")
    names = {name: metric_name(name.removeprefix("faithfulness/")) for name in tested.metrics}
    width = max(map(num_cells, names.values()))
    for name, value in tested.metrics.items():
        say(console, f"{names[name].ljust(width)}  {number(value):>8}", wrap=False)
    of_what = f"{tested.num_outputs} outputs of {tested.num_examples} examples of {tested.split}"
    say(console, f"of {', '.join(tested.attentions)}, on {of_what}, seed {tested.seed}", style="dim", wrap=False)
    for remark in tested.left_out:
        say(console, remark, style="yellow")
