"""vqstream: a streaming simulator for learned VQ codecs.

A frame becomes tokens, tokens become packets, packets cross a lossy channel in simulated time, holes
are concealed, and every step leaves a row in a table. The modules, in the order of the data:

    cli              run | validate | schema: parse, call, print, exit code
    progress         how far a run is, on stderr
    scenario         what decides a run: frozen models, read strictly from YAML
    scenario_channel its channel section, and in it
    scenario_loss    the models of loss
    scenario_path    the models of delay, bandwidth and queue
    presets          whole channels by name, with their sources
    scenario_values  quantities with units, rows
    scenario_codec   its sections codec and concealment
    scenario_file    the file, the files it extends, the overrides
    scenario_problems what is wrong with it, in words, with file and line
    strict_yaml      YAML 1.2 to values that know their line
    run              one scenario, one seed: network pass, codec pass, results
    results          the results folder: whole or not at all, never over an older one
    frames           where frames come from: photographs with a virtual camera, a folder, a video
    media            Slice, the MediaCodec protocol, ToyCodec
    media_loader     a codec by its name
    vq_media         the learned codec behind the protocol; the one module that imports `codec`
    jpeg_media       JPEG by restart markers: slices decode alone
    pillow_media     WebP, AVIF, JPEG 2000: a frame decodes whole or not at all
    video_media      H.264, VP9, AV1: a frame needs those before it
    fragments        a compressed frame cut into packets and put together
    session          PASS 1, the network: builds the elements, runs the clock, returns records
    sender           frame clock, packets onto the link
    packetizer       slices to packets and back
    packet           a packet and its header, to bytes and back
    journey          what becomes of a packet, and the proof that none was forgotten
    channel          the models of a channel, and the link that strings them together
    channel.queue    how much waits before the bottleneck
    channel.bandwidth how fast it sends
    channel.loss     which packets vanish
    channel.delay    how long the others take
    channel.link     queue and bandwidth, then loss and other mishaps, then delay
    receiver         arrivals
    playout          which slices count for which frame
    playback         PASS 2, the codec: what arrived to pictures and their quality
    records          the rows of the tables, and their files
    metrics          one line of numbers for a run
    report           figures from the files of a run
    streams          (seed, purpose) to random numbers
    units            people's units to nanoseconds, bits a second and shares
    errors           what a user can do wrong
"""

__version__ = "0.1.0"
