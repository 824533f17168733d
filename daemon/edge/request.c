#include "request.h"

#include "kpid/event.h"
#include "kpid/zone.h"

#include <stdlib.h>
#include <string.h>

#include <msgpack.h>
#include <yajl/yajl_parse.h>
#include <yajl/yajl_tree.h>

/* One value of either format, as far as requests use it. */
struct node {
    bool json;
    union {
        yajl_val j;
        const msgpack_object *m;
    };
};

static bool text_of(struct node n, struct kp_str *text)
{
    if (n.json) {
        if (!YAJL_IS_STRING(n.j))
            return false;
        *text = (struct kp_str){n.j->u.string, (uint32_t)strlen(n.j->u.string)};
        return true;
    }
    if (n.m->type != MSGPACK_OBJECT_STR)
        return false;
    *text = (struct kp_str){n.m->via.str.ptr, n.m->via.str.size};
    return true;
}

static bool is_nil(struct node n)
{
    return n.json ? YAJL_IS_NULL(n.j) : n.m->type == MSGPACK_OBJECT_NIL;
}

/* -1: it is no array. */
static int64_t length_of(struct node n)
{
    if (n.json)
        return YAJL_IS_ARRAY(n.j) ? (int64_t)n.j->u.array.len : -1;
    return n.m->type == MSGPACK_OBJECT_ARRAY ? (int64_t)n.m->via.array.size : -1;
}

static struct node item_of(struct node n, size_t i)
{
    return n.json ? (struct node){.json = true, .j = n.j->u.array.values[i]}
                  : (struct node){.json = false, .m = &n.m->via.array.ptr[i]};
}

/* A list of texts, or a text alone. */
static enum kp_code list_of(struct node n, const char *key, struct kp_str_list *list, struct kp_err *err)
{
    int64_t count = length_of(n);
    struct kp_str text;
    bool alone = text_of(n, &text);

    if (alone)
        count = 1;
    if (count < 0 || count > KP_REQUEST_LIST)
        return kp_fail(err, KP_EINVAL, "\"%s\" is a list of at most %d strings", key, KP_REQUEST_LIST);
    list->items = calloc((size_t)count + 1, sizeof *list->items);
    if (!list->items)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    list->count = (size_t)count;
    for (size_t i = 0; i < list->count; i++)
        if (!text_of(alone ? n : item_of(n, i), &list->items[i]))
            return kp_fail(err, KP_EINVAL, "\"%s\" is a list of strings", key);
    return KP_OK;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Copy without the %XX of topics; how long it has become. -1: a % that begins none. */
static int64_t decode(struct kp_str text, char *to)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < text.len; i++) {
        int high, low;

        if (text.s[i] != '%') {
            to[n++] = text.s[i];
            continue;
        }
        high = text.len - i > 2 ? hex_digit(text.s[i + 1]) : -1;
        low = text.len - i > 2 ? hex_digit(text.s[i + 2]) : -1;
        if (high < 0 || low < 0)
            return -1;
        to[n++] = (char)(high * 16 + low);
        i += 2;
    }
    return n;
}

static size_t count_parts(struct kp_str path)
{
    size_t parts = 1;

    for (uint32_t i = 0; i < path.len; i++)
        parts += path.s[i] == '/';
    return parts;
}

/* Take a path as topics have it apart. parts: room for count_parts of them; *bytes, the caller's, is what they lie in. */
static enum kp_code split(struct kp_str whole, const char *key, struct kp_str *parts, size_t *n, char **bytes,
                          struct kp_err *err)
{
    char *to = *bytes = malloc((size_t)whole.len + 1);
    uint32_t from = 0;

    *n = 0;
    if (!to)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    for (uint32_t i = 0; i <= whole.len; i++) {
        int64_t len;

        if (i < whole.len && whole.s[i] != '/')
            continue;
        len = decode((struct kp_str){whole.s + from, i - from}, to);
        if (len < 0)
            return kp_fail(err, KP_EINVAL, "\"%s\" as a text is a path as in topics: %% stands before two "
                                           "hexadecimal digits, %%25 for itself", key);
        if (len)
            parts[(*n)++] = (struct kp_str){to, (uint32_t)len};
        to += len;
        from = i + 1;
    }
    return KP_OK;
}

