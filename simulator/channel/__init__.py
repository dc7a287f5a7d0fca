"""The channel, in the order in which a packet meets its parts.

    queue        is there room to wait?          infinite, drop-tail
    bandwidth    how long does sending take?     infinite, constant
    loss         does it get through?            none, Bernoulli, Gilbert-Elliott
    delay        when does it arrive?            constant, normal, uniform
    link         all four behind one SimPy element

The first four know no clock: time is an argument, and chance comes by the constructor.
"""
