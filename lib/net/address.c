/* address.c: see address.h. The ranges: IANA's special-purpose address registries for
 * IPv4 and IPv6 (RFC 6890 and its successors). */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static const struct {
    uint32_t net;
    int bits;
} special[] = {
    {0x00000000, 8},  /* 0/8: this network */
    {0x0a000000, 8},  /* 10/8: private */
    {0x64400000, 10}, /* 100.64/10: shared by carriers */
    {0x7f000000, 8},  /* 127/8: loopback */
    {0xa9fe0000, 16}, /* 169.254/16: link-local, where clouds keep their secrets */
    {0xac100000, 12}, /* 172.16/12: private */
    {0xc0000000, 24}, /* 192.0.0/24: protocol assignments */
    {0xc0000200, 24}, /* 192.0.2/24: documentation */
    {0xc0586300, 24}, /* 192.88.99/24: 6to4 relays, given up */
    {0xc0a80000, 16}, /* 192.168/16: private */
    {0xc6120000, 15}, /* 198.18/15: benchmarks */
    {0xc6336400, 24}, /* 198.51.100/24: documentation */
    {0xcb007100, 24}, /* 203.0.113/24: documentation */
    {0xe0000000, 3},  /* 224/4 multicast, 240/4 reserved, broadcast */
};

static bool public_v4(uint32_t a)
{
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if ((a ^ special[i].net) >> (32 - special[i].bits) == 0)
            return false;
    return true;
}

static uint32_t word(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool public_v6(const uint8_t b[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0)
        return public_v4(word(b + 12));
    if (b[0] >> 5 != 1) /* 2000::/3 is all that is given out */
        return false;
    return !(word(b) >> 9 == 0x20010000 >> 9) && /* 2001::/23: protocols, Teredo */
           word(b) != 0x20010db8 &&              /* 2001:db8::/32: documentation */
           word(b) >> 16 != 0x2002 &&            /* 2002::/16: 6to4, any IPv4 inside */
           word(b) >> 12 != 0x3fff0000 >> 12;    /* 3fff::/20: documentation */
}

bool address_public(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof in);
        return public_v4(ntohl(in.sin_addr.s_addr));
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, a, sizeof in6);
        return public_v6(in6.sin6_addr.s6_addr);
    }
    return false;
}
