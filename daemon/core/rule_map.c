#include "rule_map.h"

#include <stdlib.h>
#include <string.h>

enum kp_code kp_rule_map_init(struct kp_rule_map *map, int nrules, struct kp_err *err)
{
    map->nrules = (size_t)nrules;
    map->by_rule = calloc(map->nrules + 1, sizeof(*map->by_rule));
    map->room = calloc(map->nrules + 1, sizeof *map->room);
    return map->by_rule && map->room ? KP_OK : kp_fail(err, KP_ENOMEM, "alerts: out of memory");
}

void kp_rule_map_release(struct kp_rule_map *map)
{
    for (size_t i = 0; map->by_rule && i < map->nrules; i++)
        free(map->by_rule[i]);
    free(map->by_rule);
    free(map->room);
    memset(map, 0, sizeof *map);
}

uint32_t *kp_rule_map_at(struct kp_rule_map *map, int rule, uint32_t i)
{
    if (i >= map->room[rule]) {
        uint32_t room = i + i / 2 + 16;
        uint32_t *grown = realloc(map->by_rule[rule], room * sizeof *grown);

        if (!grown)
            return NULL;
        memset(grown + map->room[rule], 0, (room - map->room[rule]) * sizeof *grown);
        map->by_rule[rule] = grown;
        map->room[rule] = room;
    }
    return &map->by_rule[rule][i];
}

size_t kp_rule_map_bytes(const struct kp_rule_map *map)
{
    size_t bytes = 0;

    for (size_t i = 0; map->room && i < map->nrules; i++)
        bytes += map->room[i] * sizeof(uint32_t);
    return bytes;
}
