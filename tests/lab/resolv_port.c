/* For a program that asks the system's resolver, which knows port 53 only: loaded before the C
 * library, it makes res_init take the name server from $LAB_NAMESERVER, "ADDRESS PORT". */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

#undef res_init
int __res_init(void);

int __res_init(void)
{
    const char *text = getenv("LAB_NAMESERVER");
    char address[INET_ADDRSTRLEN];
    unsigned short port;
    struct in_addr ip;
    if (res_ninit(&_res) != 0 || !text || sscanf(text, "%15s %hu", address, &port) != 2 ||
        inet_pton(AF_INET, address, &ip) != 1)
        return -1;
    _res.nscount = 1;
    _res.nsaddr_list[0] =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip};
    return 0;
}
