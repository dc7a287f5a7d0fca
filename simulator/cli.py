"""The command line: parse, call, print, exit code. What the verbs do is in the modules they call.

Exit codes: 0 done, 1 some cells of a sweep failed, 2 the user has to change something (one line on
stderr says what), 130 Ctrl-C.
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
  python -m simulator sweep scenarios/lossy_20pct.yaml --vary channel.loss.rate=0,5%,10%,20% --seeds 5
      4 loss rates x 5 seeds; stopped and called again, it does what is missing
  python -m simulator report results/lossy_20pct/3f2a90c1d4e5-s1/
      one page with figures, tables and pictures, from the files of a run or of a sweep
  python -m simulator validate my_scenario.yaml
      is it a valid scenario, and what do its defaults come to?
  python -m simulator schema > scenarios/scenario.schema.json
      JSON Schema, for completion and checks in an editor"""

SWEEP_EXAMPLES = """\
  python -m simulator sweep scenarios/lossy_20pct.yaml --vary channel.loss.rate=0,5%,10%,20% --seeds 5
      4 loss rates x 5 seeds = 20 cells
  python -m simulator sweep scenarios/sweep_loss.yaml --jobs 2
      what the file's own section `sweep` says, in two processes
  python -m simulator sweep scenarios/sweep_loss.yaml --status
      how far it is
  python -m simulator sweep scenarios/sweep_loss.yaml --scheduler tcp://10.0.0.1:8786 --out /shared/results
      on a Dask cluster whose workers see the same folder"""

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
        print(f"\ninterrupted; {getattr(arguments, 'kept', 'nothing was written')}", file=sys.stderr)
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
    _add_sweep(verbs)
    _add_report(verbs)
    validate = verbs.add_parser("validate", help="check a scenario and print it with all defaults filled in")
    _add_scenario(validate)
    _add_seed(validate)
    validate.set_defaults(verb=_validate)
    schema = verbs.add_parser("schema", help="print the JSON Schema of scenario files, or a page about every key")
    schema.add_argument("--markdown", action="store_true", help="the page, as docs/scenario.md")
    schema.set_defaults(verb=_schema)
    return parser


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", type=_place, metavar="SCENARIO.yaml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override one key, such as channel.loss.rate='10 %%'; may be given several times",
    )  # fmt: skip


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_natural, metavar="N", help="instead of the scenario's seed")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=_place, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the codec runs; default: auto"
    )
    parser.add_argument("--quiet", action="store_true", help="print the results folder and nothing else")


