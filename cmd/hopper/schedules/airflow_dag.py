"""Imports what is new into Rybbit every night (Airflow 2.9 or newer, 3)."""

import json
import subprocess

import pendulum
from airflow.decorators import dag, task
from airflow.exceptions import AirflowException, AirflowFailException

WORTH_ANOTHER_RUN = (4, 130)


@dag(
    schedule="17 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
)
def hopper():
    # The pool has one slot: a server takes one import of an organization at a time.
    @task(pool="rybbit", retries=5, retry_delay=pendulum.duration(minutes=10))
    def import_new():
        done = subprocess.run(
            ["hopper", "run", "--json", "--state", "/var/lib/hopper", "/etc/hopper/sites.yaml"],
            stdout=subprocess.PIPE,
            check=False,
        )
        if done.returncode in WORTH_ANOTHER_RUN:
            raise AirflowException(f"hopper ended with {done.returncode}; the next try goes on")
        if done.returncode != 0:
            raise AirflowFailException(f"hopper ended with {done.returncode}: see its messages above")
        return json.loads(done.stdout)

    import_new()


hopper()
