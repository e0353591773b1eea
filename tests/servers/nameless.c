/* Keeps a program from asking name servers: addresses have no names, names no addresses (LD_PRELOAD). */

#include <netdb.h>
#include <stddef.h>

struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

struct hostent *gethostbyname2(const char *name, int family)
{
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

struct hostent *gethostbyname(const char *name)
{
    return gethostbyname2(name, AF_INET);
}
