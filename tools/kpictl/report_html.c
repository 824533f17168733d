/* A report as one HTML file that needs nothing beside it: no request leaves it, and without JavaScript it reads as tables. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const classes[] = {"", "good", "bad", "quiet"};

/* A line does not end between a number and its per cent. */
static void put(struct report_pen *pen, const char *text)
{
    const char *at;

    while ((at = strstr(text, " %")) != NULL) {
        for (; text < at; text++) {
            const char one[2] = {*text, '\0'};

            text_escape(&pen->out, one, ESCAPE_HTML);
        }
        text_add(&pen->out, "&nbsp;%");
        text += 2;
    }
    text_escape(&pen->out, text, ESCAPE_HTML);
}

/* What the page may do, should its text ever be more than text: run what is in it, and load nothing. */
static const char policy[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'";

static void begin(struct report_pen *pen, const char *title, const char *place, const char *days)
{
    text_addf(&pen->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", policy);
    put(pen, title);
    text_add(&pen->out, ": ");
    put(pen, place);
    text_add(&pen->out, "</title>\n<style>\n");
    report_html_style(&pen->out);
    text_add(&pen->out, "</style>\n</head>\n<body>\n<header>\n<h1>");
    put(pen, title);
    text_add(&pen->out, "</h1>\n<p class=\"place\">");
    put(pen, place);
    text_add(&pen->out, "</p>\n<p class=\"days\">");
    put(pen, days);
    text_add(&pen->out, "</p>\n</header>\n<main>\n");
}

static void heading(struct report_pen *pen, int level, const char *text)
{
    text_addf(&pen->out, "<h%d>", level);
    put(pen, text);
    text_addf(&pen->out, "</h%d>\n", level);
}

static void paragraph(struct report_pen *pen, enum pen_tone tone, const char *text)
{
    text_addf(&pen->out, tone == PEN_BAD ? "<p class=\"note%s\">" : tone ? "<p class=\"%s\">" : "<p%s>",
              tone == PEN_BAD ? "" : classes[tone]);
    put(pen, text);
    text_add(&pen->out, "</p>\n");
}

static void list(struct report_pen *pen, enum pen_tone tone, const char *const *lines, size_t n)
{
    text_addf(&pen->out, "<ul class=\"found %s\">\n", classes[tone]);
    for (size_t i = 0; i < n; i++) {
        text_add(&pen->out, "<li>");
        put(pen, lines[i]);
        text_add(&pen->out, "</li>\n");
    }
    text_add(&pen->out, "</ul>\n");
}

/* ---- Tables ---- */

static void table(struct report_pen *pen, const struct pen_column *columns, size_t n)
{
    pen->columns = columns;
    pen->ncolumns = n;
    pen->column = 0;
    text_add(&pen->out, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (size_t i = 0; i < n; i++) {
        text_addf(&pen->out, "<th scope=\"col\"%s>",
                  columns[i].is_number ? " class=\"n\""
                  : columns[i].is_wide ? " class=\"w\""
                                       : "");
        put(pen, columns[i].title);
        text_add(&pen->out, "</th>");
    }
    text_add(&pen->out, "</tr></thead>\n<tbody>\n");
}

static const char *open_cell(struct report_pen *pen, enum pen_tone tone)
{
    bool is_number = pen->columns[pen->column].is_number;

    text_add(&pen->out, pen->column ? "" : "<tr>");
    if (pen->column == 0 && !is_number) {
        text_add(&pen->out, "<th scope=\"row\">");
        return "</th>";
    }
    text_addf(&pen->out, "<td class=\"%s %s\">", is_number ? "n" : "t", classes[tone]);
    return "</td>";
}

static void close_cell(struct report_pen *pen, const char *end)
{
    text_add(&pen->out, end);
    if (++pen->column < pen->ncolumns)
        return;
    pen->column = 0;
    text_add(&pen->out, "</tr>\n");
}

static void cell(struct report_pen *pen, enum pen_tone tone, const char *text)
{
    bool is_pill = (tone == PEN_GOOD || tone == PEN_BAD) && *text && !pen->columns[pen->column].is_number;
    const char *end = open_cell(pen, tone);

    if (is_pill)
        text_addf(&pen->out, "<span class=\"pill %s\">", classes[tone]);
    put(pen, text);
    text_add(&pen->out, is_pill ? "</span>" : "");
    close_cell(pen, end);
}

enum { SPARK_WIDE = 104, SPARK_HIGH = 24, SPARK_EDGE = 4 };

/* A line through the weeks that have a number; where there is none it breaks. */
static void spark_line(struct report_pen *pen, const struct report_series *series, double low, double high)
{
    double step = (double)(SPARK_WIDE - 2 * SPARK_EDGE) / (REPORT_WEEKS - 1), x = SPARK_EDGE, y = SPARK_HIGH / 2.0;
    bool drawn = false;
    int last = -1;

    text_add(&pen->out, "<path d=\"");
    for (int i = 0; i < REPORT_WEEKS; i++) {
        double value = series->weeks[i].value;

        if (isnan(value)) {
            drawn = false;
            continue;
        }
        x = SPARK_EDGE + step * i;
        y = SPARK_HIGH - SPARK_EDGE - (high > low ? (value - low) / (high - low) : 0) * (SPARK_HIGH - 2 * SPARK_EDGE);
        text_addf(&pen->out, "%s%.1f %.1f", drawn ? "L" : "M", x, y);
        if (!drawn && (i + 1 == REPORT_WEEKS || isnan(series->weeks[i + 1].value)))
            text_add(&pen->out, "h0.1");    /* a single one is a dot */
        drawn = true;
        last = i;
    }
    text_add(&pen->out, "\"/>");
    if (last >= 0)
        text_addf(&pen->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>", x, y);
}

static void spark(struct report_pen *pen, const struct report_series *series, const char *unit)
{
    const char *end = open_cell(pen, PEN_PLAIN);
    double low = (double)NAN, high = (double)NAN;
    char number[REPORT_NUMBER];

    for (int i = 0; i < REPORT_WEEKS; i++) {
        low = fmin(low, series->weeks[i].value);
        high = fmax(high, series->weeks[i].value);
    }
    low = low > 0 ? 0 : low;
    text_addf(&pen->out, "<svg class=\"spark\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", SPARK_WIDE, SPARK_HIGH);
    for (int i = 0; i < REPORT_WEEKS; i++) {
        put(pen, i ? "; " : "");
        put(pen, report_number(series->weeks[i].value, unit, number));
    }
    text_add(&pen->out, "\">");
    spark_line(pen, series, low, high);
    text_add(&pen->out, "</svg>");
    close_cell(pen, end);
}

static void table_end(struct report_pen *pen)
{
    text_add(&pen->out, "</tbody>\n</table></div>\n");
    pen->columns = NULL;
}

/* ---- Charts ---- */

static void charts(struct report_pen *pen, bool begins)
{
    text_add(&pen->out, begins ? "<div class=\"charts\">\n" : "</div>\n");
}

/* Within <script> nothing but these can end it or begin a comment. */
static void put_json_text(struct text *out, const char *s)
{
    text_add(out, "\"");
    for (; *s; s++) {
        const char one[2] = {*s, '\0'};

        if (*s == '<' || *s == '>' || *s == '&')
            text_addf(out, "\\u%04x", (unsigned)*s);
        else
            text_escape(out, one, ESCAPE_JSON);
    }
    text_add(out, "\"");
}

static void put_json_number(struct text *out, double value)
{
    if (isfinite(value))
        text_addf(out, "%.15g", value);
    else
        text_add(out, "null");
}

static void put_json_numbers(struct text *out, const char *key, const double *values, size_t n)
{
    text_addf(out, ",\"%s\":", key);
    if (!values) {
        text_add(out, "null");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        text_add(out, i ? "," : "[");
        put_json_number(out, values[i]);
    }
    text_add(out, "]");
}

static void put_data(struct report_pen *pen, const struct pen_chart *chart)
{
    char number[REPORT_NUMBER];

    text_addf(&pen->data, "%s{\"lying\":%s,\"running\":%s,\"unit\":", pen->ncharts ? ",\n" : "", chart->lying ? "true" : "false",
              chart->running ? "true" : "false");
    put_json_text(&pen->data, chart->unit);
    text_add(&pen->data, ",\"labels\":[");
    for (size_t i = 0; i < chart->n; i++) {
        text_add(&pen->data, i ? "," : "");
        put_json_text(&pen->data, chart->labels[i]);
    }
    text_add(&pen->data, "],\"texts\":[");
    for (size_t i = 0; i < chart->n; i++) {
        text_add(&pen->data, i ? "," : "");
        put_json_text(&pen->data, report_number(chart->values[i], chart->unit, number));
    }
    text_add(&pen->data, "]");
    put_json_numbers(&pen->data, "values", chart->values, chart->n);
    put_json_numbers(&pen->data, "targets", chart->targets, chart->n);
    text_add(&pen->data, ",\"mean\":");
    put_json_number(&pen->data, chart->mean);
    text_add(&pen->data, "}");
}

/* What the chart shows, for who has no JavaScript or does not see it. */
static void put_fallback(struct report_pen *pen, const struct pen_chart *chart)
{
    const struct pen_column columns[] = {
        {chart->lying ? "Stage" : "Week", false, false}, {"Value", true, false}, {"Target", true, false}};
    char number[REPORT_NUMBER];

    text_add(&pen->out, "<details class=\"fallback\" open><summary>As a table</summary>\n");
    table(pen, columns, chart->targets ? 3 : 2);
    for (size_t i = 0; i < chart->n; i++) {
        cell(pen, PEN_PLAIN, chart->labels[i]);
        cell(pen, PEN_PLAIN, report_number(chart->values[i], chart->unit, number));
        if (chart->targets)
            cell(pen, PEN_PLAIN, isnan(chart->targets[i]) ? "" : report_number(chart->targets[i], chart->unit, number));
    }
    table_end(pen);
    text_add(&pen->out, "</details>\n");
}

static void put_key(struct report_pen *pen, const struct pen_chart *chart)
{
    if (!chart->targets && isnan(chart->mean))
        return;
    text_add(&pen->out, "<p class=\"key\">");
    if (chart->targets)
        text_add(&pen->out, "<span class=\"tick\"></span>target ");
    if (!isnan(chart->mean))
        text_add(&pen->out, "<span class=\"dash\"></span>mean of the weeks before");
    text_add(&pen->out, "</p>\n");
}

static void chart(struct report_pen *pen, const struct pen_chart *chart)
{
    text_addf(&pen->out, "<figure class=\"%s %s\">\n<figcaption><span class=\"title\">", chart->lying ? "lying" : "standing",
              classes[chart->tone]);
    put(pen, chart->title);
    text_add(&pen->out, "</span>");
    if (*chart->headline) {
        text_add(&pen->out, "<span class=\"headline\">");
        put(pen, chart->headline);
        text_add(&pen->out, "</span>");
    }
    text_add(&pen->out, "<span class=\"detail\">");
    put(pen, chart->detail);
    text_addf(&pen->out, "</span></figcaption>\n<div class=\"plot\" style=\"--bars:%zu\"><canvas role=\"img\" aria-label=\"",
              chart->n);
    put(pen, chart->title);
    text_add(&pen->out, "\"></canvas></div>\n");
    put_key(pen, chart);
    put_fallback(pen, chart);
    text_add(&pen->out, "</figure>\n");
    put_data(pen, chart);
    pen->ncharts++;
}

static void halves(struct report_pen *pen, int which)
{
    static const char *const tags[] = {"<div class=\"halves\"><section>\n", "</section><section>\n", "</section></div>\n"};

    text_add(&pen->out, tags[which]);
}

const struct report_pen_ops report_html_ops = {begin, heading,   paragraph, list,  table, cell,
                                               spark, table_end, charts,    chart, halves};

/* A library's own text can end the script that it stands in, too: in its strings "\/" is "/" and "\!" is "!". */
static void put_library(struct text *out, const char *library, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        text_put(out, library + i, 1);
        if (library[i] == '<' && i + 1 < len &&
            (library[i + 1] == '!' || (library[i + 1] == '/' && len - i > 7 && strncasecmp(library + i + 2, "script", 6) == 0)))
            text_add(out, "\\");
    }
}

void report_html_end(struct report_pen *pen, const char *library, size_t len)
{
    text_addf(&pen->out, "</main>\n<footer><p>Made by kpictl " KPID_VERSION ". This file needs nothing beside it.</p></footer>\n"
              "<script type=\"application/json\" id=\"charts\">\n[");
    text_add(&pen->out, text_of(&pen->data));
    text_add(&pen->out, "]\n</script>\n<script>\n");
    put_library(&pen->out, library, len);
    text_add(&pen->out, "\n</script>\n<script>\n");
    report_html_script(&pen->out);
    text_add(&pen->out, "</script>\n</body>\n</html>\n");
}
