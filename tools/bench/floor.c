#include "floor.h"

#include <stdio.h>
#include <string.h>

#include <msgpack.h>

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

struct writer {
    struct floor_event *event;
    msgpack_packer packer;
};

static int write_bytes(void *ctx, const char *bytes, size_t len)
{
    struct floor_event *event = ctx;

    if (event->len + len > FLOOR_EVENT_MAX)
        return -1;
    memcpy(event->bytes + event->len, bytes, len);
    event->len = (uint8_t)(event->len + len);
    return 0;
}

static void put_text(msgpack_packer *p, const char *text)
{
    msgpack_pack_str_with_body(p, text, strlen(text));
}

static void put_pair(msgpack_packer *p, const char *key, const char *value)
{
    put_text(p, key);
    put_text(p, value);
}

static void put_kind(msgpack_packer *p, uint64_t draw)
{
    static const char *const outcomes[] = {"connected", "no_answer", "voicemail", "busy"};
    static const char *const stages[] = {"qualifying", "presenting", "won", "lost"};
    char client[16];

    snprintf(client, sizeof client, "c%05u", (unsigned)(draw >> 20) % 20000);
    switch (draw % 20) {
    default:        /* 12 of 20 */
        put_pair(p, "type", "call");
        put_pair(p, "direction", (draw >> 8) % 4 ? "outbound" : "inbound");
        put_pair(p, "outcome", outcomes[(draw >> 12) % 4]);
        put_text(p, "duration");
        msgpack_pack_uint32(p, (uint32_t)(draw >> 40) % 900);
        put_pair(p, "client", client);
        break;
    case 12: case 13: case 14: case 15: case 16:
        put_pair(p, "type", "email");
        put_pair(p, "direction", (draw >> 8) % 3 ? "outbound" : "inbound");
        put_pair(p, "outcome", (draw >> 12) % 4 ? "sent" : "replied");
        put_pair(p, "campaign", "spring");
        put_pair(p, "client", client);
        break;
    case 17:
        put_pair(p, "type", "lead");
        put_pair(p, "direction", (draw >> 8) % 2 ? "outbound" : "inbound");
        put_pair(p, "lead", client);
        put_pair(p, "channel", "web");
        put_pair(p, "client", client);
        break;
    case 18:
        put_pair(p, "type", "stage");
        put_pair(p, "stage", stages[(draw >> 8) % 4]);
        put_pair(p, "deal", client);
        put_text(p, "amount");
        msgpack_pack_double(p, (double)((draw >> 40) % 1000000) / 100);
        put_pair(p, "client", client);
        break;
    case 19:
        put_pair(p, "type", "cost");
        put_pair(p, "channel", "ads");
        put_pair(p, "campaign", "spring");
        put_text(p, "amount");
        msgpack_pack_double(p, (double)((draw >> 40) % 10000) / 100);
        put_pair(p, "client", client);
        break;
    }
}

/* A map of 9: id, source, time, rep and what is put behind. */
static void start(msgpack_packer *p, struct floor_event *event, uint64_t rep)
{
    char text[16];

    memset(event, 0, sizeof *event);
    msgpack_packer_init(p, event, write_bytes);
    msgpack_pack_map(p, 9);
    put_text(p, "id");
    event->id_at = (uint8_t)(event->len + 1);
    put_text(p, "0000000000000000");
    put_pair(p, "source", "bench");
    put_text(p, "time");
    event->time_at = (uint8_t)(event->len + 1);
    msgpack_pack_fix_uint64(p, 0);
    snprintf(text, sizeof text, "r%07u", (unsigned)rep);
    put_pair(p, "rep", text);
}

void floor_make(struct floor_event *event, uint64_t seed, uint64_t i, uint64_t reps)
{
    uint64_t draw = mix(seed ^ mix(i));
    msgpack_packer p;

    start(&p, event, mix(draw) % reps);
    put_kind(&p, draw);
}

void floor_make_deal(struct floor_event *event, const char *type, uint64_t i, uint64_t reps, uint64_t deals)
{
    uint64_t draw = mix(i), deal = i * UINT64_C(0x9E3779B1) % deals;    /* a prime: no deal twice in a round of all */
    msgpack_packer p;
    char text[16];

    start(&p, event, draw % 8 ? deal % reps : (draw >> 8) % reps);
    put_pair(&p, "type", type);
    snprintf(text, sizeof text, "d%08u", (unsigned)deal);
    put_pair(&p, "deal", text);
    put_pair(&p, "stage", (mix(deal) + i / deals) % 2 ? "won" : "qualifying");
    put_pair(&p, "direction", "outbound");
    put_text(&p, "amount");
    msgpack_pack_uint32(&p, (uint32_t)(draw >> 40) % 100000);
}

size_t floor_put(const struct floor_event *event, uint64_t id, uint64_t time_ms, char *to)
{
    static const char digits[] = "0123456789abcdef";

    memcpy(to, event->bytes, event->len);
    for (int i = 15; i >= 0; i--, id >>= 4)
        to[event->id_at + i] = digits[id & 15];
    for (int i = 7; i >= 0; i--, time_ms >>= 8)
        to[event->time_at + i] = (char)(time_ms & 255);
    return event->len;
}
