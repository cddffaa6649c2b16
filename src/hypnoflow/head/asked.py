"""What Snakemake was asked to do, by its own parser: profiles and all. The only place that leans on its insides."""

from __future__ import annotations

import contextlib
import io
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

# Options with which Snakemake looks, converts or tidies, and runs no job.
NO_RUN = (
    *("dryrun", "touch", "unlock", "lint", "summary", "detailed_summary", "dag", "rulegraph", "filegraph", "d3dag"),
    *("list_rules", "list_target_rules", "list_untracked", "list_input_changes", "list_params_changes"),
    *("list_changes", "list_conda_envs", "report", "archive", "print_compilation", "containerize"),
    *("delete_all_output", "delete_temp_output", "cleanup_metadata", "conda_cleanup_envs", "conda_create_envs_only"),
    *("cleanup_shadow", "container_cleanup_images", "draft_notebook", "edit_notebook", "generate_unit_tests"),
)
ASKED_OF_SLURM = (
    *("slurm_partition", "slurm_account", "runtime", "mem_mb", "mem_mb_per_cpu", "gpu", "gres", "nodes", "tasks"),
    *("tasks_per_node", "cpus_per_task", "constraint", "qos", "slurm_extra"),
)


def parse(argv: Sequence[str]) -> Namespace:
    """Return the options of a Snakemake command, those of its profiles included."""
    from snakemake.cli import parse_args

    with contextlib.redirect_stderr(io.StringIO()):  # it names the profiles, as it has done already
        _, args = parse_args(list(argv))
    return args


def runs_jobs(args: Namespace) -> bool:
    """Return whether the command is to run jobs, and not to look or tidy up."""
    afterwards = bool(args.report_after_run)  # then the report is of the run
    return all(getattr(args, name, None) in (None, False) or (name == "report" and afterwards) for name in NO_RUN)


def slurm_resources(args: Namespace) -> dict[str, dict[str, Any]]:
    """Return what the first attempt of each rule that the profile names asks of Slurm, and under "default" the rest."""
    default = _values(args.default_resources or {})
    threads = {rule: _value(given) for rule, given in (args.set_threads or {}).items()}
    rules = {}
    for rule in [*(args.set_resources or {}), *threads]:
        given = (args.set_resources or {}).get(rule, {})
        # The plugin asks for a rule's threads as cores, but where cores go by GPU.
        cores = {"cpus_per_task": threads[rule]} if rule in threads and "cpus_per_gpu" not in given else {}
        rules[rule] = default | cores | _values(given, threads.get(rule) or 1)
    return {"default": default} | rules


def _values(resources: Any, threads: int = 1) -> dict[str, Any]:
    return {name: _value(resources[name], threads) for name in ASKED_OF_SLURM if name in resources}


def _value(resource: Any, threads: int = 1) -> Any:
    """Return a resource's value at the first attempt, as Snakemake evaluates it."""
    context = {"input": [], "attempt": 1, "threads": threads, "rulename": "", "async_run": None}
    try:
        return resource.evaluate(None, **context).value
    except (WorkflowError, AttributeError, NameError, TypeError, ValueError):  # it depends on the job's input
        return None
