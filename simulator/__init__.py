"""vqstream: a streaming simulator for learned VQ codecs.

A frame becomes tokens, tokens become packets, packets cross a lossy channel in simulated time, holes
are concealed, and every step leaves a row in a table. The modules, in the order of the data:

    cli              run | sweep | report | validate | schema: options, exit code
    arguments        words of the command line to values
    examples         what --help shows to type
    verbs            what they do
    summary          what a run prints in the end
    progress         how far a run is, on stderr
    scenario         what decides a run: frozen models, read strictly from YAML
    scenario_channel its channel section, and in it
    scenario_loss    the models of loss
    scenario_path    the models of delay, bandwidth and queue
    scenario_own     and models of the user's own
    presets          whole channels by name, with their sources
    scenario_values  quantities with units, rows
    scenario_protection its protection section: parity and requests
    scenario_rate    its rate_control section: who chooses the rate
    scenario_playout its playout and pacing sections: when packets leave, and when frames are shown
    scenario_codec   its sections codec and concealment
    scenario_codec_options what each codec takes
    scenario_file    the file, the files it extends, the overrides
    scenario_paths   where the files are that it names
    scenario_problems what is wrong with it, in words, with file and line
    scenario_reference the page about every key, docs/scenario.md
    strict_yaml      YAML 1.2 to values that know their line
    sweep            many runs: what is missing is claimed, done, and put into tables
    sweep_grid       the varied keys' values and the seeds as a list of cells
    sweep_pool       who does the work: this process, several, or a Dask cluster
    sweep_claims     who is at work on which cell
    sweep_work       what a worker does: cells of one film share all they can
    sweep_store      the folder of a sweep, and its tables
    run              one scenario, one seed: network pass, codec pass, results
    run_files        what it leaves: tables, pictures, what made them
    results          the results folder: whole or not at all, never over an older one
    frames           where frames come from: photographs with a virtual camera, a folder, a video
    pictures         a file of any kind of picture to 8-bit RGB
    media            Slice, the MediaCodec protocol
    blocks           the colours of blocks, and unknown ones filled from neighbours
    toy_media        the toy behind the protocol, in pure numpy
    importance       what it costs to lose a slice, for parity that protects unequally
    toy_slices       the toy's slices as bytes
    encodings        encoded frames, made when asked for and kept
    media_loader     a codec by its name
    own_code         code of the user's: found before the work, known by its hash
    by_path          a class by its import path
    vq_media         the learned codec behind the protocol; the one module that imports `codec`
    jpeg_media       JPEG by restart markers: slices decode alone
    pillow_media     WebP, AVIF, JPEG 2000: a frame decodes whole or not at all
    video_media      H.264, VP9, AV1: a frame needs those before it
    fragments        a compressed frame cut into packets and put together
    session          PASS 1, the network: builds the elements, runs the clock, returns records
    clock            SimPy's clock in ns, with a calendar for packets beside its heap
    sender           frame clock, packets onto the link, repeats on request
    pacing           the packets of a frame, spread over time
    rate_loop        feedback in, bits a pixel for the next frame out
    rate             who decides how many bits a second: nobody, rate_gcc, rate_oracle
    rate_gcc         by the growth of delay and by loss
    rate_delay       whether the delay grows
    rate_aimd        up by little, down by much
    rate_window      pushed back while too much is under way
    rate_oracle      by the channel's own bandwidth, ahead of time
    rate_budget      bits a second to bits a pixel, frame by frame
    packetizer       slices to packets and back, interleaved over frames
    packet           a packet and its header, to bytes and back
    fec              media packets to parity, and missing ones back
    fec_code         the code they do it by: XOR and Reed-Solomon
    fec_packet       a parity packet and its headers, to bytes and back
    gf256            the arithmetic of Reed-Solomon
    retransmit       what may be asked for again, and the repeat of it
    ledger           the books: what is final goes out and is forgotten
    journey          what becomes of a packet, and the proof that none was forgotten
    delivery         what the network made of one frame
    channel          the models of a channel, and the link that strings them together
    channel.queue    how much waits before the bottleneck
    channel.codel    the queue that drops at its exit
    channel.bandwidth how fast it sends
    channel.outage   whether the path is up at all
    channel.loss     which packets vanish
    channel.markov   losses with a memory
    channel.repeats  what befalls packets sent again, apart from the others
    channel.mishaps  what may befall a packet besides loss and delay:
    channel.corruption which bits arrive wrong
    channel.delay    how long the others take
    channel.reorder  which packets skip the delay
    channel.own      models of the user's, by import path
    channel.erasure  tokens lost although all packets arrive
    channel.steps    a value that changes in time
    channel.scale    a recorded line at another mean, from another place
    channel.traces   readers of recorded losses, delays and rates
    channel.fit      from a recorded loss to a Gilbert-Elliott channel
    channel.link     queue and bandwidth, then loss and other mishaps, then delay
    receiver         arrivals; asks for what is missing, and rebuilds it
    nack             requests: who is missing, whether asking is of use, their bytes
    feedback         the way back
    congestion_feedback what arrived and when, for the rate: RFC 8888
    playout          which slices count for which frame
    playout_delay    how long a frame waits for them: fixed, or as delays ask
    playback         PASS 2, the codec: what arrived to pictures and their quality
    pcap             packets as a capture file
    records          the rows of the tables, and their files
    metrics          one line of numbers for a run
    freezes          when the picture stood still, by the W3C's rule
    burst_gap        losses in bursts and gaps, by RFC 3611
    report           tables, figures and a page, from the files of a run or a sweep
    report.read      a results folder: its tables, its provenance, what is missing
    report.schemes   which varied key is loss, rate, clip or method; two schemes that make a pair
    report.labels    values of a varied key in words
    report.bootstrap intervals by resampling clips and seeds
    report.study     results made ready: sums per cell, conditions by units
    report.estimates tables: quality, falls, differences, tokens, transport
    report.style     colours, units, one look; figures to files and to the page
    report.run_figures the three figures of a single run
    report.drawing   a figure with its words
    report.axes      lines, dots, ticks, legends
    report.curves    quality, differences and tokens against loss; quality against rate
    report.spread    distributions of delays and freezes
    report.pictures  kept pictures: a typical and a bad frame, clips to scrub through
    report.strips    the strip as a figure
    report.provenance what made the results: runs, seeds, versions, model
    report.tables    tables as the page shows them
    report.page      everything on one HTML page that needs nothing else
    report.write     the main path: folder to tables, figures and page
    streams          (seed, purpose) to random numbers
    units            people's units to nanoseconds, bits a second and shares
    errors           what a user can do wrong
"""

__version__ = "0.1.0"
