/* Threads that wait for something of their own, all woken at once: one system call for however many
 * there are, where a condition variable each would cost one per thread, and a common one would set
 * them against each other for its mutex.
 *
 *     unsigned seen;
 *     while (seen = gate_look(gate), !mine_is_done)
 *         gate_wait(gate, seen);
 *
 * Whoever makes things done calls gate_open after. Any thread may call these. */
#ifndef JUNCTOR_BASE_GATE_H
#define JUNCTOR_BASE_GATE_H

#include <stdatomic.h>

struct gate {
    atomic_uint opened; /* how often; zero is a new gate */
};

/* To be called before looking whether there is something to wait for. */
static inline unsigned gate_look(struct gate *gate)
{
    return atomic_load(&gate->opened);
}

/* Returns when the gate was opened after `seen` was looked at, or without a reason. */
void gate_wait(struct gate *gate, unsigned seen);
void gate_open(struct gate *gate);

#endif
