#include "wording.h"

#include "kpid/message.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char nudge[] = "This is a nudge, not a verdict: the numbers know only what the systems tell them.";

const char *change_name(enum change change)
{
    static const char *const names[] = {"none", "new", "severity", "repeat", "resolved"};

    return names[change];
}

/* ---- Numbers and times ---- */

char *wording_time(const struct kp_zone *zone, int64_t at_ms, char buf[48])
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t local_s = at_ms / 1000 + kp_zone_offset_s(zone, at_ms), day = local_s / 86400, in_day = local_s % 86400;
    int year, month, mday;

    if (in_day < 0) {
        in_day += 86400;
        day--;
    }
    kp_civil_of_day(day, &year, &month, &mday);
    snprintf(buf, 48, "%s %d %s %d, %02d:%02d", days[kp_weekday(day)], mday, months[month - 1], year, (int)(in_day / 3600),
             (int)(in_day / 60 % 60));
    return buf;
}

char *wording_duration(int64_t ms, char buf[48])
{
    int64_t min = ms < 0 ? 0 : ms / 60000;

    if (min < 1)
        snprintf(buf, 48, "less than a minute");
    else if (min < 60)
        snprintf(buf, 48, "%d min", (int)min);
    else if (min < 48 * 60)
        snprintf(buf, 48, "%d h %d min", (int)(min / 60), (int)(min % 60));
    else
        snprintf(buf, 48, "%lld days", (long long)(min / (24 * 60)));
    return buf;
}

static bool is_compare(const struct alert *alert, const char *compare)
{
    return strcmp(alert->compare, compare) == 0;
}

static void put_amount(struct text *out, double value, const char *unit)
{
    char buf[64];

    kp_number_text(value, !isnan(value), unit, buf, sizeof buf);
    text_add(out, buf);
    if (*unit && strcmp(unit, "%") != 0 && !isnan(value))
        text_addf(out, " %s", unit);
}

static const char *percent_of(double ratio, char buf[64])
{
    kp_number_text(ratio, !isnan(ratio), "%", buf, 64);
    return buf;
}

/* Of a lapse the value and the threshold are seconds: of working time, or (stalled) of all time. */
static bool is_lapse(const struct alert *alert)
{
    return is_compare(alert, "silence") || is_compare(alert, "stalled");
}

static void put_lapse(struct text *out, const struct alert *alert, double seconds)
{
    char buf[64];

    kp_lapse_text(seconds, is_compare(alert, "stalled"), buf, sizeof buf);
    text_add(out, buf);
}

static void compare_lapse(const struct alert *alert, struct text *out)
{
    text_add(out, is_compare(alert, "silence") ? "nothing for " : "not moved for ");
    put_lapse(out, alert, alert->value);
    text_addf(out, "%s, with the line at ", is_compare(alert, "silence") ? " of working time" : "");
    put_lapse(out, alert, alert->threshold);
}

/* The number, by what it is a share of. */
static void compare_share(const struct alert *alert, struct text *out)
{
    char percent[64];

    percent_of(alert->ratio, percent);
    if (is_compare(alert, "pace") && !isnan(alert->expected)) {
        text_add(out, " by now, where ");
        put_amount(out, alert->expected, alert->unit);
        text_addf(out, " would be expected (%s of pace)", percent);
    } else if (is_compare(alert, "target") && !isnan(alert->target)) {
        text_add(out, " of a target of ");
        put_amount(out, alert->target, alert->unit);
        text_addf(out, " (%s)", percent);
    } else if (is_compare(alert, "peers") || is_compare(alert, "baseline")) {
        text_addf(out, ", %s of %s ", percent, is_compare(alert, "peers") ? "the others'" : "the usual");
        put_amount(out, alert->expected, alert->unit);
        text_add(out, is_compare(alert, "baseline") ? " by now" : "");
    } else if (is_compare(alert, "group")) {
        text_add(out, " of ");
        put_amount(out, alert->target, "");
        text_add(out, " at once");
    } else if (!isnan(alert->ratio)) {
        text_addf(out, ", %s of what it is compared with", percent);
    }
}

void wording_comparison(const struct alert *alert, struct text *out)
{
    if (is_lapse(alert)) {
        compare_lapse(alert, out);
        return;
    }
    put_amount(out, alert->value, alert->unit);
    if (is_compare(alert, "value")) {
        text_add(out, ", with the line at ");
        put_amount(out, alert->threshold, alert->unit);
    } else {
        compare_share(alert, out);
    }
}

void wording_whose(const struct alert *alert, struct text *out)
{
    text_addf(out, "%s, %s", alert->name, alert->title);
    if (*alert->entity)
        text_addf(out, ": %s", alert->entity);
    if (*alert->window)
        text_addf(out, " (%s)", alert->window);
}

