"""The channel, in the order in which a packet meets its parts.

    queue        is there room to wait?          infinite, drop-tail, RED
    codel        the queue that drops at its exit, not at its entrance
    bandwidth    how long does sending take?     infinite, constant, rows, Mahimahi
    outage       is the path up at all?          windows, periodic, random
    loss         does it get through?            none, Bernoulli, trace, rows, bursts
    markov       loss with a memory:             Gilbert-Elliott, four states, continuous time
    repeats      the same for what is sent again
    corruption   with which bits wrong?          bit errors, packet errors
    delay        when does it arrive?            constant, uniform, normal, Pareto, gamma, empirical, trace
    reorder      or does it skip the delay?      netem's gap and percentage
    mishaps      outage, corruption, reorder and copies as a link meets them
    link         all of them behind one SimPy element

    own          models of yours, by import path
    erasure      tokens lost although all packets arrive
    steps        a value that changes in time
    scale        a trace of a bandwidth at another mean
    traces       readers of recorded losses, delays and rates
    fit          from a recorded loss to a Gilbert-Elliott channel

All but the link know no clock: time is an argument, and chance comes by the constructor. docs/channel.md
has them in one table, with keys, formulas and sources.
"""
