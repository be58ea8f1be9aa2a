"""The lab: two operators on loopback addresses, made of real programs.

Knot DNS answers for opa.example and opb.example (signed), unbound validates them, a junctord edge
stands in front of each operator, and a phone (baresip, or a scripted SIP user agent) is each
operator's core. Everything lives in one temporary directory and ends with it.

    with Lab(Plan()) as lab:
        lab.start()
        call = lab.alice.dial("sip:bob@opb.example")

`./quickstart` shows a call with it, `tests/integration` tests with it. Only the standard library is
used, so both run on a bare machine.
"""
