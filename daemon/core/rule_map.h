/* By rule and by a small integer (a node, an entity): another small integer, 0 where there is none. 4 bytes for each integer
 * up to the largest that was asked for, of each rule that was. */
#ifndef KPID_CORE_RULE_MAP_H
#define KPID_CORE_RULE_MAP_H

#include "kpid/err.h"

#include <stddef.h>
#include <stdint.h>

struct kp_rule_map {
    uint32_t **by_rule;     /* owned */
    uint32_t *room;         /* owned; by rule */
    size_t nrules;
};

enum kp_code kp_rule_map_init(struct kp_rule_map *map, int nrules, struct kp_err *err) KP_CHECK;
void kp_rule_map_release(struct kp_rule_map *map);

/* Its place, made if it is new; NULL: memory is out. */
uint32_t *kp_rule_map_at(struct kp_rule_map *map, int rule, uint32_t i);
size_t kp_rule_map_bytes(const struct kp_rule_map *map);

#endif
