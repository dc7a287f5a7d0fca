"""What the verbs of the command line do; each takes parsed arguments and returns the exit code.

Modules are imported where they are needed: --help, and an error in a scenario, wait for nothing.
"""

import argparse
import json
import os
import shlex
import sys

from simulator.summary import late_note, summary_table


def run(arguments: argparse.Namespace) -> int:
    """Simulate one scenario with one seed, and print what came of it."""
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


def sweep(arguments: argparse.Namespace) -> int:
    """Do the missing cells of a sweep, or say how far it is; 1 if some failed."""
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


def report(arguments: argparse.Namespace) -> int:
    """Tables, figures and a page from the files of a run or a sweep."""
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


def validate(arguments: argparse.Namespace) -> int:
    """Print a scenario with its defaults filled in."""
    from simulator import scenario

    wanted = scenario.load(arguments.scenario, arguments.overrides, arguments.seed)
    print(f"# {arguments.scenario} is valid; with its defaults filled in (hash {scenario.scenario_hash(wanted)}):")
    print(scenario.resolved_yaml(wanted), end="")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Print the JSON Schema of scenarios, or the page about every key."""
    from simulator import scenario, scenario_reference

    if arguments.markdown:
        print(scenario_reference.markdown(scenario.schema()), end="")
    else:
        print(json.dumps(scenario.schema(), indent=2))
    return 0


def command_line() -> str:
    """How this process was started, for provenance."""
    return shlex.join(["python", "-m", "simulator", *sys.argv[1:]])