def _add_run(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    run = verbs.add_parser(
        "run",
        help="simulate one scenario with one seed",
        description="Simulate one scenario with one seed. Results go to a new folder\n"
        "OUT/<scenario name>/<hash of the scenario>-s<seed>/; an older one is never overwritten.",
        epilog=EXAMPLES.split("  python -m simulator sweep")[0].rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_scenario(run)
    _add_seed(run)
    _add_place(run)
    run.add_argument(
        "--pcap", type=_place, metavar="FILE", help="write the packets that cross the link, for Wireshark and the like"
    )
    run.add_argument(
        "--pcap-side", choices=("sent", "received"), default="sent",
        help="where on the link the capture sits; default: sent, before anything is lost",
    )  # fmt: skip
    run.set_defaults(verb=_run)


def _add_sweep(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    sweep = verbs.add_parser(
        "sweep",
        help="run a scenario with many values and seeds",
        description="Run every combination of the varied keys' values, each with every seed. Results go to\n"
        "OUT/<scenario name>/sweep-<hash>/. Called again, it does what is missing; two at once share the work.",
        epilog=f"examples:\n{SWEEP_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_scenario(sweep)
    sweep.add_argument(
        "--vary", action="append", default=[], metavar="KEY=A,B,...",
        help="values of one key, such as channel.loss.rate=0,5%%,10%%; may be given several times",
    )  # fmt: skip
    sweep.add_argument(
        "--seeds", type=_count, metavar="N", help="seeds of each combination: the scenario's and the next"
    )
    sweep.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes; default: 1")
    sweep.add_argument(
        "--scheduler", type=_address, metavar="ADDRESS", help="a Dask scheduler, whose workers do the work"
    )
    sweep.add_argument(
        "--retries", type=_natural, default=1, metavar="N", help="how often a failed cell is tried again; default: 1"
    )
    sweep.add_argument("--fail-fast", action="store_true", help="stop at the first cell that failed for good")
    sweep.add_argument("--pictures", action="store_true", help="keep the pictures of each cell that a run would keep")
    sweep.add_argument("--status", action="store_true", help="say what is done, missing and failed, and do nothing")
    _add_place(sweep)
    sweep.set_defaults(verb=_sweep, kept="what is done is kept; the same command does the rest")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0, got {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return int(text)


def _place(text: str) -> Path:
    if not text:  # a variable of the shell that is not set; as a path it would mean the working folder
        raise argparse.ArgumentTypeError("must name a file or folder, got ''")
    return Path(text)


def _address(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must be a scheduler's address, got ''. Example: tcp://10.0.0.1:8786")
    return text


def _sweep(arguments: argparse.Namespace) -> int:
    from simulator import progress, sweep, sweep_grid

    grid = sweep_grid.read(arguments.scenario, arguments.overrides, arguments.vary, arguments.seeds, arguments.pictures)
    if arguments.status:
        told = sweep.status(grid, arguments.out)
    else:
        options = sweep.Options(
            arguments.jobs,
            arguments.scheduler,
            arguments.retries,
            arguments.fail_fast,
            arguments.device,
            command_line(),
        )
        show = progress.SweepProgress()
        try:
            told = sweep.sweep(grid, arguments.out, options, (lambda *_: None) if arguments.quiet else show)
        finally:
            show.close()
    if arguments.quiet:
        print(told.folder)
    else:
        print("\n".join(sweep.words(told)))
        print(f"tables  {told.folder}{os.sep}")
    return 1 if told.failed else 0


def _run(arguments: argparse.Namespace) -> int:
    from simulator import pcap, progress, run, scenario

    capture = None if arguments.pcap is None else pcap.capture(arguments.pcap, arguments.pcap_side)
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
    note = late_note(done.summary, wanted.playout.deadline_ns / 1e6)
    if note:
        print(f"note: {note}", file=sys.stderr)
    return 0


def late_note(summary: dict[str, float], deadline_ms: float) -> str:
    """A word for who set a delay and forgot the deadline; empty where most packets can be in time.

    Args:
        summary: A row of summary.csv.
        deadline_ms: Of playout.
    """
    typical_ms = summary["delay_ms_p50"]
    if not typical_ms > deadline_ms:  # or none arrived
        return ""
    return (
        f"most packets came too late: half of them took {typical_ms:.0f} ms or more, and playout.deadline is "
        f"{deadline_ms:g} ms. Raise it, if so late a picture is of use; or look at channel.delay and channel.bandwidth"
    )


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


def _add_report(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    report = verbs.add_parser(
        "report",
        help="make tables, figures and one HTML page of a run or a sweep",
        description="Make tables, figures and one self-contained HTML page from the files of a run or a sweep.\n"
        "Nothing is simulated. docs/reports.md says how each number is computed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("folder", type=_place, metavar="RESULTS_DIR", help="the folder that run or sweep printed")
    report.add_argument(
        "--out", type=_place, metavar="FILE.html",
        help="the page; tables and figures go to FILE_files beside it; default: RESULTS_DIR/report.html",
    )  # fmt: skip
    report.add_argument(
        "--baseline", metavar="KEY=VALUE",
        help="the scheme that others are compared with, such as concealment.method=none; "
        "default: the first value of the first method that varies",
    )  # fmt: skip
    report.add_argument(
        "--fall", action="append", default=[], metavar="METRIC=AMOUNT", dest="falls",
        help="find the loss rate at which quality has fallen by this; may be given several times; "
        "default: psnr_db=1 and squeeze='10 %%'",
    )  # fmt: skip
    report.set_defaults(verb=_report)


def _report(arguments: argparse.Namespace) -> int:
    from simulator.report.estimates import DEFAULT_FALLS, parse_fall
    from simulator.report.write import write_report

    falls = [parse_fall(text) for text in arguments.falls] or DEFAULT_FALLS
    done = write_report(arguments.folder, arguments.out, arguments.baseline, falls)
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"page    {done.page}")
    print(f"tables  {done.files / 'tables'}{os.sep}")
    print(f"figures {done.files / 'figures'}{os.sep}")
    return 0


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
