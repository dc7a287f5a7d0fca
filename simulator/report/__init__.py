"""Reports: tables, figures and one page from the files of a run or a sweep; nothing is simulated.

    read          a results folder: its tables, its provenance, what is missing
    labels        values of varied keys in words
    schemes       which varied key is loss, rate, clip or method; two schemes that make a pair
    bootstrap     intervals by resampling clips and seeds
    study         results made ready: sums per cell, conditions by units
    estimates     tables: quality, falls, differences, tokens, transport
    style         colours, units, one look; figures to files and to the page
    run_figures   the three figures of a single run
    drawing       a figure with its words
    axes          lines, dots, ticks and legends that figures of estimates share
    curves        quality, differences and tokens against loss; quality against rate
    spread        distributions of delays and freezes
    pictures      kept pictures: a typical and a bad frame, clips to scrub through
    strips        the strip as a figure
    provenance    what made the results: runs, seeds, versions, model
    tables        tables as the page shows them
    page          everything on one HTML page that needs nothing else
    write         the main path: folder to tables, figures and page

Each number is computed in `estimates`, and docs/reports.md says how.
"""

from simulator.report.run_figures import write_figures

__all__ = ["write_figures"]
