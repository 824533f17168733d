/* The digest: many alerts in one mail, what is open first. */
#include "wording.h"

#include <stdio.h>
#include <string.h>

static bool is_over(const struct digest_line *line)
{
    return line->change == CHANGE_RESOLVED;
}

static size_t count_open(const struct digest_line *lines, size_t n)
{
    size_t open = 0;

    for (size_t i = 0; i < n; i++)
        open += !is_over(&lines[i]);
    return open;
}

void wording_digest_subject(const struct digest_line *lines, size_t n, const struct zone_said *zone, int64_t day_ms,
                            struct text *out)
{
    size_t open = count_open(lines, n);
    char when[48];

    wording_time(zone->zone, day_ms, when);
    when[strcspn(when, ",")] = '\0';
    text_addf(out, "Digest of %s: %zu worth a look, %zu over by now", when, open, n - open);
}

/* What of a line is told in one sentence. */
static void put_line(const struct digest_line *line, struct text *out)
{
    const struct alert *alert = &line->alert;

    if (!is_over(line)) {
        text_add(out, *alert->message ? alert->message : alert->rule);
        return;
    }
    wording_whose(alert, out);
    text_add(out, ": ");
    wording_comparison(alert, out);
}

static void put_times(const struct digest_line *line, const struct zone_said *zone, struct text *out)
{
    const struct alert *alert = &line->alert;
    char place[ALERT_PLACE], since[48], lasted[48];

    text_addf(out, "%s, since %s", alert_place(alert, place), wording_time(zone->zone, alert->since_ms, since));
    if (is_over(line))
        text_addf(out, ", for %s", wording_duration(alert->time_ms - alert->since_ms, lasted));
}

static const char *heading_of(bool over)
{
    return over ? "Over by now" : "Worth a look";
}

static void put_section(const struct digest_line *lines, size_t n, bool over, const struct zone_said *zone,
                        struct text *out)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (is_over(&lines[i]) != over)
            continue;
        if (!any)
            text_addf(out, "%s:\n\n", heading_of(over));
        any = true;
        text_addf(out, "  * %s", !over && lines[i].alert.severity == ALERT_CRITICAL ? "(critical) " : "");
        put_line(&lines[i], out);
        text_add(out, "\n    ");
        put_times(&lines[i], zone, out);
        if (!over && *lines[i].alert.coaching)
            text_addf(out, "\n    What might help: %s", lines[i].alert.coaching);
        text_add(out, "\n");
    }
    if (any)
        text_add(out, "\n");
}

void wording_digest_plain(const struct digest_line *lines, size_t n, size_t left_out, const struct zone_said *zone,
                          struct text *out)
{
    put_section(lines, n, false, zone, out);
    put_section(lines, n, true, zone, out);
    if (left_out)
        text_addf(out, "And %zu more.\n\n", left_out);
    text_addf(out, "Times are those of %s.\n"
                   "These are nudges, not verdicts: the numbers know only what the systems tell them.\n", zone->name);
}

static void put_item(const struct digest_line *line, const struct zone_said *zone, struct text *out)
{
    const char *color = is_over(line) ? "#1a7f37" : line->alert.severity == ALERT_CRITICAL ? "#b42318" : "#b45309";
    struct text said = {0};

    put_line(line, &said);
    text_addf(out, "<div style=\"margin:0 0 12px;padding:2px 0 2px 12px;border-left:3px solid %s\">", color);
    text_escape(out, text_of(&said), ESCAPE_HTML);
    out->failed |= said.failed;
    text_release(&said);
    put_times(line, zone, &said);
    text_add(out, "<br>\n<span style=\"color:#66707a;font-size:13px\">");
    text_escape(out, text_of(&said), ESCAPE_HTML);
    text_add(out, "</span>");
    if (!is_over(line) && *line->alert.coaching) {
        text_add(out, "<br>\n<span style=\"font-size:13px\"><strong>What might help:</strong> ");
        text_escape(out, line->alert.coaching, ESCAPE_HTML);
        text_add(out, "</span>");
    }
    text_add(out, "</div>\n");
    out->failed |= said.failed;
    text_release(&said);
}

static void put_items(const struct digest_line *lines, size_t n, bool over, const struct zone_said *zone, struct text *out)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (is_over(&lines[i]) != over)
            continue;
        if (!any)
            text_addf(out, "<h1 style=\"margin:8px 0 14px;font-size:19px\">%s</h1>\n", heading_of(over));
        any = true;
        put_item(&lines[i], zone, out);
    }
}

void wording_digest_html(const struct digest_line *lines, size_t n, size_t left_out, const struct zone_said *zone,
                         struct text *out)
{
    text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\"></head>\n"
                  "<body style=\"margin:0;padding:24px;background:#f4f5f7;color:#1f2933;"
                  "font:15px/1.5 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif\">\n"
                  "<div style=\"max-width:600px;margin:0 auto;padding:20px 24px;background:#ffffff\">\n");
    put_items(lines, n, false, zone, out);
    put_items(lines, n, true, zone, out);
    if (left_out)
        text_addf(out, "<p>And %zu more.</p>\n", left_out);
    text_add(out, "<p style=\"margin:20px 0 0;color:#66707a;font-size:13px\">Times are those of ");
    text_escape(out, zone->name, ESCAPE_HTML);
    text_add(out, ".<br>These are nudges, not verdicts: the numbers know only what the systems tell them.</p>\n"
                  "</div>\n</body>\n</html>\n");
}
