"""Train and quantise the cascade's two classifiers and print what came of it.

``octopus run cascade`` does the same when it needs the weights and finds none in the cache;
this script is for looking at them. Seeded: equal versions give equal weights.

    python scripts/train_cascade.py [--config default]
"""

import argparse
import sys

import numpy as np

from octopus.hw.config import ConfigurationError, OctopusConfig
from octopus.sched.workloads import WorkloadError
from octopus.sched.workloads.cascade import SMALL_HIDDEN, large_hidden
from octopus.sched.workloads.cascade_training import cascade, margins, train
from octopus.sched.workloads.digits import load
from octopus.sched.workloads.quantise import run_network


def main() -> int:
    """Train (or take from the cache) and report; 2 for a bad configuration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="default", help="preset or TOML file (default)")
    try:
        config = OctopusConfig.load(parser.parse_args().config)
        hidden = large_hidden(config)
    except (ConfigurationError, WorkloadError) as error:
        print(f"train_cascade: {error}", file=sys.stderr)
        return 2
    model, data = train(SMALL_HIDDEN, hidden), load()
    logits = {}
    for name, layers, float_accuracy in (
        ("small", model.small, model.small_float_accuracy),
        ("large", model.large, model.large_float_accuracy),
    ):
        logits[name] = run_network(layers, data.test_images)
        accuracy = np.mean(logits[name].argmax(axis=1) == data.test_labels)
        widths = " -> ".join(str(n) for n in [64, *(len(layer.bias) for layer in layers)])
        print(f"{name}: {widths}; accuracy {float_accuracy:.4f} float, {accuracy:.4f} int8")
        for number, layer in enumerate(layers, 1):
            print(
                f"  layer {number}: {layer.weights.size} weights, scale {layer.multiplier}"
                f" / 2^{layer.shift}{', ReLU' if layer.relu else ''}"
            )
    predicted = cascade(logits["small"], logits["large"], model.threshold)
    escalated = np.mean(margins(logits["small"]) < model.threshold)
    print(
        f"cascade: margin threshold {model.threshold}, accuracy "
        f"{np.mean(predicted == data.test_labels):.4f}, {escalated:.1%} of "
        f"{len(data.test_labels)} test images escalated"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
