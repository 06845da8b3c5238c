"""Workloads: quantisation, the cascade's training, and whole jobs on golden models."""

import numpy as np
import pytest

from octopus.hw.config import OctopusConfig
from octopus.sched.job import Job
from octopus.sched.workflow import ReferenceExecutor
from octopus.sched.workloads import WORKLOADS, WorkloadError, find_workload
from octopus.sched.workloads.cache import cached_arrays
from octopus.sched.workloads.cascade import LARGE_SINK, SMALL_SINK, large_hidden, prediction
from octopus.sched.workloads.cascade_training import cascade, choose_threshold, margins
from octopus.sched.workloads.digits import load
from octopus.sched.workloads.quantise import fixed_point, quantise_network, run_network

from ..golden_driver import GoldenDriver

CONFIGS = {name: OctopusConfig.load(name) for name in ("tiny", "default")}


@pytest.mark.parametrize("factor", [1e-9, 3e-4, 0.5, 0.99999, 1.0, 1.5, 100.0, 32767.9])
def test_fixed_point_is_close_and_in_range(factor):
    multiplier, shift = fixed_point(factor)
    assert 0 < multiplier < 1 << 16
    assert 0 <= shift <= 63
    assert abs(multiplier / 2**shift - factor) <= factor * 2**-15


@pytest.mark.parametrize("factor", [0.0, -1.0, 1e9, 1e-20, float("nan")])
def test_factors_that_cannot_be_are_refused(factor):
    with pytest.raises(ValueError, match="factor is"):
        fixed_point(factor)


def test_quantised_networks_follow_the_float_network():
    random = np.random.default_rng(1)
    weights = [random.normal(size=(20, 12)), random.normal(size=(12, 5))]
    biases = [random.normal(size=12), random.normal(size=5)]
    inputs = random.integers(-100, 100, (200, 20)).astype(np.int8)
    layers = quantise_network(weights, biases, inputs, 1 / 64)
    real = np.maximum(inputs / 64 @ weights[0] + biases[0], 0) @ weights[1] + biases[1]
    quantised = run_network(layers, inputs)
    scale = np.abs(real).max() / 127
    assert np.abs(quantised * scale - real).max() < 0.04 * np.abs(real).max()


def test_margins_and_thresholds():
    small = np.array([[9, 1, 8], [0, 9, 0], [3, 3, 3]], np.int8)
    large = np.array([[0, 0, 9], [9, 0, 0], [0, 9, 0]], np.int8)
    assert margins(small).tolist() == [1, 9, 0]
    assert cascade(small, large, 0).tolist() == [0, 1, 0]
    assert cascade(small, large, 2).tolist() == [2, 1, 1]
    assert cascade(small, large, 10).tolist() == [2, 0, 1]
    assert choose_threshold(small, large, np.array([2, 1, 1])) == 2


def test_the_split_shares_no_image_and_keeps_all():
    data = load()
    parts = (data.fit_images, data.calibration_images, data.test_images)
    assert sum(map(len, parts)) == 1797
    assert all(part.min() >= 0 and part.max() <= 16 for part in parts)


def test_arrays_are_made_once_a_key(tmp_path, monkeypatch):
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3)}

    for key in ({"k": 1}, {"k": 1}, {"k": 2}):
        assert cached_arrays("x", key, make)["a"].tolist() == [0, 1, 2]
    assert len(made) == 2
    for length in (0, 6, 100):
        for file in tmp_path.iterdir():
            file.write_bytes(file.read_bytes()[:length])
        assert cached_arrays("x", {"k": 1}, make)["a"].tolist() == [0, 1, 2]
    assert len(made) == 5
    monkeypatch.setenv("OCTOPUS_CACHE", "/proc/nowhere")
    assert cached_arrays("x", {"k": 1}, make)["a"].tolist() == [0, 1, 2]


def test_the_cascade_pays():
    workload = find_workload("cascade")(CONFIGS["default"])
    results = ReferenceExecutor(workload.workflow).run(workload.instances(540, 1))
    summary = workload.summarise(results, workload.labels(540, 1))
    assert summary["accuracy"] > 0.95
    assert summary["accuracy"] > summary["small network, int8"]
    assert 0.02 < summary["escalation rate"] < 0.4
    assert abs(summary["large network, int8"] - summary["large network, float"]) < 0.01
    assert {result.sink for result in results} == {SMALL_SINK, LARGE_SINK}


def test_the_cascade_is_the_networks_put_together():
    workload = find_workload("cascade")(CONFIGS["tiny"])
    data, model = load(), workload.model
    logits = [run_network(layers, data.test_images) for layers in (model.small, model.large)]
    expected = cascade(*logits, model.threshold)
    given = workload.instances(100, 5)
    order = workload._order(100, 5)
    results = ReferenceExecutor(workload.workflow).run(given)
    assert [prediction(result) for result in results] == expected[order].tolist()


def test_inputs_depend_on_the_seed_alone():
    workload = find_workload("cascade")(CONFIGS["tiny"])
    assert workload.labels(600, 3) == workload.labels(600, 3)
    assert workload.labels(600, 3)[:540] == workload.labels(540, 3)
    assert workload.labels(540, 3) != workload.labels(540, 4)


def test_a_smaller_chip_gets_a_smaller_network():
    assert large_hidden(CONFIGS["default"]) == (128, 64)
    assert large_hidden(CONFIGS["tiny"]) == (48, 24)
    content = CONFIGS["tiny"].model_dump()
    content["task_block_unit"]["scratchpad_words"] = 256
    with pytest.raises(WorkloadError, match="scratchpad_words is 256; cascade needs"):
        large_hidden(OctopusConfig.model_validate(content))


@pytest.mark.parametrize("config", ["tiny", "default"])
@pytest.mark.parametrize("name", list(WORKLOADS))
def test_jobs_on_golden_models(name, config):
    job = Job.prepare(name, CONFIGS[config], count=12, seed=2)
    report = job.run(GoldenDriver(CONFIGS[config]))
    assert report.differences == []
    assert report.load_cycles > 0
    if name == "control_tour":
        assert report.summary == {"right values": 1.0}
    else:
        assert report.summary["accuracy"] > 0.8


def test_every_preset_runs_every_workload():
    for preset in ("ulx3s", "scale"):
        for name in WORKLOADS:
            assert Job.prepare(name, OctopusConfig.load(preset), count=1).program.slots > 1


def test_unknown_workloads_are_refused_with_the_list():
    with pytest.raises(WorkloadError, match="workflow is 'x'; allowed: cascade, control_tour"):
        find_workload("x")
