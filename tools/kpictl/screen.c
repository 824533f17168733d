/* The live table: ncurses on a terminal, text elsewhere. */
#include "kpictl.h"

#include "client.h"
#include "identity.h"
#include "board.h"
#include "columns.h"

#include "kpid/zone.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>
#include <zmq.h>

static const char help[] =
    "usage: kpictl top [OPTION]...\n"
    "\n"
    "Everybody's numbers as they move: a leaderboard by one KPI, coloured by what the alerts say of it.\n"
    "\n"
    "  $ kpictl top\n"
    "  $ kpictl top --level team --kpi revenue --window day\n"
    "  $ kpictl top --once | head                    the table as text, once\n"
    "\n"
    "  keys: l L level   k K KPI   w W window   arrows, PgUp, PgDn, Home, End scroll   / find a name   a alerts   q end\n"
    "\n"
    "  --level LEVEL       begin with this level (default: the lowest)\n"
    "  --kpi KPI           ... this KPI (default: the first)\n"
    "  --window W          ... this window (default: the KPI's first)\n"
    "  --once              print it once, as is done when the output is no terminal\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "Exit status: 0 well, 1 no answer (with --once), 2 wrong use.\n";

enum { COLUMN = 12, RANK = 4, NAME_WIDTH = 22, PARENT_WIDTH = 12, NAME_LEAST = 4, LOOK_MS = 5000, PROBE_MS = 250 };
enum { COLOR_OK = 1, COLOR_WARNING, COLOR_CRITICAL, COLOR_HEAD };

struct top {
    const char *level_name, *kpi_name, *window_name;   /* what is to be chosen, NULL: the usual */
    char names[3][BOARD_NAME];  /* what they point to after a reconnection */
    char control[CLIENT_ENDPOINT];
    struct client client;
    void *sub;
    struct board board;
    bool ready;                 /* the board is filled */
    int level, kpi, window, first;
    bool show_alerts, finding;
    char filter[64];
    bool away;                  /* the daemon did not answer of late */
    double uptime_ms;
};

/* ---- The daemon ---- */

static void choose(struct top *top)
{
    struct board *m = &top->board;

    top->level = m->nlevels - 1;
    while (top->level > 0 && m->levels[top->level][0] == '@')
        top->level--;
    for (int i = 0; top->level_name && i < m->nlevels; i++)
        if (strcmp(m->levels[i], top->level_name) == 0)
            top->level = i;
    top->kpi = 0;
    while (top->kpi < m->nkpis - 1 && !board_has(m, top->level, top->kpi))
        top->kpi++;
    for (int i = 0; top->kpi_name && i < m->nkpis; i++)
        if (strcmp(m->kpis[i].name, top->kpi_name) == 0 && board_has(m, top->level, i))
            top->kpi = i;
    top->window = 0;
    for (int i = 0; top->window_name && i < m->kpis[top->kpi].nwindows; i++)
        if (strcmp(m->kpis[top->kpi].windows[i], top->window_name) == 0)
            top->window = i;
}

/* By name, since the configuration that comes next may have fewer of them, or in another order. */
static void remember(struct top *top)
{
    const struct board_kpi *kpi = &top->board.kpis[top->kpi];

    snprintf(top->names[0], BOARD_NAME, "%s", top->board.levels[top->level]);
    snprintf(top->names[1], BOARD_NAME, "%s", kpi->name);
    snprintf(top->names[2], BOARD_NAME, "%s", kpi->windows[top->window]);
    top->level_name = top->names[0];
    top->kpi_name = top->names[1];
    top->window_name = top->names[2];
}

