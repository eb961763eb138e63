"""What fmsr writes of a training run, for other tools: to_mlflow.py and to_trackio.py read it."""
import glob
import json
import os


def spec(run):
    """Returns the run's name, and every key of its spec, such as {"run.seed": 1, "train.lr": 6e-4}."""
    import yaml
    read = yaml.safe_load(open(os.path.join(run, "spec.yaml")))
    sections = [("run", read["run"])] + [item for stage in read["flow"] for item in stage.items()]
    return read["run"]["name"], {f"{name}.{key}": value for name, keys in sections for key, value in (keys or {}).items()}


def curve(run):
    """Yields the step and the figures of each line of the learning curve."""
    for line in open(os.path.join(run, "metrics.jsonl")):
        figures = json.loads(line)
        yield figures.pop("step"), figures


def pictures(run):
    """Yields the name, step and file of each picture, by step: ("samples/Bx", 400, "RUN/images/samples/Bx/400.png").

    Tiles, which are fields without text for fmsr's own pages, are not among them."""
    folder = os.path.join(run, "images")
    files = glob.glob(os.path.join(glob.escape(folder), "**", "*.png"), recursive=True)
    for step, path in sorted((int(os.path.splitext(os.path.basename(path))[0]), path) for path in files):
        name = os.path.relpath(os.path.dirname(path), folder)
        if not name.startswith("tiles"):
            yield name, step, path