/* ---- The words in front ---- */

/* What has become of it, in two or three words. */
static const char *headline(const struct alert *alert, enum change change)
{
    bool critical = alert->severity == ALERT_CRITICAL;

    switch (change) {
    case CHANGE_SEVERITY:
        return critical ? "Getting worse" : "Easing";
    case CHANGE_REPEAT:
        return "Still so";
    case CHANGE_RESOLVED:
        return !*alert->reason                               ? "Back on track"
               : strcmp(alert->reason, "period_ended") == 0 ? "The period is over"
               : strcmp(alert->reason, "moved") == 0        ? "It has moved"
                                                             : "No longer open";
    default:
        return critical ? "Needs a look" : "Worth a look";
    }
}

/* The sentence of a mail. What kpid's message says of a breach is not true any more once it is over. */
static void put_sentence(struct text *out, const struct alert *alert, enum change change, enum reader reader)
{
    if (reader == READER_REP)
        text_addf(out, "Your %s%s%s: ", alert->title, *alert->entity ? ", " : "", alert->entity);
    if (change == CHANGE_RESOLVED && reader == READER_REP)
        text_add(out, *alert->reason ? "nothing is open any more" : "you are back on track");
    else if (change == CHANGE_RESOLVED)
        wording_whose(alert, out);
    else if (reader == READER_REP)
        wording_comparison(alert, out);
    else
        text_add(out, *alert->message ? alert->message : alert->rule);
}

void wording_subject(const struct alert *alert, enum change change, enum reader reader, struct text *out)
{
    if (reader == READER_OTHERS)
        text_addf(out, "%s: ", headline(alert, change));
    put_sentence(out, alert, change, reader);
}

static const char *why_over(const struct alert *alert)
{
    static const struct {
        const char *reason, *text;
    } known[] = {
        {"", "The number is back where it should be."},
        {"period_ended", "The period that it was about has ended."},
        {"no_samples", "There are too few samples left to say anything."},
        {"no_data", "A source that the number needs is silent."},
        {"moved", "It has moved on, is closed, or has another owner."},
        {"unlisted", "It ended while nobody was listening."},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(alert->reason, known[i].reason) == 0)
            return known[i].text;
    return alert->reason;
}

/* ---- The numbers below ---- */

enum { ROWS = 16 };
struct rows {
    struct {
        char label[ALERT_NAME + 80];
        struct text text;
    } row[ROWS];
    size_t count;
};

static struct text *add_row(struct rows *rows, const char *fmt, ...) KP_PRINTF(2, 3);

static struct text *add_row(struct rows *rows, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(rows->row[rows->count].label, sizeof rows->row[0].label, fmt, args);
    va_end(args);
    return &rows->row[rows->count++].text;
}

static const char *label_of_expected(const struct alert *alert)
{
    return is_compare(alert, "peers") ? "The others (median)" : is_compare(alert, "baseline") ? "Usual by now" : "Expected by now";
}

static void add_numbers(struct rows *rows, const struct alert *alert)
{
    bool by_share = *alert->compare && !is_compare(alert, "value");

    if (!is_lapse(alert) && !is_compare(alert, "group")) {
        put_amount(add_row(rows, "%s%s%s%s", alert->title, *alert->window ? " (" : "", alert->window, *alert->window ? ")" : ""),
                   alert->value, alert->unit);
        if (!isnan(alert->expected))
            put_amount(add_row(rows, "%s", label_of_expected(alert)), alert->expected, alert->unit);
        if (!isnan(alert->target))
            put_amount(add_row(rows, "Target"), alert->target, alert->unit);
        if (!isnan(alert->threshold))
            put_amount(add_row(rows, "The line"), alert->threshold, by_share ? "%" : alert->unit);
    }
    wording_comparison(alert, add_row(rows, "Comparison"));
    if (alert->p > 0 && alert->p < 1)
        text_addf(add_row(rows, "By luck alone"), "once in %.0f times", 1 / alert->p < 1e6 ? 1 / alert->p : 1e6);
    if (alert->flapping)
        text_add(add_row(rows, "Note"), "it comes and goes, and is held as it is until it calms down");
}

static void add_members(struct rows *rows, const struct alert *alert)
{
    struct text *text;

    if (alert->nmembers == 0)
        return;
    text = add_row(rows, "Who");
    for (size_t i = 0; i < alert->nmembers; i++)
        text_addf(text, "%s%s", i ? ", " : "", alert->members[i]);
    if (alert->more_members)
        text_addf(text, " and %zu more", alert->more_members);
}