static bool follow(struct top *top, const msgpack_object *config)
{
    char text[CLIENT_ENDPOINT], endpoint[CLIENT_ENDPOINT];
    int linger = 0;

    if (top->sub)
        zmq_close(top->sub);
    top->sub = zmq_socket(top->client.zmq, ZMQ_SUB);
    client_connectable(object_plain(object_get(object_get(config, "endpoints"), "publish"), text, sizeof text), endpoint);
    return top->sub && zmq_setsockopt(top->sub, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
           zmq_setsockopt(top->sub, ZMQ_SUBSCRIBE, "snapshot/", 9) == 0 &&
           zmq_setsockopt(top->sub, ZMQ_SUBSCRIBE, "alert/", 6) == 0 &&
           (!endpoint[0] || identity_connect(top->sub, endpoint) == 0);
}

static enum kp_code ask(struct top *top, const char *op, const char *level, int timeout_ms, msgpack_unpacked *reply,
                        struct kp_err *err)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    enum kp_code code;

    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, level ? 2 : 1);
    pack_text(&packer, "op");
    pack_text(&packer, op);
    if (level) {
        pack_text(&packer, "level");
        pack_text(&packer, level);
    }
    code = client_ask(&top->client, &buffer, timeout_ms, reply, err);
    msgpack_sbuffer_destroy(&buffer);
    return code;
}

static bool read_config(struct top *top, const msgpack_object *config)
{
    if (top->ready)
        remember(top);
    top->ready = false;
    board_release(&top->board);
    if (!board_init(&top->board, config) || !follow(top, config))
        return false;
    choose(top);
    return true;
}

/* Follow first and ask then, so that nothing falls between. Only the level on show is asked for, which is there at once:
 * the others come with what is published to a new subscriber. */
static bool connect_to(struct top *top, int timeout_ms, struct kp_err *err)
{
    static const char *const asks[][2] = {{"get", "snapshots"}, {"alerts", "alerts"}};
    msgpack_unpacked reply;
    bool ok = ask(top, "config", NULL, timeout_ms, &reply, err) == KP_OK;

    if (ok) {
        ok = read_config(top, &reply.data);
        if (!ok)
            kp_fail(err, KP_EIO, "%s: its configuration can't be read", top->control);
    }
    msgpack_unpacked_destroy(&reply);
    for (size_t a = 0; ok && a < 2; a++) {
        const msgpack_object *list;

        ok = ask(top, asks[a][0], a == 0 ? top->board.levels[top->level] : NULL, CLIENT_TIMEOUT_MS, &reply, err) == KP_OK;
        list = ok ? object_get(&reply.data, asks[a][1]) : NULL;
        for (size_t i = 0; i < object_count(list); i++)
            /* NOLINTNEXTLINE: nothing is counted without a list */
            board_take(&top->board, &list->via.array.ptr[i]);
        msgpack_unpacked_destroy(&reply);
    }
    top->ready |= ok;
    top->uptime_ms = 0;
    return ok;
}

/* Is it still there? One that was started again meanwhile is asked for everything anew. A floor where nothing happens
 * publishes nothing, so silence alone tells nothing. */
static void look_after(struct top *top)
{
    msgpack_unpacked reply;
    struct kp_err err;
    double uptime = 0, time = 0;
    bool up = true;

    if (top->ready) {
        up = ask(top, "status", NULL, PROBE_MS, &reply, &err) == KP_OK;
        if (up) {
            object_number(object_get(&reply.data, "uptime_ms"), &uptime);
            object_number(object_get(&reply.data, "time"), &time);
            top->board.time_ms = (int64_t)time;
        }
        msgpack_unpacked_destroy(&reply);
    }
    if (up && (!top->ready || uptime < top->uptime_ms))
        up = connect_to(top, PROBE_MS, &err);
    top->uptime_ms = up ? uptime : top->uptime_ms;
    top->away = !up;
}

static void take_messages(struct top *top)
{
    for (int n = 0; n < 10000; n++) {
        msgpack_unpacked item;
        zmq_msg_t msg;

        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, top->sub, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return;
        }
        while (zmq_msg_more(&msg) && zmq_msg_recv(&msg, top->sub, ZMQ_DONTWAIT) >= 0)
            ;
        msgpack_unpacked_init(&item);
        if (object_parse(zmq_msg_data(&msg), zmq_msg_size(&msg), &item))
            board_take(&top->board, &item.data);
        msgpack_unpacked_destroy(&item);
        zmq_msg_close(&msg);
    }
}

