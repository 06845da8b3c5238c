"""The Task Block Unit in Verilog against its golden model."""

from octopus.hw.config import OctopusConfig
from octopus.hw.tbu import TaskBlockUnit
from octopus.verify.bench.runner import run_bench


def run(config: OctopusConfig, bench: str, seed: int | None = None) -> None:
    run_bench(
        TaskBlockUnit(config),
        f"octopus.verify.bench.{bench}",
        seed=seed,
        extra_environment={"OCTOPUS_BENCH_CONFIG": config.model_dump_json()},
    )


def test_random_tasks_end_as_the_golden_model_says() -> None:
    run(OctopusConfig.load("tiny"), "tbu_bench")


def test_the_array_does_not_wait_for_its_controller() -> None:
    """On a 4 x 4 array, whose kernels are images of a hundred words; its PEs can only add.

    The cycles depend on the tasks' tags and strides a little: they are always the same ones.
    """
    config = OctopusConfig.load("tiny")
    pea = config.pea.model_copy(update={"rows": 4, "columns": 4, "operations": "add"})
    run(config.model_copy(update={"name": "adders", "pea": pea}), "tbu_overlap", seed=1)
