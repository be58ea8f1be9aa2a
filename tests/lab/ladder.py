"""The ladder of a call: what both edges logged about it, merged by time, one line per hop."""

from collections import namedtuple

Rung = namedtuple("Rung", "time source target start transport identity")

ARROW_INSIDE, ARROW_TLS = "->", "=>"
UNPROVEN = "-"


def rungs(hops, plan):
    """`hops`: those of both edges. What one edge sent and the other received is one rung; its
    identity says whom each side proved the other to be."""
    names = {operator.letter: operator for operator in plan.operators}
    hops = _with_proofs(sorted(hops, key=lambda hop: hop.time))
    taken = set()
    found = []
    for index, hop in enumerate(hops):
        if index in taken:
            continue
        ours = names[hop.edge]
        edge = f"edge {ours.letter.upper()}"
        if hop.side == "inside":
            ends = (ours.user, edge) if hop.way == "recv" else (edge, ours.user)
            found.append(Rung(hop.time, *ends, hop.start, hop.transport, "inside"))
            continue
        other = f"edge {plan.other(ours).letter.upper()}"
        twin = _twin(hops, index, taken)
        if twin is not None:
            taken.add(twin)
        sent, received = (hop, hops[twin] if twin is not None else None)
        if hop.way == "recv":
            sent, received = received, sent
        ends = (edge, other) if hop.way == "sent" else (other, edge)
        found.append(Rung(hop.time, *ends, hop.start, hop.transport,
                          _identity(sent, received)))
    return found


def _with_proofs(hops):
    """A message handed to a connection that is still being opened is logged before the far side
    proved itself, and leaves only after it did. Who that was, the edge's later lines about the same
    far address tell."""
    proofs = {(hop.edge, hop.remote): hop.peer for hop in hops if hop.peer != UNPROVEN}
    return [hop._replace(peer=proofs.get((hop.edge, hop.remote), UNPROVEN))
            if hop.way == "sent" and hop.peer == UNPROVEN else hop for hop in hops]


def _twin(hops, index, taken):
    """The other end of the same hop between the edges."""
    hop = hops[index]
    for other in range(index + 1, len(hops)):
        candidate = hops[other]
        if other not in taken and candidate.side == "outside" and candidate.edge != hop.edge \
                and candidate.way != hop.way \
                and (candidate.start, candidate.cseq, candidate.call_id) \
                == (hop.start, hop.cseq, hop.call_id):
            return other
    return None


def _identity(sent, received):
    """The receiver proved who sent it, the sender proved who gets it."""
    source = received.peer if received else "?"
    target = sent.peer if sent else "?"
    return f"{source} {ARROW_TLS} {target}"


def proves_both(rung, plan):
    """Is this a hop between the edges on which both proved who they are?"""
    pairs = {f"{operator.domain} {ARROW_TLS} {plan.other(operator).domain}"
             for operator in plan.operators}
    return rung.transport == "tls" and rung.identity in pairs


def lines(found):
    if not found:
        return []
    start = found[0].time
    width = max(len(_short(rung.start)) for rung in found)
    rows = []
    for rung in found:
        offset = (rung.time - start).total_seconds() * 1000
        arrow = ARROW_INSIDE if rung.identity == "inside" else ARROW_TLS
        rows.append(f"{offset:9.1f} ms  {rung.source:6} {arrow} {rung.target:6}  "
                    f"{_short(rung.start):{width}}  {rung.transport:3}  {rung.identity}")
    return rows


def _short(text, limit=44):
    return text if len(text) <= limit else text[:limit - 3] + "..."