/* ---- Text ---- */

struct column {
    int kpi, window;
};

enum { COLUMNS_MAX = 32 };

struct layout {
    int name, parent;       /* widths; parent 0: left out */
    struct column columns[COLUMNS_MAX];
    int ncolumns;
};

/* The chosen KPI in its windows, the chosen one first, then other KPIs in the chosen window. On a narrow terminal the
 * parent makes room for the number that the table is about, then the name does. */
static struct layout lay_out(const struct top *top, int width, int most)
{
    const struct board *m = &top->board;
    const struct board_kpi *chosen = &m->kpis[top->kpi];
    struct layout lay = {.name = NAME_WIDTH, .parent = PARENT_WIDTH};
    int left = width - 1 - RANK, n = 0, room;       /* the last place of a line stays empty */

    if (left < NAME_WIDTH + 1 + PARENT_WIDTH + COLUMN)
        lay.parent = 0;
    if (left < NAME_WIDTH + COLUMN)
        lay.name = left - COLUMN > NAME_LEAST ? left - COLUMN : NAME_LEAST;
    room = (left - lay.name - (lay.parent ? 1 + lay.parent : 0)) / COLUMN;
    room = room > most ? most : room;
    lay.columns[n++] = (struct column){top->kpi, top->window};
    for (int w = 0; w < chosen->nwindows && n < room; w++)
        if (w != top->window)
            lay.columns[n++] = (struct column){top->kpi, w};
    for (int k = 0; k < m->nkpis && n < room; k++) {
        if (k == top->kpi || !board_has(m, top->level, k))
            continue;
        for (int w = 0; w < m->kpis[k].nwindows; w++)
            if (strcmp(m->kpis[k].windows[w], chosen->windows[top->window]) == 0)
                lay.columns[n++] = (struct column){k, w};
    }
    lay.ncolumns = n;
    return lay;
}

static void head_text(const struct top *top, char *buf, size_t size)
{
    const struct board_kpi *kpi = &top->board.kpis[top->kpi];
    char at[32];

    snprintf(buf, size, "%s  %s by %s%s%s%s, %s", kp_rfc3339_format(top->board.time_ms / 1000 * 1000, at),
             top->board.levels[top->level], kpi->title, kpi->unit[0] ? " (" : "", kpi->unit, kpi->unit[0] ? ")" : "",
             kpi->windows[top->window]);
}

static const char *column_title(const struct top *top, struct column c, char *buf, size_t size)
{
    const struct board_kpi *kpi = &top->board.kpis[c.kpi];

    if (c.kpi == top->kpi)
        snprintf(buf, size, "%s%s", kpi->windows[c.window], c.window == top->window ? "*" : "");
    else
        snprintf(buf, size, "%.*s", COLUMN - 1, kpi->name);
    return buf;
}

/* "12", or "12/40" where there is a target and room for it. */
static const char *cell_text(const struct top *top, struct column c, const struct board_row *row, char *buf, size_t size)
{
    const struct board_kpi *kpi = &top->board.kpis[c.kpi];
    const struct board_cell *cell = &row->cells[kpi->first + c.window];
    char value[40], target[40];

    board_text(kpi, cell->value, value, sizeof value);
    snprintf(buf, size, "%s", value);
    if (!isnan(cell->target) && !isnan(cell->value)) {
        board_text(kpi, cell->target, target, sizeof target);
        if (strlen(value) + strlen(target) + 1 < COLUMN)
            snprintf(buf, size, "%s/%s", value, target);
    }
    return buf;
}

