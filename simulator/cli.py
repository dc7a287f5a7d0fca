"""The command line: parse, call, print, exit code. What the verbs do is in the modules they call.

Exit codes: 0 done, 2 the user has to change something (one line on stderr says what), 130 Ctrl-C.
"""

import argparse
import json
import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import simulator
from simulator.errors import SimulatorError

DESCRIPTION = """\
Simulate a video call whose frames are learned tokens: encode, cut into packets, lose some of them,
conceal what is missing, and measure what a viewer sees.

A scenario file says everything that decides a run. The seed says which packets are unlucky: the same
scenario and seed give the same tables, byte for byte."""

EXAMPLES = """\
examples:
  python -m simulator run scenarios/lossy_20pct.yaml
      20 % packet loss on built-in photographs; tables, pictures and figures go to results/
  python -m simulator run scenarios/lossy_20pct.yaml --set channel.loss.rate='5 %' --seed 7
      the same with less loss and other luck
  python -m simulator run scenarios/bursty_wifi.yaml --set codec.name=toy \\
                          --set concealment.method=neighbour_mean
      without a neural network: the toy codec, in seconds
  python -m simulator run scenarios/lossy_20pct.yaml --set source.frames=my_photos/ --set source.count=10
      your own pictures, by name (a folder, a glob, or a video file)
  python -m simulator validate my_scenario.yaml
      is it a valid scenario, and what do its defaults come to?
  python -m simulator schema > scenarios/scenario.schema.json
      JSON Schema, for completion and checks in an editor"""

# What is printed after a run: column of summary.csv, words, format
SUMMARY = (
    ("loss_rate", "packets lost", "{:.1%}"),
    ("loss_rate_after_repair", "packets of no use at the deadline", "{:.1%}"),
    ("mean_burst", "mean run of losses", "{:.2f} packets"),
    ("delay_ms_p50", "delay, median", "{:.1f} ms"),
    ("delay_ms_p95", "delay, 95th percentile", "{:.1f} ms"),
    ("rendered_fps", "frames shown", "{:.2f} a second"),
    ("freeze_ratio", "frames frozen", "{:.1%}"),
    ("freeze_s", "frozen for long (W3C freezes)", "{:.2f} s"),
    ("goodput_kbps", "payload in time", "{:.1f} kbit/s"),
    ("overhead", "headers and repair / payload", "{:.1%}"),
    ("bpp", "bits a pixel on the wire", "{:.4f}"),
    ("tokens_missing_share", "tokens missing", "{:.1%}"),
    ("tokens_correct_share", "of these guessed exactly", "{:.1%}"),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, like every other error of this program."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; default: those of the process.

    Returns:
        The exit code: 0 done, 2 for whatever the user can mend, 130 for Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.verb(arguments)
        sys.stdout.flush()
        return code
    except SimulatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `... schema | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m simulator",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vqstream {simulator.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_run(verbs)
    validate = verbs.add_parser("validate", help="check a scenario and print it with all defaults filled in")
    _add_scenario(validate)
    validate.set_defaults(verb=_validate)
    schema = verbs.add_parser("schema", help="print the JSON Schema of scenario files, or a page about every key")
    schema.add_argument("--markdown", action="store_true", help="the page, as docs/scenario.md")
    schema.set_defaults(verb=_schema)
    return parser


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", type=Path, metavar="SCENARIO.yaml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override one key, such as channel.loss.rate='10 %%'; may be given several times",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the scenario's seed")


def _add_run(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    run = verbs.add_parser(
        "run",
        help="simulate one scenario with one seed",
        description="Simulate one scenario with one seed. Results go to a new folder\n"
        "OUT/<scenario name>/<hash of the scenario>-s<seed>/; an older one is never overwritten.",
        epilog=EXAMPLES.split("  python -m simulator validate")[0].rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_scenario(run)
    run.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    run.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the codec runs; default: auto"
    )
    run.add_argument(
        "--pcap", type=Path, metavar="FILE", help="write the packets that cross the link, for Wireshark and the like"
    )
    run.add_argument(
        "--pcap-side", choices=("sent", "received"), default="sent",
        help="where on the link the capture sits; default: sent, before anything is lost",
    )  # fmt: skip
    run.add_argument("--quiet", action="store_true", help="print the results folder and nothing else")
    run.set_defaults(verb=_run)


def _run(arguments: argparse.Namespace) -> int:
    from simulator import pcap, progress, run, scenario

    capture = None if arguments.pcap is None else pcap.Capture(arguments.pcap, arguments.pcap_side)
    wanted = scenario.load(arguments.scenario, arguments.overrides, arguments.seed)
    show = progress.silent if arguments.quiet else progress.Progress()
    try:
        done = run.run(wanted, arguments.out, arguments.device, show, command_line(), capture)
    finally:
        if isinstance(show, progress.Progress):
            show.close()
    if arguments.quiet:
        print(done.folder)
        return 0
    print(f"\n{wanted.name}, seed {wanted.seed}, codec {wanted.codec.name}\n")
    print(summary_table(done.summary))
    print(f"\ntables, provenance  {done.folder}{os.sep}")
    if capture is not None:
        print(f"packets, pcap       {capture.path}")
    print(f"pictures            {done.folder / 'frames'}{os.sep}")
    for figure in sorted((done.folder / "figures").glob("*.png")):
        print(f"figure              {figure}")
    return 0


def summary_table(summary: dict[str, float]) -> str:
    """The summary in words, and quality as one row a metric: lossless, with holes, concealed.

    Args:
        summary: A row of summary.csv.
    """
    rows = [
        (words, "none" if math.isnan(summary[key]) else form.format(summary[key]))
        for key, words, form in SUMMARY
        if key in summary
    ]
    lines = [f"  {words:<36}{value:>16}" for words, value in rows]
    lines += ["", f"  {'quality, mean':<24}{'nothing lost':>14}{'with holes':>14}{'concealed':>14}"]
    for key in summary:
        metric = key.removesuffix("_lossless_mean")
        if metric != key:
            three = (f"{metric}_lossless_mean", f"{metric}_holes_mean", f"{metric}_mean")
            lines.append(f"  {metric:<24}" + "".join(f"{summary.get(k, math.nan):>14.4g}" for k in three))
    return "\n".join(lines)


def command_line() -> str:
    """How this process was started, for provenance."""
    return shlex.join(["python", "-m", "simulator", *sys.argv[1:]])


def _validate(arguments: argparse.Namespace) -> int:
    from simulator import scenario

    wanted = scenario.load(arguments.scenario, arguments.overrides, arguments.seed)
    print(f"# {arguments.scenario} is valid; with its defaults filled in (hash {scenario.scenario_hash(wanted)}):")
    print(scenario.resolved_yaml(wanted), end="")
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from simulator import scenario, scenario_reference

    if arguments.markdown:
        print(scenario_reference.markdown(scenario.schema()), end="")
    else:
        print(json.dumps(scenario.schema(), indent=2))
    return 0