/* The one text of `under` is a path as topics have it; an element of a list is a key as it is, whatever it holds. */
static enum kp_code split_under(struct kp_request *req, struct kp_err *err)
{
    struct kp_str whole = req->under.items[0];
    struct kp_str *items = calloc(count_parts(whole) + 1, sizeof *items);

    if (!items)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    free(req->under.items);
    req->under = (struct kp_str_list){items, 0};
    return split(whole, "under", items, &req->under.count, &req->path, err);
}

static enum kp_code take_list(struct kp_request *req, struct node n, const char *key, struct kp_str_list *list,
                              struct kp_err *err)
{
    struct kp_str text;
    enum kp_code code;

    if (list->items)        /* given twice: the first wins */
        return KP_OK;
    code = list_of(n, key, list, err);
    return !code && list == &req->under && text_of(n, &text) ? split_under(req, err) : code;
}

static enum kp_code time_of(struct node n, const char *key, bool *has, int64_t *ms, struct kp_err *err)
{
    struct kp_str text;

    if (text_of(n, &text))
        *has = kp_rfc3339_parse(text.s, text.len, ms);
    else if (n.json)
        *has = YAJL_IS_INTEGER(n.j) && (*ms = YAJL_GET_INTEGER(n.j)) >= 0;
    else if ((*has = n.m->type == MSGPACK_OBJECT_POSITIVE_INTEGER && n.m->via.u64 <= (uint64_t)KP_TIME_MAX))
        *ms = (int64_t)n.m->via.u64;
    if (!*has || *ms > KP_TIME_MAX)
        return kp_fail(err, KP_EINVAL, "\"%s\" is ms since the epoch, or RFC 3339", key);
    return KP_OK;
}

static enum kp_code duration_of(struct node n, int64_t *ms, struct kp_err *err)
{
    struct kp_str text;

    if (!text_of(n, &text) || !kp_duration_parse(text.s, text.len, ms) || *ms <= 0)
        return kp_fail(err, KP_EINVAL, "\"for\" is a duration, as \"90m\", \"2h\" or \"7d\"");
    return KP_OK;
}

static enum kp_code bool_of(struct node n, const char *key, bool *is, struct kp_err *err)
{
    if (n.json ? !YAJL_IS_TRUE(n.j) && !YAJL_IS_FALSE(n.j) : n.m->type != MSGPACK_OBJECT_BOOLEAN)
        return kp_fail(err, KP_EINVAL, "\"%s\" is true or false", key);
    *is = n.json ? YAJL_IS_TRUE(n.j) : n.m->via.boolean;
    return KP_OK;
}

static bool is_text(struct kp_str text, const char *what)
{
    return strlen(what) == text.len && memcmp(what, text.s, text.len) == 0;
}

/* ---- Matchers ---- */

/* A list of keys as they are, or a text "em%2Fea/fie*". */
static enum kp_code match_path(struct kp_request *req, struct node n, struct kp_err *err)
{
    struct kp_matchers *matchers = &req->matchers;
    int64_t count = length_of(n);
    struct kp_str text, parts[KP_PLACE_PARTS + 2];
    bool is_whole = text_of(n, &text), open;
    enum kp_code code;

    if (req->match_path || matchers->npath)     /* given twice: the first wins */
        return KP_OK;
    if (is_whole ? count_parts(text) > KP_PLACE_PARTS + 1 : count <= 0 || count > KP_PLACE_PARTS)
        return kp_fail(err, KP_EINVAL, "\"path\" is a text like \"emea/field-1\", or a list of 1 to %d keys", KP_PLACE_PARTS);
    for (; !is_whole && matchers->npath < (size_t)count; matchers->npath++)
        if (!text_of(item_of(n, matchers->npath), &matchers->path[matchers->npath]))
            return kp_fail(err, KP_EINVAL, "\"path\" is a list of strings");
    if (!is_whole)
        return KP_OK;
    matchers->path_prefix = text.len && text.s[text.len - 1] == '*';
    text.len -= matchers->path_prefix;
    open = matchers->path_prefix && (text.len == 0 || text.s[text.len - 1] == '/');      /* any key, but there must be one */
    code = split(text, "path", parts, &matchers->npath, &req->match_path, err);
    if (!code && open)
        parts[matchers->npath++] = (struct kp_str){"", 0};
    if (!code && (matchers->npath == 0 || matchers->npath > KP_PLACE_PARTS))
        code = kp_fail(err, KP_EINVAL, "\"path\" has 1 to %d keys", KP_PLACE_PARTS);
    if (code)
        matchers->npath = 0;
    memcpy(matchers->path, parts, matchers->npath * sizeof *parts);
    return code;
}

