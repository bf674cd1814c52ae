"""Imports what is new into Rybbit every night (Dagster 1.10 or newer)."""

import json
import subprocess

import dagster as dg

WORTH_ANOTHER_RUN = (4, 130)


# The pool has a limit of one: a server takes one import of an organization at a time.
@dg.asset(pool="rybbit")
def rybbit_history(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    done = subprocess.run(
        ["hopper", "run", "--json", "--state", "/var/lib/hopper", "/etc/hopper/sites.yaml"],
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode in WORTH_ANOTHER_RUN:
        raise dg.RetryRequested(max_retries=5, seconds_to_wait=600)
    if done.returncode != 0:
        raise dg.Failure(f"hopper ended with {done.returncode}: see its messages above", allow_retries=False)
    sites = json.loads(done.stdout)["sites"]
    return dg.MaterializeResult(
        metadata={
            "events imported": sum(site["imported"] for site in sites),
            "sites": dg.MetadataValue.json(sites),
        }
    )


nightly = dg.ScheduleDefinition(
    name="hopper_nightly",
    target=dg.AssetSelection.assets("rybbit_history"),
    cron_schedule="17 3 * * *",
)

defs = dg.Definitions(assets=[rybbit_history], schedules=[nightly])
