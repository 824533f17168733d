#include "compose.h"

#include "mail.h"
#include "template.h"

#include "kpid/tab.h"

#include <stdio.h>
#include <string.h>

enum { ID = 200 };

/* Two who are told of the same get mails of their own, so the ids differ; the address is nobody else's business. */
static unsigned short_of(const char *to)
{
    return (unsigned)(kp_print_of(0, 0, to, strlen(to)).hi & 0xFFFFFFFFu);
}

static void build(const struct notify_config *config, const char *to, const char *id, const char *thread, int64_t now_ms,
                  struct text parts[3], struct text *out)
{
    mail_build(&(struct mail){.from_name = config->mail.from_name, .from = config->mail.from ? config->mail.from : "",
                              .to = to, .subject = text_of(&parts[0]), .id = id, .thread = thread, .date_ms = now_ms,
                              .plain = text_of(&parts[1]), .html = text_of(&parts[2])},
               out);
    for (int i = 0; i < 3; i++) {
        out->failed |= parts[i].failed;
        text_release(&parts[i]);
    }
}

void compose_mail(const struct notify_config *config, const struct alert *alert, enum change change, uint32_t number,
                  const struct aim *aim, int64_t now_ms, struct text *out)
{
    struct text parts[3] = {{0}, {0}, {0}};
    struct zone_said zone;
    char id[ID], thread[ID];

    route_zone(config, aim->route, &zone);
    snprintf(id, sizeof id, "%s.%s.%s.%u.%08x", alert->id, alert_state_name(alert->state),
             alert_severity_name(alert->severity), number, short_of(aim->to));
    snprintf(thread, sizeof thread, "%s.%08x", alert->id, short_of(aim->to));
    wording_subject(alert, change, aim->reader, &parts[0]);
    wording_plain(alert, change, aim->reader, &zone, &parts[1]);
    wording_html(alert, change, aim->reader, &zone, &parts[2]);
    build(config, aim->to, id, thread, now_ms, parts, out);
}

void compose_digest(const struct notify_config *config, const char *to, const struct digest_line *lines, size_t n,
                    size_t left_out, int64_t number, int64_t due_ms, int64_t now_ms, struct text *out)
{
    struct text parts[3] = {{0}, {0}, {0}};
    struct zone_said zone;
    char id[ID];

    route_zone(config, route_of_digest(config, to), &zone);
    snprintf(id, sizeof id, "digest.%lld.%lld.%08x", (long long)(due_ms / 1000), (long long)number, short_of(to));
    wording_digest_subject(lines, n, &zone, due_ms, &parts[0]);
    wording_digest_plain(lines, n, left_out, &zone, &parts[1]);
    wording_digest_html(lines, n, left_out, &zone, &parts[2]);
    build(config, to, id, NULL, now_ms, parts, out);
}

void compose_webhook(const struct notify_config *config, const struct alert *alert, enum change change,
                     const struct route *route, struct text *out)
{
    struct zone_said zone;

    route_zone(config, route, &zone);
    template_fill(route->webhook.template, alert, change, &zone, route->webhook.slack, out);
}
