"""One training on several devices or processes, with the result of one."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from torch import Tensor, distributed, nn

from hypnoflow.config.run_options import Run
from hypnoflow.config.train import Train
from hypnoflow.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """Processes that train one network, one per device.

    Attributes
    ----------
    devices : int
        On each node.
    nodes : int
    started : bool
        Whether `srun` has started them all already.
    """

    devices: int
    nodes: int = 1
    started: bool = False

    @property
    def world(self) -> int:
        """Return the number of processes."""
        return self.devices * self.nodes


def layout(run: Run) -> Layout:
    """Return the tasks of the `srun` that started this process, if there are several; else `run.devices` here.

    Raises
    ------
    ConfigError
        If the nodes have unequal numbers of tasks.
    """
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))  # set by srun only, not in a batch script
    if tasks == 1:
        return Layout(run.devices)
    nodes = int(os.environ["SLURM_STEP_NUM_NODES"])
    if tasks % nodes:
        raise ConfigError(
            f"{tasks} tasks on {nodes} nodes: set tasks_per_node in the profile, so that all have as many"
        )
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(tasks // nodes))  # Lightning asks for it
    return Layout(tasks // nodes, nodes, started=True)


def start(options: Train, run: Run) -> L.Fabric:
    """Return Fabric, with this process among its like.

    The other processes are started here, by running this program again, unless `srun` has started one per device.
    Slurm's own requeueing stays out: the workflow restarts a job, and training goes on.

    Raises
    ------
    ConfigError
        If the batch does not divide into equal shares.
    """
    where = layout(run)
    if options.batch_size % (options.accumulate * where.world):
        raise ConfigError(
            f"train.batch_size {options.batch_size} does not divide into {options.accumulate} parts "
            f"on {where.world} devices"
        )
    environment = SLURMEnvironment(auto_requeue=False) if where.started else LightningEnvironment()
    fabric = L.Fabric(
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[run.device],
        devices=where.devices,
        num_nodes=where.nodes,
        strategy="ddp" if where.world > 1 else "auto",
        precision=options.precision,
        plugins=[environment] if where.world > 1 else [],
    )
    fabric.launch()
    if fabric.global_rank > 0:
        logging.getLogger("hypnoflow").setLevel(logging.WARNING)
    log.info("%d process(es) on %d node(s), %s", fabric.world_size, where.nodes, fabric.device.type)
    return fabric


def computed_with(fabric: L.Fabric) -> dict[str, Any]:
    """Return what decides, beside seed, options and versions, in which order a training's sums are taken.

    Where one of these differs, so may the last bits of a weight, and from there the course of training.
    """
    return {
        "device": fabric.device.type,
        "processes": fabric.world_size,
        "threads": torch.get_num_threads(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "mkl_cbwr": os.environ.get("MKL_CBWR", ""),
    }


def synchronised(model: nn.Module, fabric: L.Fabric) -> nn.Module:
    """Return `model` with batch norm over all processes' windows, so that their number changes rounding only."""
    if fabric.world_size == 1:
        return model
    if fabric.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d):
                setattr(module, name, SharedBatchNorm.of(child))
    return model


class SumOverProcesses(torch.autograd.Function):
    """The sum over all processes; so is its gradient, since each process's loss depends on every summand."""

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm1d):
    """Batch norm over the rows of all processes; torch's own works on GPUs only."""

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> SharedBatchNorm:
        """Return the same layer, with the same parameters and statistics."""
        made = cls(norm.num_features, norm.eps, norm.momentum)
        made.load_state_dict(norm.state_dict())
        return made

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        rows = x.unsqueeze(-1) if x.dim() == 2 else x  # (row, feature, sample)
        n = SumOverProcesses.apply(rows.new_tensor([rows.shape[0] * rows.shape[2]]))
        mean = SumOverProcesses.apply(rows.sum((0, 2))) / n
        centred = rows - mean[:, None]
        variance = SumOverProcesses.apply(centred.square().sum((0, 2))) / n
        with torch.no_grad():
            self._follow(mean, variance * n / (n - 1).clamp(min=1))
        scale = self.weight / (variance + self.eps).sqrt()
        return (centred * scale[:, None] + self.bias[:, None]).view_as(x)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, which evaluation uses, towards this batch's."""
        share = self.momentum if self.momentum is not None else 0.1
        for running, found in ((self.running_mean, mean), (self.running_var, variance)):
            if running is not None:
                running.lerp_(found, share)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


def all_summed(fabric: L.Fabric, values: Tensor) -> Tensor:
    """Return the sum of `values` over all processes."""
    return values if fabric.world_size == 1 else fabric.all_reduce(values, reduce_op="sum")  # type: ignore[return-value]
