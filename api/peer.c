/* Who is at the other end of the Unix socket (unix(7), SO_PEERCRED). */
#include "api/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PEER_MAX_GROUPS 65536 /* NGROUPS_MAX of Linux */

bool api_peer_may_talk(const struct api_peer *peer, uid_t self, gid_t group)
{
    if (peer->uid == 0 || peer->uid == self)
        return true;
    if (group == (gid_t)-1)
        return false;
    if (peer->gid == group)
        return true;
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}

/* The peer's supplementary groups; none where the kernel does not tell them. */
static gid_t *groups_get(int fd, size_t *count)
{
    socklen_t len = 0;
    *count = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
        return NULL;
    if (len > PEER_MAX_GROUPS * sizeof(gid_t))
        return NULL;
    gid_t *groups = malloc(len);
    if (!groups)
        return NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
        free(groups);
        return NULL;
    }
    *count = len / sizeof(gid_t);
    return groups;
}

bool api_socket_may_talk(int fd, gid_t group, uid_t *uid)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return false;
    struct api_peer peer = {.uid = cred.uid, .gid = cred.gid};
    gid_t *groups = group == (gid_t)-1 ? NULL : groups_get(fd, &peer.group_count);
    peer.groups = groups;
    bool may = api_peer_may_talk(&peer, geteuid(), group);
    free(groups);
    *uid = cred.uid;
    return may;
}
