/* A report as Markdown, with tables as GitHub has them. */
#include "report.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Foreign text, so that nothing in it marks anything up. An underscore within a word never does. */
static void escape(struct text *out, const char *s)
{
    for (const char *c = s; *c; c++) {
        if (*c == '<' || *c == '>' || *c == '&')
            text_add(out, *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : "&amp;");
        else if (strchr("\\`*[]|#~", *c) || (*c == '_' && (c == s || !is_word(c[-1]) || !is_word(c[1]))))
            text_addf(out, "\\%c", *c);
        else
            text_put(out, c, 1);
    }
}

static void begin(struct report_pen *pen, const char *title, const char *place, const char *days)
{
    text_add(&pen->out, "# ");
    escape(&pen->out, title);
    text_add(&pen->out, "\n\n**");
    escape(&pen->out, place);
    text_add(&pen->out, "**  \n");
    escape(&pen->out, days);
    text_add(&pen->out, "\n");
}

static void heading(struct report_pen *pen, int level, const char *text)
{
    text_addf(&pen->out, "\n%.*s ", level, "######");
    escape(&pen->out, text);
    text_add(&pen->out, "\n");
}

static void paragraph(struct report_pen *pen, enum pen_tone tone, const char *text)
{
    text_add(&pen->out, tone == PEN_BAD ? "\n> **" : "\n");
    escape(&pen->out, text);
    text_add(&pen->out, tone == PEN_BAD ? "**\n" : "\n");
}

static void list(struct report_pen *pen, enum pen_tone tone, const char *const *lines, size_t n)
{
    (void)tone;
    text_add(&pen->out, "\n");
    for (size_t i = 0; i < n; i++) {
        text_add(&pen->out, "- ");
        escape(&pen->out, lines[i]);
        text_add(&pen->out, "\n");
    }
}

static void table(struct report_pen *pen, const struct pen_column *columns, size_t n)
{
    pen->columns = columns;
    pen->ncolumns = n;
    pen->column = 0;
    text_add(&pen->out, "\n|");
    for (size_t i = 0; i < n; i++) {
        text_add(&pen->out, " ");
        escape(&pen->out, columns[i].title);
        text_add(&pen->out, " |");
    }
    text_add(&pen->out, "\n|");
    for (size_t i = 0; i < n; i++)
        text_add(&pen->out, columns[i].is_number ? "---:|" : "---|");
    text_add(&pen->out, "\n");
}

static void cell(struct report_pen *pen, enum pen_tone tone, const char *text)
{
    bool bold = tone == PEN_BAD && *text;

    text_add(&pen->out, pen->column ? " " : "| ");
    text_add(&pen->out, bold ? "**" : "");
    escape(&pen->out, text);
    text_add(&pen->out, bold ? "** |" : " |");
    if (++pen->column < pen->ncolumns)
        return;
    pen->column = 0;
    text_add(&pen->out, "\n");
}

static void spark(struct report_pen *pen, const struct report_series *series, const char *unit)
{
    char blocks[64];

    (void)unit;
    cell(pen, PEN_PLAIN, report_spark(series, blocks));
}

static void table_end(struct report_pen *pen)
{
    pen->columns = NULL;
}

/* The tables have what charts would show. */
static void no_charts(struct report_pen *pen, bool begins)
{
    (void)pen;
    (void)begins;
}

static void no_chart(struct report_pen *pen, const struct pen_chart *chart)
{
    (void)pen;
    (void)chart;
}

static void no_halves(struct report_pen *pen, int which)
{
    (void)pen;
    (void)which;
}

const struct report_pen_ops report_md_ops = {begin, heading,   paragraph, list,     table,    cell,
                                             spark, table_end, no_charts, no_chart, no_halves};