static int print_once(struct top *top)
{
    const struct layout lay = lay_out(top, 160, 9);
    char text[256], buf[256];
    uint32_t *order;
    size_t n = board_sort(&top->board, top->level, top->kpi, top->window, "", &order);

    head_text(top, text, sizeof text);
    puts(text);
    printf("%3s %s %s", "#", columns_fit("name", lay.name, buf, sizeof buf), columns_fit("of", lay.parent, text, sizeof text));
    for (int c = 0; c < lay.ncolumns; c++)
        printf(" %*s", COLUMN - 1, column_title(top, lay.columns[c], text, sizeof text));
    puts("  status");
    for (size_t i = 0; i < n; i++) {
        static const char *const statuses[] = {"", "ok", "warning", "critical"};
        const struct board_row *row = &top->board.rows[order[i]];

        printf("%3zu %s ", i + 1, columns_fit(row->name, lay.name, buf, sizeof buf));
        fputs(columns_fit(row->parent, lay.parent, buf, sizeof buf), stdout);
        for (int c = 0; c < lay.ncolumns; c++)
            printf(" %*s", COLUMN - 1, cell_text(top, lay.columns[c], row, text, sizeof text));
        printf("  %s\n", statuses[row->cells[top->board.kpis[top->kpi].first + top->window].status]);
    }
    for (int i = 0; i < top->board.nalerts; i++)
        printf("%s %s\n", top->board.alerts[i].critical ? "CRITICAL" : "warning ", top->board.alerts[i].text);
    free(order);
    return EXIT_WELL;
}

/* ---- The screen ---- */

static void put_line(int y, int attributes, const char *text)
{
    char buf[2048];

    if (y < 0 || y >= LINES)
        return;
    attron(attributes);
    mvaddstr(y, 0, columns_fit(text, COLS - 1, buf, sizeof buf));
    attroff(attributes);
}

static void draw_row(const struct top *top, int y, size_t rank, const struct board_row *row, const struct layout *lay)
{
    char buf[256], text[64];

    mvprintw(y, 0, "%3zu ", rank);
    addstr(columns_fit(row->name, lay->name, buf, sizeof buf));
    if (lay->parent) {
        addstr(" ");
        addstr(columns_fit(row->parent, lay->parent, buf, sizeof buf));
    }
    for (int c = 0; c < lay->ncolumns; c++) {
        struct column column = lay->columns[c];
        int status = row->cells[top->board.kpis[column.kpi].first + column.window].status;
        int attributes = status ? COLOR_PAIR(status) | (status == 3 ? A_BOLD : 0) : 0;

        attron(attributes);
        printw(" %*s", COLUMN - 1, cell_text(top, column, row, text, sizeof text));
        attroff(attributes);
    }
}

static int draw_alerts(const struct top *top)
{
    int rows = top->show_alerts ? (LINES > 16 ? LINES / 4 : 2) : 0;
    int shown = top->board.nalerts < rows - 1 ? top->board.nalerts : rows - 1;
    int y = LINES - 1 - (rows ? shown + 1 : 0);
    char text[512];

    if (!rows)
        return LINES - 1;
    snprintf(text, sizeof text, "alerts that fire: %d", top->board.nalerts);
    put_line(y, COLOR_PAIR(COLOR_HEAD), text);
    for (int i = 0; i < shown; i++)
        put_line(y + 1 + i, COLOR_PAIR(top->board.alerts[i].critical ? COLOR_CRITICAL : COLOR_WARNING),
                 top->board.alerts[i].text);
    return y;
}

