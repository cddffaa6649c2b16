"""Two groups of verbs that are no stages: what networks there are, and the weights that others published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hypnoflow.facts import terminal as t

weights = typer.Typer(help="The weights that AnySleep's authors published.", no_args_is_help=True)
networks = typer.Typer(help="The networks that can be trained.", no_args_is_help=True)


@weights.command("list")
def weights_list() -> None:
    """Name the published weights, their networks and sizes, and where those that are here lie."""
    from hypnoflow.checkpoints.release import lines

    typer.echo("\n".join(lines()))


@weights.command("get")
def weights_get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of `weights list`.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to copy them to, besides the cache.")] = None,
) -> None:
    """Download published weights into the cache, and print where each file is."""
    from hypnoflow.checkpoints.release import get

    for path in get(names, out):
        typer.echo(path)


@networks.command("list")
def models_list() -> None:
    """Name the networks: what they read, how fine they score, where they come from."""
    from hypnoflow.look.networks import list_networks

    typer.echo("\n".join(list_networks()))


@networks.command("describe")
def models_describe(name: str, option: t.NetworkOptions = None) -> None:
    """Say what a network is: parameters, operations by each convention, input, options, source."""
    from hypnoflow.look.networks import describe_network

    typer.echo("\n".join(describe_network(name, option or [])))


@networks.command("export")
def models_export(
    checkpoint: Annotated[str, typer.Argument(help="Checkpoint, or name of `weights list`.")],
    out: t.Out,
    steps: Annotated[int, typer.Option(help="Predictions per 30 s.", min=1)] = 1,
    channels: Annotated[int | None, typer.Option(help="Channels, where any number will do.", min=1)] = None,
) -> None:
    """Write a network at one resolution as ONNX."""
    from hypnoflow.checkpoints.onnx import export_onnx

    export_onnx(checkpoint, t.named(out, ".onnx", "an ONNX file"), steps, channels)
