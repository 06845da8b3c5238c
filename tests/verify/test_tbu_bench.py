"""The Task Block Unit in Verilog against its golden model."""

from octopus.hw.config import OctopusConfig
from octopus.hw.tbu import TaskBlockUnit
from octopus.sched.kernels.convolution import Conv2d
from octopus.sched.kernels.matrix import Dense
from octopus.sim.kernel_run import one_cluster, run_computation
from octopus.verify.bench.runner import run_bench

SIZE, PRODUCT_CYCLES, GOAL = 256, 273_923, 0.90
CONVOLUTION_CYCLES, CONVOLUTION_GOAL = 157_121, 0.85


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


def chip_for_products() -> OctopusConfig:
    """One TBU with a 4 x 4 array; the small control block unit saves building time and no cycle."""
    tiny = one_cluster(OctopusConfig.load("tiny"), 1)
    cluster = tiny.cluster.model_copy(update={"memory_words": 65536})
    pea = tiny.pea.model_copy(update={"rows": 4, "columns": 4, "operations": "mac"})
    sizes = {"scratchpad_words": 16384, "scratchpad_banks": 16}
    unit = tiny.task_block_unit.model_copy(update=sizes)
    updates = {"name": "product", "cluster": cluster, "pea": pea, "task_block_unit": unit}
    return tiny.model_copy(update=updates)


def test_a_matrix_product_keeps_the_array_busy() -> None:
    """256 x 256 x 256 bytes from and to cluster memory."""
    product = Dense(SIZE, SIZE, rows=SIZE, multiplier=39, shift=20)
    result = run_computation(product, chip_for_products(), seed=1)
    assert not result.differences
    assert result.busy_cycles == PRODUCT_CYCLES
    assert result.utilisation(result.busy_cycles) >= GOAL


def test_a_convolution_keeps_the_array_busy() -> None:
    """3 x 3 on 32 channels of 32 x 32 pixels: its operands lie where streams do not meet."""
    convolution = Conv2d(32, 32, 32, 32, padding=1, multiplier=39, shift=20)
    result = run_computation(convolution, chip_for_products(), seed=1)
    assert not result.differences
    assert result.busy_cycles == CONVOLUTION_CYCLES
    assert result.utilisation(result.busy_cycles) >= CONVOLUTION_GOAL