static enum kp_code take_matcher(struct kp_request *req, struct kp_str key, struct node n, struct kp_err *err)
{
    struct kp_str text;
    const char *name;

    if (is_text(key, "path"))
        return is_nil(n) ? KP_OK : match_path(req, n, err);
    for (int f = 0; (name = kp_match_field_name(f)) != NULL; f++) {
        if (!is_text(key, name))
            continue;
        if (is_nil(n))
            return KP_OK;
        if (!text_of(n, &text))
            return kp_fail(err, KP_EINVAL, "\"%s\" of the matchers is a string", name);
        req->matchers.fields[f] = kp_matcher_of(text);
        return KP_OK;
    }
    return kp_fail(err, KP_EINVAL, "\"%.*s\" is no matcher; there are \"rule\", \"kpi\", \"level\", \"key\", \"path\", \"severity\"",
                   (int)(key.len < 60 ? key.len : 60), key.s);
}

/* Unlike a request's, each key must be known: what is passed over here would match more than was meant. */
static enum kp_code matchers_of(struct kp_request *req, struct node n, struct kp_err *err)
{
    enum kp_code code = KP_OK;

    if (n.json ? !YAJL_IS_OBJECT(n.j) : n.m->type != MSGPACK_OBJECT_MAP)
        return kp_fail(err, KP_EINVAL, "\"matchers\" is a map, as {\"rule\": \"behind_*\", \"path\": \"emea/field-1\"}");
    if (req->has_matchers)      /* given twice: the first wins */
        return KP_OK;
    req->has_matchers = true;
    for (size_t i = 0; n.json && !code && i < n.j->u.object.len; i++) {
        const char *key = n.j->u.object.keys[i];

        code = take_matcher(req, (struct kp_str){key, (uint32_t)strlen(key)},
                            (struct node){.json = true, .j = n.j->u.object.values[i]}, err);
    }
    for (uint32_t i = 0; !n.json && !code && i < n.m->via.map.size; i++) {
        const msgpack_object_kv *kv = &n.m->via.map.ptr[i];

        if (kv->key.type != MSGPACK_OBJECT_STR)
            return kp_fail(err, KP_EINVAL, "\"matchers\" is a map of strings");
        code = take_matcher(req, (struct kp_str){kv->key.via.str.ptr, kv->key.via.str.size},
                            (struct node){.json = false, .m = &kv->val}, err);
    }
    return code;
}

/* ---- Keys ---- */

/* Those that are neither a string nor a list of them; false: it is none of them. */
static bool take_other(struct kp_request *req, struct kp_str key, struct node n, enum kp_code *code, struct kp_err *err)
{
    if (is_text(key, "time"))
        *code = time_of(n, "time", &req->has_time, &req->time_ms, err);
    else if (is_text(key, "from"))
        *code = time_of(n, "from", &req->has_from, &req->from_ms, err);
    else if (is_text(key, "to"))
        *code = time_of(n, "to", &req->has_to, &req->to_ms, err);
    else if (is_text(key, "until"))
        *code = time_of(n, "until", &req->has_until, &req->until_ms, err);
    else if (is_text(key, "for"))
        *code = duration_of(n, &req->for_ms, err);
    else if (is_text(key, "alerts"))
        *code = bool_of(n, "alerts", &req->alerts, err);
    else if (is_text(key, "peers"))
        *code = bool_of(n, "peers", &req->peers, err);
    else if (is_text(key, "undo"))
        *code = bool_of(n, "undo", &req->undo, err);
    else if (is_text(key, "matchers"))
        *code = matchers_of(req, n, err);
    else
        return false;
    return true;
}

