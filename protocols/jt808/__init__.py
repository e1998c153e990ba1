"""JT/T 808, the protocol of vehicle terminals, in its 2011, 2013 and 2019 forms; modelled on public sources.

Bytes: framing.py, header.py, fragments.py. Meaning: messages.py, positions.py, items.py, bcd.py.
"""
