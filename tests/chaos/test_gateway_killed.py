"""The gateway is killed while people submit: every request that is sent again with its key is carried out once, and what was accepted comes to its end."""

import os
import random
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos.invariants import Accepted, await_the_end, broken
from e2e.gateway import Gateway, running_gateway
from e2e.lab import RUNS, TESTBOX, Lab, Run
from e2e.test_sweep_crash import seeded

REQUESTS, KILLS = 12, 4


class Door:
    """The gateway that is up now, if one is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.gateway: Gateway | None = None
        self.over = threading.Event()

    def submit(self, number: int) -> list[str]:
        """Send a request with its key until it is answered; return all that it was told that there is."""
        body: dict[str, object] = {"image": TESTBOX, "command": ["sh", "-c", "echo begun > $SIMOPS_OUTPUTS/begun.txt"]}
        if number % 2:  # those that the person has named, too
            body["name"] = f"killed-{self.name[:8]}-{number}"
        told: list[str] = []
        while len(told) < 2:  # and once more, as who has not heard the first answer
            assert not self.over.is_set(), f"request {number} was not answered: {told}"
            gateway = self.gateway
            try:
                if gateway is not None:
                    answer = gateway.call("POST", "/jobs", body, {"Idempotency-Key": f"killed-{self.name}-{number}"})
                    if answer.status < 500:
                        assert answer.status == 201, answer.content
                        told += answer.json["jobs"]
            except OSError:
                pass
            time.sleep(0.1)
        return told


def killed_again_and_again(door: Door, lab: Lab, folder: Path, chance: random.Random) -> None:
    """Let gateways come and be killed; the last one stays until it is not needed any more."""
    for number in range(KILLS + 1):
        place = folder / str(number)
        place.mkdir()
        with running_gateway(lab.cluster, place) as gateway:
            door.gateway = gateway
            if number < KILLS:
                time.sleep(chance.uniform(0, 1.5))
                os.kill(gateway.pid, signal.SIGKILL)
                door.gateway = None
            else:
                assert door.over.wait(120)


def test_a_request_is_carried_out_once_however_often_its_gateway_dies(simops: Lab, tmp_path: Path) -> None:
    chance = seeded()
    door = Door(uuid.uuid4().hex)  # a cluster may be used twice
    before = {run["metadata"]["uid"] for run in simops.cluster.items(RUNS)}
    with ThreadPoolExecutor(REQUESTS + 1) as people:
        gateways = people.submit(killed_again_and_again, door, simops, tmp_path, chance)
        try:
            told = list(people.map(door.submit, range(REQUESTS), timeout=300))
        finally:
            door.over.set()
        gateways.result(60)
    made = [run for run in simops.cluster.items(RUNS) if run["metadata"]["uid"] not in before]
    assert {name for names in told for name in names} == {run["metadata"]["name"] for run in made}
    assert len(made) == REQUESTS
    accepted = [Accepted.of(Run(simops, run), "Succeeded") for run in made]
    await_the_end(simops, accepted)
    assert broken(simops, accepted) == []