/* What is no key of a request is passed over: a newer client may know more. */
static enum kp_code take(struct kp_request *req, struct kp_str key, struct node n, struct kp_err *err)
{
    const struct {
        const char *name;
        struct kp_str *text;
        struct kp_str_list *list;
    } known[] = {
        {"op", &req->op, NULL},       {"level", &req->level, NULL}, {"keys", NULL, &req->keys},
        {"under", NULL, &req->under}, {"kpis", NULL, &req->kpis},   {"windows", NULL, &req->windows},
        {"kpi", &req->kpi, NULL},     {"key", &req->key, NULL},     {"window", &req->window, NULL},
        {"by", &req->by, NULL},       {"id", NULL, &req->ids},      {"comment", &req->comment, NULL}, {"copy", &req->copy, NULL},
        {"rule", &req->rule, NULL},   {"field", &req->field, NULL}, {"within", NULL, &req->within},
    };
    enum kp_code code;

    if (is_nil(n))
        return KP_OK;
    if (take_other(req, key, n, &code, err))
        return code;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!is_text(key, known[i].name))
            continue;
        if (known[i].list)
            return take_list(req, n, known[i].name, known[i].list, err);
        if (!text_of(n, known[i].text))
            return kp_fail(err, KP_EINVAL, "\"%s\" is a string", known[i].name);
    }
    return KP_OK;
}

/* ---- JSON ---- */

/* What a tree is not built for: yajl frees a tree by recursion, so its depth must be bounded, and keeps a string without
 * its length, so that one with a NUL would pass for a shorter one. The parser itself keeps its state on the heap. */
struct shape {
    int depth;
    const char *wrong;      /* static; NULL: nothing */
};

static int on_open(void *ctx)
{
    struct shape *shape = ctx;

    if (++shape->depth > KP_REQUEST_DEPTH)
        shape->wrong = "maps and lists are nested too deep";
    return !shape->wrong;
}

static int on_close(void *ctx)
{
    struct shape *shape = ctx;

    shape->depth--;
    return 1;
}

static int on_text(void *ctx, const unsigned char *text, size_t len)
{
    struct shape *shape = ctx;

    if (len && memchr(text, '\0', len))
        shape->wrong = "a string holds a NUL character";
    return !shape->wrong;
}

/* Parse without building anything. KP_EINVAL: no JSON, or none to build a tree of. */
static enum kp_code check_shape(const char *bytes, size_t len, struct kp_err *err)
{
    static const yajl_callbacks callbacks = {
        .yajl_string = on_text, .yajl_start_map = on_open, .yajl_map_key = on_text, .yajl_end_map = on_close,
        .yajl_start_array = on_open, .yajl_end_array = on_close};
    struct shape shape = {0};
    yajl_handle parser = yajl_alloc(&callbacks, NULL, &shape);
    bool ok = parser && yajl_parse(parser, (const unsigned char *)bytes, len) == yajl_status_ok &&
              yajl_complete_parse(parser) == yajl_status_ok;

    if (parser)
        yajl_free(parser);
    if (ok)
        return KP_OK;
    return parser ? kp_fail(err, KP_EINVAL, "no JSON object: %s", shape.wrong ? shape.wrong : "it can't be parsed")
                  : kp_fail(err, KP_ENOMEM, "out of memory");
}

static enum kp_code read_json(struct kp_request *req, const char *bytes, size_t len, struct kp_err *err)
{
    enum kp_code code = check_shape(bytes, len, err);
    char *copy = code ? NULL : strndup(bytes, len);
    yajl_val tree = copy ? yajl_tree_parse(copy, NULL, 0) : NULL;

    free(copy);
    req->memory = tree;
    if (code)
        return code;
    if (!YAJL_IS_OBJECT(tree))
        return kp_fail(err, KP_EINVAL, "no JSON object: %s", tree ? "something else" : "out of memory");
    for (size_t i = 0; !code && i < tree->u.object.len; i++) {
        const char *key = tree->u.object.keys[i];

        code = take(req, (struct kp_str){key, (uint32_t)strlen(key)},
                    (struct node){.json = true, .j = tree->u.object.values[i]}, err);
    }
    return code;
}

