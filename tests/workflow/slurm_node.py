"""A small Slurm on loopback, without systemd, accounting or cgroups: started for the tests, stopped after them.

It has one node, or several that share this machine.

``python slurm_node.py FOLDER`` starts one by hand and prints the line that lets the Slurm commands of a shell find it;
SIGINT stops it. Debian's packages slurmctld, slurmd, slurm-client and munge are all it needs.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

COMMANDS = ("srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
NEEDED = ("slurmctld", "slurmd", "munged", *COMMANDS)
START_S = 30.0
SBIN = "/usr/sbin:/sbin"  # where Debian keeps daemons, often not on a user's path

NODE = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory_mb} "
    "Gres=gpu:1 State=UNKNOWN\n"
)
CONFIG = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
GresTypes=gpu
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1
MinJobAge=300
KillWait=2
InactiveLimit=0
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> list[str]:
    """Return the programs of a Slurm node that this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return [name for name in NEEDED if shutil.which(name, path=path) is None]


@dataclass
class SlurmNode:
    """A running one-node cluster.

    Attributes
    ----------
    folder : Path
        Its configuration, state and logs. The path must be short: a socket lies in it.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which sbatch and the others find this cluster."""
        path = f"{self.folder / 'bin'}:{os.environ.get('PATH', '')}:{SBIN}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self, cpus: int = 2, nodes: int = 1) -> SlurmNode:
        """Start the daemons, and return once all nodes take jobs; several nodes are called n1, n2 ...

        Raises
        ------
        RuntimeError
            If it does not within 30 s; with the ends of the logs.
        """
        names = ["localhost"] if nodes == 1 else [f"n{i + 1}" for i in range(nodes)]
        for name in ("state", "munge", *(f"spool.{name}" for name in names)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self._start_munge()
        text = CONFIG.format(
            folder=self.folder,
            user=getpass.getuser(),
            controller_port=_free_port(),
        )
        memory_mb = psutil.virtual_memory().total // 2**20 - 500
        for name in names:
            text += NODE.format(name=name, port=_free_port(), cpus=cpus, memory_mb=memory_mb)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        self._wrap_commands()
        self._spawn("slurmctld", "-D", "-i")
        for name in names:
            self._spawn("slurmd", "-D", "-N", name)
        self._wait_until_idle()
        return self

    def stop(self) -> None:
        """Cancel all jobs and end the daemons."""
        self.call("scancel", "--signal=KILL", f"--user={getpass.getuser()}", check=False)
        for name in ("slurmd", "slurmctld", "munged"):
            for process in _processes(name, self.folder):
                process.terminate()
        _, alive = psutil.wait_procs([p for name in NEEDED for p in _processes(name, self.folder)], timeout=10)
        for process in alive:
            process.kill()

    def call(self, *command: str, check: bool = True) -> str:
        """Return what a Slurm command prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        folder.chmod(0o755)
        places = [f"--key-file={key}", f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"]
        logs = [f"--log-file={folder / 'log'}", f"--seed-file={folder / 'seed'}"]
        # --force: a temporary folder is writable by others further up, which munge would refuse.
        subprocess.run(["munged", "--force", *places, *logs], env=self.environment, check=True, capture_output=True)

    def _wrap_commands(self) -> None:
        """Put commands on the path that know this cluster: inside jobs, Snakemake calls them without SLURM_* variables.

        Another cluster may be named all the same, by SLURM_CONF.
        """
        (self.folder / "bin").mkdir(exist_ok=True)
        for name in COMMANDS:
            script = self.folder / "bin" / name
            real = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
            script.write_text(
                f'#!/bin/sh\nexport SLURM_CONF="${{SLURM_CONF:-{self.folder}/slurm.conf}}"\nexec {real} "$@"\n'
            )
            script.chmod(0o755)

    def _spawn(self, *command: str) -> None:
        output = (self.folder / f"{command[0]}.out").open("a")
        subprocess.Popen(command, env=self.environment, stdout=output, stderr=output, start_new_session=True)

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.call("sinfo", "-h", "-o", "%T", check=False).strip() == "idle":
                return
            time.sleep(0.2)
        logs = {path.name: path.read_text()[-1500:] for path in self.folder.glob("*.log")}
        logs |= {path.name: path.read_text()[-1500:] for path in self.folder.glob("*.out")}
        self.stop()
        raise RuntimeError(f"the Slurm node did not come up in {START_S:.0f} s: {logs}")


@contextmanager
def running_slurm(nodes: int = 1) -> Iterator[SlurmNode]:
    """Yield a Slurm for a test, which is skipped where there is none to be had; in CI it must be there."""
    lacking = missing()
    if lacking:
        assert "CI" not in os.environ, f"in CI Slurm must be there: {lacking}"
        pytest.skip(f"no Slurm here: {', '.join(lacking)} missing")
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:  # short, for the sockets in it
        node = SlurmNode(Path(folder))
        try:
            yield node.start(nodes=nodes)
        finally:
            node.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes(name: str, folder: Path) -> list[psutil.Process]:
    """Return the daemons of this name that belong to the cluster in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = any(str(folder) in word for word in (*process.cmdline(), process.environ().get("SLURM_CONF", "")))
            found += [process] if process.name() == name and ours else []
        except psutil.Error:
            continue
    return found


def main() -> None:
    """Run a node until it is interrupted."""
    node = SlurmNode(Path(sys.argv[1]).resolve()).start()
    print(f"export SLURM_CONF={node.folder}/slurm.conf PATH={node.folder}/bin:$PATH", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        node.stop()


if __name__ == "__main__":
    main()
