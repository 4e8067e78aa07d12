"""A run of the heat equation by itself, which a batch is compared with."""

from simops_sim import heat1d, outputs
from simops_sim.problem import Problem

SPEED = ("solve_seconds", "steps_per_second")


def one_run(problem: Problem) -> tuple[dict[str, float], heat1d.Array]:
    """Give metrics and last row of a run of its own, which marches through all rows."""
    recorder = outputs.Recorder(problem)
    for first, block in heat1d.march(problem):
        recorder.add(first, block)
    return outputs.metrics(recorder, recorder.table(), 1.0), recorder.last


def assert_same(numbers: dict[str, float], expected: dict[str, float], problem: Problem) -> None:
    """Compare all metrics but the speed to 1e-12 of their value, or of the temperatures that they are differences of."""
    assert list(numbers) == list(expected), "the names and their order are those of one run"
    temperature = max(abs(problem.initial_temp), abs(problem.boundary_temp))
    for name in numbers.keys() - set(SPEED):
        scale = temperature * (problem.length if "heat" in name else 1.0)
        if name in {"final_time", "stability_number"}:
            scale = 0.0
        difference = abs(numbers[name] - expected[name])
        assert difference <= 1e-12 * max(scale, abs(expected[name])), (name, numbers[name], expected[name])