/* ---- MessagePack ---- */

/* Every claimed length is checked against the bytes before msgpack-c may allocate for it. */
static bool fits(const void *bytes, size_t len)
{
    const struct kp_decode_limits limits = {KP_REQUEST_BYTES, 1, 64};
    struct kp_schema *schema = kp_schema_new(NULL);
    struct kp_decoder *dec = schema ? kp_decoder_new(schema, &limits, NULL) : NULL;
    struct kp_event *ev = malloc(sizeof *ev);
    enum kp_reason reason = KP_MALFORMED;

    if (dec && ev && kp_decode_begin(dec, bytes, len, (struct kp_str){"request", 7}) == KP_ACCEPTED)
        kp_decode_next(dec, ev, &reason);
    free(ev);
    kp_decoder_destroy(&dec);
    kp_schema_destroy(&schema);
    return reason != KP_MALFORMED && reason != KP_NOT_A_MAP && reason != KP_LIMIT && reason != KP_TOO_LARGE;
}

/* A request and its own copy of the bytes, for that is where msgpack-c's strings lie: a `get` outlives its message. */
struct packed {
    msgpack_unpacked item;
    char bytes[];
};

static enum kp_code read_msgpack(struct kp_request *req, const char *bytes, size_t len, struct kp_err *err)
{
    struct packed *packed = malloc(sizeof *packed + len);
    const msgpack_unpacked *item;
    enum kp_code code = KP_OK;
    size_t off = 0;

    if (!packed)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    item = &packed->item;
    msgpack_unpacked_init(&packed->item);
    req->memory = packed;
    if (len)
        memcpy(packed->bytes, bytes, len);
    if (!fits(bytes, len) || msgpack_unpack_next(&packed->item, packed->bytes, len, &off) != MSGPACK_UNPACK_SUCCESS ||
        item->data.type != MSGPACK_OBJECT_MAP)
        return kp_fail(err, KP_EINVAL, "no MessagePack or JSON map of at most 64 keys, nested at most %d deep",
                       KP_REQUEST_DEPTH);
    for (uint32_t i = 0; !code && i < item->data.via.map.size; i++) {
        const msgpack_object_kv *kv = &item->data.via.map.ptr[i];

        if (kv->key.type == MSGPACK_OBJECT_STR)
            code = take(req, (struct kp_str){kv->key.via.str.ptr, kv->key.via.str.size},
                        (struct node){.json = false, .m = &kv->val}, err);
    }
    return code;
}

/* ---- Either ---- */

enum kp_code kp_request_read(struct kp_request *req, const void *bytes, size_t len, struct kp_err *err)
{
    const char *p = bytes;
    size_t i = 0;
    enum kp_code code;

    memset(req, 0, sizeof *req);
    while (i < len && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r'))
        i++;
    req->is_json = i < len && (p[i] == '{' || p[i] == '[');
    if (len > KP_REQUEST_BYTES)
        return kp_fail(err, KP_EINVAL, "a request of over %d bytes", KP_REQUEST_BYTES);
    code = req->is_json ? read_json(req, p, len, err) : read_msgpack(req, p, len, err);
    if (!code && req->op.len == 0)
        return kp_fail(err, KP_EINVAL, "needs \"op\"");
    return code;
}

void kp_request_release(struct kp_request *req)
{
    if (req->memory && req->is_json) {
        yajl_tree_free(req->memory);
    } else if (req->memory) {
        msgpack_unpacked_destroy(&((struct packed *)req->memory)->item);
        free(req->memory);
    }
    free(req->keys.items);
    free(req->under.items);
    free(req->kpis.items);
    free(req->windows.items);
    free(req->ids.items);
    free(req->within.items);
    for (size_t i = 0; i < req->narrow.read.count; i++)
        free(req->narrow.read.items[i]);
    free(req->narrow.read.items);
    free(req->path);
    free(req->match_path);
    memset(req, 0, sizeof *req);
}
