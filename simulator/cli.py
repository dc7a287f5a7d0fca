"""The command line: options, and the exit code. What the verbs do is in simulator/verbs.py.

Exit codes: 0 done, 1 some cells of a sweep failed, 2 the user has to change something (one line on
stderr says what), 130 Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import simulator
from simulator import verbs
from simulator.arguments import address, count, natural, place
from simulator.errors import SimulatorError
from simulator.examples import DESCRIPTION, EXAMPLES, SWEEP_EXAMPLES


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
    commands = parser.add_subparsers(metavar="VERB", required=True)
    _add_run(commands)
    _add_sweep(commands)
    _add_report(commands)
    validate = commands.add_parser("validate", help="check a scenario and print it with all defaults filled in")
    _add_scenario(validate)
    _add_seed(validate)
    validate.set_defaults(verb=verbs.validate)
    schema = commands.add_parser("schema", help="print the JSON Schema of scenario files, or a page about every key")
    schema.add_argument("--markdown", action="store_true", help="the page, as docs/scenario.md")
    schema.set_defaults(verb=verbs.schema)
    return parser


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", type=place, metavar="SCENARIO.yaml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override one key, such as channel.loss.rate='10 %%'; may be given several times",
    )  # fmt: skip


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=natural, metavar="N", help="instead of the scenario's seed")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=place, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the codec runs; default: auto"
    )
    parser.add_argument("--quiet", action="store_true", help="print the results folder and nothing else")


def _add_run(commands: "argparse._SubParsersAction[_Parser]") -> None:
    run = commands.add_parser(
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
        "--pcap", type=place, metavar="FILE", help="write the packets that cross the link, for Wireshark and the like"
    )
    run.add_argument(
        "--pcap-side", choices=("sent", "received"), default="sent",
        help="where on the link the capture sits; default: sent, before anything is lost",
    )  # fmt: skip
    run.set_defaults(verb=verbs.run)


def _add_sweep(commands: "argparse._SubParsersAction[_Parser]") -> None:
    sweep = commands.add_parser(
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
        "--seeds", type=count, metavar="N", help="seeds of each combination: the scenario's and the next"
    )
    sweep.add_argument("--jobs", type=count, default=1, metavar="N", help="processes; default: 1")
    sweep.add_argument(
        "--scheduler", type=address, metavar="ADDRESS", help="a Dask scheduler, whose workers do the work"
    )
    sweep.add_argument(
        "--retries", type=natural, default=1, metavar="N", help="how often a failed cell is tried again; default: 1"
    )
    sweep.add_argument("--fail-fast", action="store_true", help="stop at the first cell that failed for good")
    sweep.add_argument("--pictures", action="store_true", help="keep the pictures of each cell that a run would keep")
    sweep.add_argument("--status", action="store_true", help="say what is done, missing and failed, and do nothing")
    _add_place(sweep)
    sweep.set_defaults(verb=verbs.sweep, kept="what is done is kept; the same command does the rest")


def _add_report(commands: "argparse._SubParsersAction[_Parser]") -> None:
    report = commands.add_parser(
        "report",
        help="make tables, figures and one HTML page of a run or a sweep",
        description="Make tables, figures and one self-contained HTML page from the files of a run or a sweep.\n"
        "Nothing is simulated. docs/reports.md says how each number is computed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("folder", type=place, metavar="RESULTS_DIR", help="the folder that run or sweep printed")
    report.add_argument(
        "--out", type=place, metavar="FILE.html",
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
    report.set_defaults(verb=verbs.report)
