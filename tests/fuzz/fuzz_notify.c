/* What kpi-notify makes of a message: it reads it or passes it over, and whatever it reads it can keep, say and send. */
#include "alert.h"
#include "alertmanager.h"
#include "mail.h"
#include "object.h"
#include "template.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void say(const struct alert *alert, enum change change, const struct zone_said *zone)
{
    struct text subject = {0}, plain = {0}, html = {0}, mail = {0}, hook = {0};
    yajl_val tree;

    wording_subject(alert, change, READER_OTHERS, &subject);
    wording_plain(alert, change, READER_REP, zone, &plain);
    wording_html(alert, change, READER_OTHERS, zone, &html);
    mail_build(&(struct mail){.from = "a@b", .to = "c@d", .subject = text_of(&subject), .id = alert->id, .plain = text_of(&plain),
                              .html = text_of(&html)},
               &mail);
    for (const char *c = text_of(&mail); *c; c++)
        check((unsigned char)*c < 0x7F && (*c != '\n' || c[-1] == '\r'));
    check(!strchr(text_of(&subject), '\n'));
    template_fill(NULL, alert, change, zone, true, &hook);
    tree = yajl_tree_parse(text_of(&hook), NULL, 0);
    check(tree != NULL);
    yajl_tree_free(tree);
    text_release(&subject);
    text_release(&plain);
    text_release(&html);
    text_release(&mail);
    text_release(&hook);
}

static void push(const struct alert *alert)
{
    struct kp_out *out = kp_out_new(true, NULL);
    size_t len;

    check(out != NULL);
    alertmanager_put(out, alert, alert->since_ms, alert->time_ms, alert->time_ms, 60000);
    check(kp_out_bytes(out, &len) != NULL);
    kp_out_destroy(&out);
}

static void keep(const struct alert *alert)
{
    static struct alert again;
    msgpack_sbuffer packed;

    msgpack_sbuffer_init(&packed);
    alert_pack(alert, &packed);
    check(alert_unpack(packed.data, packed.size, &again));
    check(strcmp(again.path, alert->path) == 0 && strcmp(again.message, alert->message) == 0);
    msgpack_sbuffer_destroy(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct alert alert;
    struct kp_zone *utc = kp_zone_new(NULL, 0, NULL);
    msgpack_unpacked item;

    msgpack_unpacked_init(&item);
    if (utc && object_parse(bytes, len, &item) && alert_read(&item.data, &alert)) {
        say(&alert, alert.state == ALERT_RESOLVED ? CHANGE_RESOLVED : CHANGE_NEW, &(struct zone_said){utc, "UTC"});
        push(&alert);
        keep(&alert);
    }
    msgpack_unpacked_destroy(&item);
    kp_zone_destroy(&utc);
    return 0;
}
