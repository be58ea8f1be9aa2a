/* Telling the service manager how we are, by the protocol of sd_notify(3). */
#ifndef JUNCTOR_TOOLS_NOTIFY_H
#define JUNCTOR_TOOLS_NOTIFY_H

/* Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names; without one, or where
 * nobody listens there, nothing happens: no manager is nobody's fault. Does not block. */
void notify_send(const char *state);

#endif
