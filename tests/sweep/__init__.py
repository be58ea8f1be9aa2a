"""Ports between real operators under faults, systematically: each of the messages that a story sends
is lost, loses its answer, or is late, and each operator is killed before, during and after it.

`sweep.py` is the program (`make -C build check-porting-sweep`); `stand.py` runs the operators,
`wire.py` stands between them, `stories.py` has what their holders do, `verdict.py` what must hold
in the end."""
