/* Applying a command: the steps that the operations share. Each operation checks everything first
 * and writes after, so that a refusal leaves the transaction as it was and the batch goes on.
 *
 * An operation returns 0, a status that is an answer to the command (see struct store_verdict), or
 * a failure, after which the transaction is aborted. */
#ifndef JUNCTOR_STORE_APPLY_H
#define JUNCTOR_STORE_APPLY_H

#include "store/internal.h"

struct store_apply {
    const struct store_txn *txn;
    const struct store_command *command;
    struct store_position position; /* its sequence grows with each journal entry */
    uint32_t count;                 /* records changed */
};

typedef int store_apply_h(struct store_apply *apply);

/* The version of a record that is changed now: the sequence of the next journal entry. */
uint64_t store_apply_version(const struct store_apply *apply);
bool store_apply_expects(const struct store_apply *apply, uint64_t version);

/* Writes a journal entry and counts it: fills sequence, time and actor of the change. */
int store_apply_journal(struct store_apply *apply, struct store_change *change);

/* A record that comes, changes or goes, with its indexes and its journal entry. `after` has its
 * version already. */
int store_apply_write(struct store_apply *apply, enum store_op op, enum store_kind kind,
                      const void *before, const void *after);

/* ---- rules that a bulk load asks too ---- */

/* 0 where a domain may be added; STATUS_EXISTS; STATUS_INUSE where there are addresses of it, which
 * have states of a foreign domain. */
int store_domain_check_new(const struct store_txn *txn, const char *name);
/* Is the record's claim about who serves it one that we can make? 0, STATUS_MALFORMED,
 * STATUS_NOTFOUND. See enum store_address_state. */
int store_record_check_home(const struct store_txn *txn, const struct store_record *record);
/* Does an alias lead somewhere? 0 (also where it is none), STATUS_LOOP, STATUS_NOTFOUND. */
int store_alias_check(const struct store_txn *txn, const struct store_record *record);

/* Is this refusal an answer to the command? */
bool store_status_is_verdict(int status);

/* apply_records.c */
store_apply_h store_apply_domain_add, store_apply_domain_put, store_apply_domain_del;
store_apply_h store_apply_number_add, store_apply_number_put, store_apply_number_del;
/* The address is gone, or nobody is led on from it any more: was it a number's, that goes too. */
int store_number_forget(struct store_apply *apply, const struct store_address *address);
/* The number of this address, "+digits@zone", leads to `target` from now on. Returns 0,
 * STATUS_MALFORMED (it is no number's) or STATUS_NOTFOUND (nobody has the target). */
int store_number_aim(struct store_apply *apply, const struct store_address *address,
                     const struct store_address *target);
store_apply_h store_apply_peer_add, store_apply_peer_put, store_apply_peer_del;
store_apply_h store_apply_token_add, store_apply_token_del;
store_apply_h store_apply_key_add;

/* apply_addresses.c */
store_apply_h store_apply_address_add, store_apply_address_put, store_apply_address_auth;
store_apply_h store_apply_import, store_apply_undo;

/* apply_release.c */
store_apply_h store_apply_release, store_apply_purge, store_apply_expire;

/* apply_ports.c */
store_apply_h store_apply_port_open, store_apply_port_step;
store_apply_h store_apply_guard_put, store_apply_guard_code;
/* Are they the same request, of the same address? The id alone does not say so: it is known to all
 * three, and any authority can tell of it. */
bool store_port_is_same(const struct store_port *a, const struct store_port *b);
/* What the table knows of this event; STATUS_STATE, with nothing written, where it knows nothing.
 */
int store_port_step(struct store_apply *apply, const struct store_port *before,
                    enum store_port_event event, unsigned by, enum store_port_reason reason);
/* Its deadline is over. */
int store_port_due(struct store_apply *apply, const struct store_port *port);
/* It is not over, but both hosts are to be told again that it waits. A day that was missed is not
 * made up for. */
int store_port_remind(struct store_apply *apply, const struct store_port *before);
/* It has entered its state by a transition with these effects: when that ends, when its reminders
 * come, and whom it owes what. */
void store_port_times_set(struct store_port *port, unsigned effects, uint64_t now_ms);
/* The auth code is good for this gaining domain only; "": for any. */
int store_port_bind_code(struct store_apply *apply, const struct store_address *address,
                         const char *gaining);

/* apply_port_rules.c */
/* The address is released or changes its owner: 0 (what was under way has ended), or
 * STATUS_PORTING, with nothing written: it must stay. */
int store_port_gone(struct store_apply *apply, const struct store_address *address);
/* 0, or STATUS_PORTING: a port of the address is under way, in whatever role. */
int store_port_none_open(const struct store_apply *apply, const struct store_address *address);
/* The same, and no entry here must stay until the port that took the address away cannot be undone
 * any more. */
int store_port_none_holds(const struct store_apply *apply, const struct store_address *address);
/* What protects the address, if anything does, is gone. */
int store_port_guard_drop(struct store_apply *apply, const struct store_address *address);

/* apply_port_hosts.c */
store_apply_h store_apply_port_start, store_apply_port_tell, store_apply_port_paid;
/* The gaining host gives a port up; the authority has the last word. */
int store_port_give_up(struct store_apply *apply, const struct store_port *before,
                       enum store_port_reason reason);
/* The authority was not to be reached for that either: the gaining host is done with it. Should the
 * authority have committed it after all, it tells so when it can, and is obeyed. */
int store_port_let_go(struct store_apply *apply, const struct store_port *before);

/* port_mail.c */
/* Its holder is to be told of it as it is now: owed, if this record of the port is the one that
 * tells him by mail, and there is where to. */
int store_port_owe_mail(const struct store_apply *apply, struct store_port *port);
/* apply_moves.c */
store_apply_h store_apply_domain_move, store_apply_domain_clear;
/* STATUS_FROZEN where the command would change an address of a domain that leaves or is gone: what
 * was copied would not be what is here. */
int store_move_check_frozen(const struct store_apply *apply);

/* apply_local.c */
store_apply_h store_apply_journal_trim; /* of the log, but what it does to cursors is local */
store_apply_h store_apply_cursor_put, store_apply_cursor_del, store_apply_usage_add;

#endif
