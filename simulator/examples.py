"""What --help says beside the options: what this is, and what to type."""

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