static void draw(struct top *top)
{
    const struct layout lay = lay_out(top, COLS, COLUMNS_MAX);
    int bottom, last;
    char text[CLIENT_ENDPOINT + 256], title[64];
    uint32_t *order;
    size_t n = board_sort(&top->board, top->level, top->kpi, top->window, top->filter, &order);

    erase();
    head_text(top, text, sizeof text);
    put_line(0, A_BOLD, text);
    snprintf(text, sizeof text, "%3s %-*s%s%-*s", "#", lay.name, "name", lay.parent ? " " : "", lay.parent,
             lay.parent ? "of" : "");
    for (int c = 0; c < lay.ncolumns; c++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %*s", COLUMN - 1,
                 column_title(top, lay.columns[c], title, sizeof title));
    put_line(1, COLOR_PAIR(COLOR_HEAD), text);
    bottom = draw_alerts(top);
    last = (int)n > bottom - 2 ? (int)n - (bottom - 2) : 0;
    top->first = top->first > last ? last : top->first;
    for (int y = 2; y < bottom && (size_t)(top->first + y - 2) < n; y++) {
        size_t i = (size_t)(top->first + y - 2);

        draw_row(top, y, i + 1, &top->board.rows[order[i]], &lay);
    }
    if (top->finding)
        snprintf(text, sizeof text, "find: %s_   Enter keeps it, Esc drops it", top->filter);
    else if (top->away)
        snprintf(text, sizeof text, "waiting for %s ...   q end", top->control);
    else
        snprintf(text, sizeof text, "%zu shown%s%s%s   l level  k KPI  w window  / find  a alerts  q end", n,
                 top->board.refused ? " (there are more)" : "", top->filter[0] ? ", like " : "", top->filter);
    put_line(LINES - 1, A_REVERSE, text);
    refresh();
    free(order);
}

static void step(int *value, int by, int count)
{
    *value = (*value + by + count) % count;
}

static void step_kpi(struct top *top, int by)
{
    for (int i = 0; i < top->board.nkpis; i++) {
        step(&top->kpi, by, top->board.nkpis);
        if (board_has(&top->board, top->level, top->kpi))
            break;
    }
}

static void step_level(struct top *top, int by)
{
    step(&top->level, by, top->board.nlevels);
    if (!board_has(&top->board, top->level, top->kpi))
        step_kpi(top, 1);
    top->first = 0;
}

static void take_find_key(struct top *top, int key)
{
    size_t len = strlen(top->filter);

    if (key == '\n' || key == KEY_ENTER || key == 27) {
        top->finding = false;
        if (key == 27)
            top->filter[0] = '\0';
    } else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && len) {
        top->filter[len - 1] = '\0';
    } else if (key >= 32 && key < 256 && key != 127 && len + 1 < sizeof top->filter) {
        top->filter[len] = (char)key;
        top->filter[len + 1] = '\0';
    }
    top->first = 0;
}

/* False: it is to end. */
static bool take_key(struct top *top, int key)
{
    int page = LINES > 4 ? LINES - 4 : 1, window = top->window;

    if (top->finding) {
        take_find_key(top, key);
        return true;
    }
    switch (key) {
    case 'q':
        return false;
    case 'l':
    case 'L':
        step_level(top, key == 'l' ? 1 : -1);
        break;
    case 'k':
    case 'K':
        step_kpi(top, key == 'k' ? 1 : -1);
        break;
    case 'w':
    case 'W':
        step(&top->window, key == 'w' ? 1 : -1, top->board.kpis[top->kpi].nwindows);
        window = top->window;
        break;
    case '/':
        top->finding = true;
        break;
    case 'a':
        top->show_alerts = !top->show_alerts;
        break;
    case KEY_DOWN:
    case KEY_NPAGE:
        top->first += key == KEY_DOWN ? 1 : page;
        break;
    case KEY_UP:
    case KEY_PPAGE:
        top->first -= key == KEY_UP ? 1 : page;
        top->first = top->first < 0 ? 0 : top->first;
        break;
    case KEY_HOME:
        top->first = 0;
        break;
    case KEY_END:
        top->first = BOARD_ROWS_MAX;    /* draw() comes back from there */
        break;
    default:
        break;
    }
    top->window = window < top->board.kpis[top->kpi].nwindows ? window : 0;
    return true;
}

