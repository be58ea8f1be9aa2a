/* HTTP, as libmicrohttpd speaks it: the only file of this folder that includes microhttpd.h is
 * http.c. */
#ifndef JUNCTOR_API_HTTP_H
#define JUNCTOR_API_HTTP_H

#include "api/internal.h"

/* Serves the listening socket `fd`, which is libmicrohttpd's from now on, on failure too. Returns 0
 * or -ENOMEM. */
int api_http_start(struct api *api, const struct api_conf *conf, int fd);
/* Ends the requests under way and closes the socket. Accepts an API that does not serve. */
void api_http_stop(struct api *api);

#endif
