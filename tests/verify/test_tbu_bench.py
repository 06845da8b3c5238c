"""The Task Block Unit in Verilog against its golden model."""

from octopus.hw.config import OctopusConfig
from octopus.hw.tbu import TaskBlockUnit
from octopus.sched.kernels.matrix import Dense
from octopus.sim.kernel_run import one_cluster, run_computation
from octopus.verify.bench.runner import run_bench

SIZE, PRODUCT_CYCLES, GOAL = 256, 274_428, 0.90


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


def test_a_matrix_product_keeps_the_array_busy() -> None:
    """256 x 256 x 256 bytes from and to cluster memory, on one TBU with a 4 x 4 array.

    The preset's control block unit is small, which saves building time and no cycle.
    """
    tiny = one_cluster(OctopusConfig.load("tiny"), 1)
    cluster = tiny.cluster.model_copy(update={"memory_words": 65536})
    pea = tiny.pea.model_copy(update={"rows": 4, "columns": 4, "operations": "mac"})
    sizes = {"scratchpad_words": 16384, "scratchpad_banks": 16}
    unit = tiny.task_block_unit.model_copy(update=sizes)
    updates = {"name": "product", "cluster": cluster, "pea": pea, "task_block_unit": unit}
    product = Dense(SIZE, SIZE, rows=SIZE, multiplier=39, shift=20)
    result = run_computation(product, tiny.model_copy(update=updates), seed=1)
    assert not result.differences
    assert result.busy_cycles == PRODUCT_CYCLES
    assert result.utilisation(result.busy_cycles) >= GOAL
