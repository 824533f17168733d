/* What panes of then are for those of now: families of a saved image, told by shape, and which cells of now take what of them. See
 * store_image.c for why. */
#ifndef KPID_CORE_PANES_H
#define KPID_CORE_PANES_H

#include "image.h"

enum { KP_PANES_OLDEST_DAYS = 800 };    /* before 1970: what a saved instant may be at the least */
enum kp_pane_kind { KP_PANE_WINDOWS, KP_PANE_GAUGE, KP_PANE_SPAN };    /* of families, as they are saved */

struct kp_pane_feed {               /* a cell of then that a cell of now takes */
    uint8_t kind;
    uint16_t from, to;      /* words */
};

struct kp_pane_goal {               /* a family of now that takes something */
    int family;
    struct kp_pane_feed *feeds;     /* owned */
    int nfeeds;
    uint32_t closed;        /* bit w: window w ends before now, and is read */
};

struct kp_pane_shape {              /* a family of then */
    int dim;                /* of then */
    struct kp_family *grids;    /* owned; by clock of now, with the bounds of now */
    struct kp_cell *cells;  /* owned */
    uint64_t *signs;        /* owned; by cell */
    int ncells, nwords;
    struct kp_pane_goal *goals;     /* owned; room for every family of now */
    int ngoals;
    bool gauge;             /* as its grids */
    bool is_same;           /* its rows can be put in as they are: into goals[0], which is the only one */
};

struct kp_panes {
    struct kp_store *store;
    struct kp_load *load;
    struct kp_image_map *map;
    struct kp_pane_shape *shapes;   /* owned */
    int nshapes;
    int first[KP_DIMS_MAX + 1];     /* by dimension of then: its first shape; then where the last one's end */
    int64_t newest;         /* no row holds a later event */
    uint64_t *words;        /* owned; a row of then */
};

/* Read the families that were saved, with the bounds of now. load->failed: what is wrong with them. */
void kp_panes_load_shapes(struct kp_panes *panes);
/* Find what each cell of now takes of them; panes->map->fed tells which take something. */
void kp_panes_match(struct kp_panes *panes);
void kp_panes_release(struct kp_panes *panes);

#endif