static void show_waiting(const struct top *top)
{
    char text[CLIENT_ENDPOINT + 64];

    erase();
    snprintf(text, sizeof text, "waiting for %s ...   q end", top->control);
    put_line(0, 0, text);
    refresh();
}

static void run_screen(struct top *top)
{
    int64_t due_ms = 0;
    bool going = true;

    while (going && !client_stopped()) {
        zmq_pollitem_t items[2] = {{.fd = STDIN_FILENO, .events = ZMQ_POLLIN}, {.events = ZMQ_POLLIN}};
        int key;

        if (client_steady_ms() >= due_ms) {
            look_after(top);
            due_ms = client_steady_ms() + (top->away ? LOOK_MS / 5 : LOOK_MS);
        }
        items[1].socket = top->sub;
        zmq_poll(items, top->sub ? 2 : 1, 250);
        if (top->sub && (items[1].revents & ZMQ_POLLIN))
            take_messages(top);
        while (going && (key = getch()) != ERR)
            going = top->ready ? take_key(top, key) : key != 'q';
        if (top->ready)
            draw(top);
        else
            show_waiting(top);
    }
}

static void screen(struct top *top)
{
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(COLOR_OK, COLOR_GREEN, -1);
        init_pair(COLOR_WARNING, COLOR_YELLOW, -1);
        init_pair(COLOR_CRITICAL, COLOR_RED, -1);
        init_pair(COLOR_HEAD, COLOR_CYAN, -1);
    }
    run_screen(top);
    endwin();
}

static int parse(int argc, char **argv, struct top *top, const char **control, const char **config, bool *once)
{
    static const struct option longs[] = {
        {"level", 1, NULL, 'l'},   {"kpi", 1, NULL, 'k'},    {"window", 1, NULL, 'w'}, {"once", 0, NULL, 'o'},
        {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'}, {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        if (c == '?')
            return EXIT_WRONG;
        top->level_name = c == 'l' ? optarg : top->level_name;
        top->kpi_name = c == 'k' ? optarg : top->kpi_name;
        top->window_name = c == 'w' ? optarg : top->window_name;
        *control = c == 'c' ? optarg : *control;
        *config = c == 'f' ? optarg : *config;
        *once |= c == 'o';
    }
    return optind < argc ? kpictl_wrong("top", "%s: what is this?", argv[optind]) : EXIT_WELL;
}

static int show_once(struct top *top)
{
    struct kp_err err = {0};
    const struct board_kpi *kpi;

    if (!connect_to(top, CLIENT_TIMEOUT_MS, &err))
        return kpictl_refused("top", &err);
    kpi = &top->board.kpis[top->kpi];
    if (top->level_name && strcmp(top->level_name, top->board.levels[top->level]) != 0)
        return kpictl_wrong("top", "--level %s: the daemon has no such level", top->level_name);
    if (top->kpi_name && strcmp(top->kpi_name, kpi->name) != 0)
        return kpictl_wrong("top", "--kpi %s: no such KPI on the level %s", top->kpi_name, top->board.levels[top->level]);
    if (top->window_name && strcmp(top->window_name, kpi->windows[top->window]) != 0)
        return kpictl_wrong("top", "--window %s: %s has no such window", top->window_name, kpi->name);
    return print_once(top);
}

int kpictl_top(int argc, char **argv)
{
    struct top top = {.show_alerts = true};
    const char *control = NULL, *config = NULL;
    bool once = isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1;
    struct kp_err err = {0};
    int status = parse(argc, argv, &top, &control, &config, &once);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    if (!client_control_endpoint(control, config, top.control))
        return EXIT_WRONG;
    if (client_open(&top.client, top.control, &err))
        return kpictl_failed("top", "%s", err.text);
    client_catch_signals(false);
    if (!once)
        screen(&top);
    else
        status = show_once(&top);
    if (top.sub)
        zmq_close(top.sub);
    client_close(&top.client);
    board_release(&top.board);
    return status;
}
