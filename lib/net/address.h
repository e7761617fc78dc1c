/* address.h: which network addresses belong to everybody. */
#ifndef ADDRESS_H
#define ADDRESS_H
#include <stdbool.h>
#include <sys/socket.h>

/* Is this a public unicast address of IPv4 or IPv6? Not so: private, loopback,
 * link-local, shared, multicast, reserved and documentation ranges (the registries of
 * RFC 6890), an IPv6 address that stands for such an IPv4 one, and other families. */
bool address_public(const struct sockaddr *a);
#endif
