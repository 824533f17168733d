/* CSV files as trees: the roster's, and those that kpictl makes events of. */
#ifndef KPID_CSV_H
#define KPID_CSV_H

#include "yaml_tree.h"

#include "kpid/err.h"

/* CSV (RFC 4180) with a header -> a tree: a list of maps, one a row. Beyond the RFC: a byte order mark and empty lines are
 * skipped, blanks around an unquoted field are dropped, an empty field is as good as absent. NULL after a fault. file:
 * named by every loc, borrowed. */
struct kp_tree *kp_csv_parse(const char *file, const char *bytes, size_t len, struct kp_faults *faults) KP_CHECK;

#endif