static void make_rows(struct rows *rows, const struct alert *alert, enum change change, const struct zone_said *zone)
{
    char place[ALERT_PLACE], buf[48];

    memset(rows, 0, sizeof *rows);
    add_numbers(rows, alert);
    add_members(rows, alert);
    text_addf(add_row(rows, "Since"), "%s (%s)", wording_time(zone->zone, alert->since_ms, buf), zone->name);
    if (change != CHANGE_NEW)
        text_addf(add_row(rows, change == CHANGE_RESOLVED ? "It lasted" : "For"), "%s",
                  wording_duration(alert->time_ms - alert->since_ms, buf));
    text_add(add_row(rows, "Where"), alert_place(alert, place));
    text_addf(add_row(rows, "Rule"), "%s, %s", alert->rule, alert_severity_name(alert->severity));
}

static void end_rows(struct rows *rows, struct text *out)
{
    for (size_t i = 0; i < rows->count; i++) {
        out->failed |= rows->row[i].text.failed;
        text_release(&rows->row[i].text);
    }
}

/* ---- A mail's two halves ---- */

void wording_plain(const struct alert *alert, enum change change, enum reader reader, const struct zone_said *zone,
                   struct text *out)
{
    struct rows rows;

    wording_subject(alert, change, reader, out);
    text_add(out, "\n\n");
    if (change == CHANGE_RESOLVED)
        text_addf(out, "%s\n\n", why_over(alert));
    make_rows(&rows, alert, change, zone);
    for (size_t i = 0; i < rows.count; i++)
        text_addf(out, "  %-20s  %s\n", rows.row[i].label, text_of(&rows.row[i].text));
    end_rows(&rows, out);
    if (*alert->coaching && change != CHANGE_RESOLVED)
        text_addf(out, "\nWhat might help: %s\n", alert->coaching);
    text_addf(out, "\n%s\n", nudge);
}

static const char *color_of(const struct alert *alert, enum change change)
{
    return change == CHANGE_RESOLVED ? "#1a7f37" : alert->severity == ALERT_CRITICAL ? "#b42318" : "#b45309";
}

static void begin_html(struct text *out, const char *color)
{
    text_addf(out,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
              "<meta name=\"viewport\" content=\"width=device-width\"></head>\n"
              "<body style=\"margin:0;padding:24px;background:#f4f5f7;color:#1f2933;"
              "font:15px/1.5 -apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif\">\n"
              "<div style=\"max-width:600px;margin:0 auto;padding:20px 24px;background:#ffffff;border-left:4px solid %s\">\n",
              color);
}

static void end_html(struct text *out)
{
    text_addf(out, "<p style=\"margin:20px 0 0;color:#66707a;font-size:13px\">%s</p>\n</div>\n</body>\n</html>\n", nudge);
}

static void put_element(struct text *out, const char *tag, const char *style, const char *content)
{
    text_addf(out, "<%s style=\"%s\">", tag, style);
    text_escape(out, content, ESCAPE_HTML);
    text_addf(out, "</%s>\n", tag);
}

static void put_table(struct text *out, const struct rows *rows)
{
    text_add(out, "<table style=\"border-collapse:collapse;margin:0\">\n");
    for (size_t i = 0; i < rows->count; i++) {
        text_add(out, "<tr>");
        put_element(out, "td", "padding:3px 20px 3px 0;color:#66707a;vertical-align:top", rows->row[i].label);
        put_element(out, "td", "padding:3px 0;vertical-align:top", text_of(&rows->row[i].text));
        text_add(out, "</tr>\n");
    }
    text_add(out, "</table>\n");
}

void wording_html(const struct alert *alert, enum change change, enum reader reader, const struct zone_said *zone,
                  struct text *out)
{
    const char *color = color_of(alert, change);
    struct text sentence = {0};
    struct rows rows;
    char style[80];

    begin_html(out, color);
    snprintf(style, sizeof style, "margin:0;color:%s;font-weight:600", color);
    put_element(out, "p", style, headline(alert, change));
    put_sentence(&sentence, alert, change, reader);
    put_element(out, "h1", "margin:2px 0 14px;font-size:19px;line-height:1.35", text_of(&sentence));
    if (change == CHANGE_RESOLVED)
        put_element(out, "p", "margin:0 0 14px", why_over(alert));
    make_rows(&rows, alert, change, zone);
    put_table(out, &rows);
    if (*alert->coaching && change != CHANGE_RESOLVED) {
        text_add(out, "<p style=\"margin:18px 0 0;padding:10px 14px;background:#f4f5f7\"><strong>What might help:</strong> ");
        text_escape(out, alert->coaching, ESCAPE_HTML);
        text_add(out, "</p>\n");
    }
    end_rows(&rows, out);
    end_html(out);
    out->failed |= sentence.failed;
    text_release(&sentence);
}
