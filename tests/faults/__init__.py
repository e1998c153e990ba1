"""Faults, proved on real processes: a server under twistd with its Valkey, devices in a process of their own."""
