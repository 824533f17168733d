#include "report.h"

#include "client.h"
#include "kpictl.h"

#include "config_read.h"
#include "nearest.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: kpictl report [--week WEEK] [--team PATH] [OPTION]...\n"
    "\n"
    "The agenda of the weekly sales meeting: what was to be reached and what was, what works and what does not, where training\n"
    "may help, how contests stand, and what was promised:\n"
    "\n"
    "  $ kpictl report\n"
    "  $ kpictl report --team emea/field-1 --output monday.html\n"
    "  $ kpictl report --week 2026-W47 --team emea --format md\n"
    "\n"
    "  --week WEEK         which week, as 2026-W47; without it the last one that has ended, by the daemon's zone\n"
    "  --team PATH         any place of the roster, as emea/field-1 or emea/field-1/ana; a / within a key is %2F. Without\n"
    "                      it the company\n"
    "  --format FORMAT     md, html or pdf; by default as the output's name ends, else md. A PDF is made by a browser that\n"
    "                      is installed (chromium)\n"
    "  --output FILE       default: standard output\n"
    "  --commitments FILE  who has promised what, below\n"
    "  --chart FILE        the library that draws the charts of HTML and PDF, Chart.js 3: chart.min.js. Default: Debian's\n"
    "                      package libjs-chart.js\n"
    "  --control ENDPOINT  default tcp://127.0.0.1:5561\n"
    "  --config FILE       take the control endpoint from a configuration\n"
    "\n"
    "It tells of KPIs that have the window `week`, for the week and the eight before it, which takes a daemon with storage; of\n"
    "the week that runs, what is expected by now. HTML is one file that needs nothing beside it. \"No data\" is never 0.\n"
    "\n"
    "The file of commitments is YAML, kept by hand: those of the week are told as the last ones, those of the next week as the\n"
    "new ones; without any, there are empty lines to fill in.\n"
    "\n"
    "  2026-W47:\n"
    "    - {who: Ana, what: call back the leads of the fair, done: true}\n"
    "  2026-W48:\n"
    "    - {who: Ben, what: listen in to two calls of Cleo}\n"
    "\n"
    "Exit status: 0 well, 1 no answer, or a browser or a library is missing, 2 wrong use, a week that has not begun, or a place\n"
    "that there is not.\n";

#define CHART "/usr/share/javascript/chart.js/chart.min.js"
enum { CHART_MAX = 16 << 20 };

enum format { FORMAT_NONE, FORMAT_MD, FORMAT_HTML, FORMAT_PDF };
static const char *const formats[] = {"", "md", "html", "pdf"};

struct options {
    const char *output, *commitments, *chart, *control, *config;
    enum format format;
    struct report_wish wish;
};

/* ---- Options ---- */

static enum format find_format(const char *name)
{
    for (int f = FORMAT_MD; f <= FORMAT_PDF; f++)
        if (strcmp(name, formats[f]) == 0)
            return (enum format)f;
    return FORMAT_NONE;
}

static int take_format(const char *name, struct options *opt)
{
    struct kp_nearest nearest = {.word = name};

    opt->format = find_format(name);
    if (opt->format)
        return EXIT_WELL;
    for (int f = FORMAT_MD; f <= FORMAT_PDF; f++)
        kp_nearest_offer(&nearest, formats[f]);
    return kpictl_wrong("report", "--format %s: there are md, html and pdf%s%s%s", name, nearest.best ? "; did you mean \"" : "",
                        nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
}

static void default_format(struct options *opt)
{
    const char *dot = opt->output ? strrchr(opt->output, '.') : NULL;

    if (!opt->format && dot)
        opt->format = find_format(dot + 1);
    if (!opt->format)
        opt->format = FORMAT_MD;
}

static int take_option(int c, struct options *opt)
{
    const struct {
        int c;
        const char **text;
    } texts[] = {{'t', &opt->wish.place}, {'o', &opt->output}, {'m', &opt->commitments}, {'b', &opt->chart},
                 {'c', &opt->control},    {'f', &opt->config}};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].c == c)
            *texts[i].text = optarg;
    if (c == 'w') {
        opt->wish.has_week = true;
        if (!report_week_parse(optarg, &opt->wish.year, &opt->wish.number))
            return kpictl_wrong("report", "--week %s: a week of ISO 8601, as 2026-W47", optarg);
    }
    return c == 'r' ? take_format(optarg, opt) : EXIT_WELL;
}

static int parse(int argc, char **argv, struct options *opt)
{
    static const struct option longs[] = {{"week", 1, NULL, 'w'},   {"team", 1, NULL, 't'},        {"format", 1, NULL, 'r'},
                                          {"output", 1, NULL, 'o'}, {"commitments", 1, NULL, 'm'}, {"chart", 1, NULL, 'b'},
                                          {"control", 1, NULL, 'c'}, {"config", 1, NULL, 'f'},     {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        int status;

        if (c == 'h') {
            fputs(help, stdout);
            return -1;
        }
        status = c == '?' ? EXIT_WRONG : take_option(c, opt);
        if (status)
            return status;
    }
    if (optind < argc)
        return kpictl_wrong("report", "%s: what is this?", argv[optind]);
    default_format(opt);
    if (opt->format == FORMAT_PDF && !opt->output && isatty(STDOUT_FILENO))
        return kpictl_wrong("report", "a PDF is nothing for a terminal: --output FILE");
    return EXIT_WELL;
}

/* ---- Writing ---- */

/* Whole or not at all: a report of before is not lost to a full disk. */
static int write_file(const char *file, const void *bytes, size_t len)
{
    char *beside = NULL;
    FILE *out = NULL;
    bool ok;

    if (!file)
        return fwrite(bytes, 1, len, stdout) == len ? EXIT_WELL : kpictl_failed("report", "the output can't be written");
    if (asprintf(&beside, "%s.%ld.part", file, (long)getpid()) < 0)
        return kpictl_failed("report", "out of memory");
    out = fopen(beside, "wxe");
    ok = out && fwrite(bytes, 1, len, out) == len;
    if (out)
        ok = fclose(out) == 0 && ok;
    ok = ok && rename(beside, file) == 0;
    if (!ok) {
        int error = errno;

        if (out)
            unlink(beside);
        kpictl_failed("report", "%s: %s", file, strerror(error));
    }
    free(beside);
    return ok ? EXIT_WELL : EXIT_FAILED;
}

static int write_pdf(const char *file, const struct text *html)
{
    struct kp_err err = {0};
    size_t len = 0;
    char *pdf = NULL;
    int status = report_pdf(text_of(html), html->len, &pdf, &len, &err) ? kpictl_failed("report", "%s", err.text)
                                                                        : write_file(file, pdf, len);

    free(pdf);
    return status;
}

/* Asked for before the daemon is: who lacks it need not wait. */
static int load_library(const struct options *opt, char **library, size_t *len)
{
    const char *file = opt->chart ? opt->chart : CHART;
    struct kp_err err = {0};

    *library = NULL;
    if (opt->format == FORMAT_MD)
        return EXIT_WELL;
    *library = kp_read_file(file, CHART_MAX, len, &err);
    if (*library && memmem(*library, *len, "Chart", 5))
        return EXIT_WELL;
    if (*library)
        return kpictl_wrong("report", "--chart %s: is no Chart.js", file);
    return kpictl_failed(
        "report",
        "%s %s\nThe charts are drawn by Chart.js 3: install libjs-chart.js, or say by --chart FILE where chart.min.js is; "
        "--format md needs neither",
        file, err.text);
}

static int write_report(const struct options *opt, const struct report *report, const char *library, size_t len)
{
    struct report_pen pen = {.ops = opt->format == FORMAT_MD ? &report_md_ops : &report_html_ops};
    struct report_findings *found = malloc(sizeof *found);
    int status = EXIT_FAILED;

    if (found) {
        report_find(report, found);
        report_page(&pen, report, found);
        if (opt->format != FORMAT_MD)
            report_html_end(&pen, library, len);
    }
    if (!found || pen.out.failed || pen.data.failed)
        kpictl_failed("report", "out of memory");
    else if (opt->format == FORMAT_PDF)
        status = write_pdf(opt->output, &pen.out);
    else
        status = write_file(opt->output, text_of(&pen.out), pen.out.len);
    free(found);
    text_release(&pen.out);
    text_release(&pen.data);
    return status;
}

static int ask(const struct options *opt, struct report *report)
{
    char endpoint[CLIENT_ENDPOINT];
    struct client client = {0};
    struct kp_err err = {0};
    enum kp_code code;

    if (!client_control_endpoint(opt->control, opt->config, endpoint))
        return EXIT_WRONG;
    if (client_open(&client, endpoint, &err))
        return kpictl_failed("report", "%s", err.text);
    client_catch_signals(false);
    code = report_ask(&client, &opt->wish, report, &err);
    client_close(&client);
    return code ? kpictl_refused("report", &err) : EXIT_WELL;
}

int kpictl_report(int argc, char **argv)
{
    struct options opt = {0};
    struct report *report;
    char *library = NULL;
    size_t len = 0;
    int status = parse(argc, argv, &opt);

    if (status)
        return status < 0 ? EXIT_WELL : status;
    report = malloc(sizeof *report);
    if (!report)
        return kpictl_failed("report", "out of memory");
    report_init(report);
    status = load_library(&opt, &library, &len);
    if (status == EXIT_WELL)
        status = ask(&opt, report);
    if (status == EXIT_WELL && opt.commitments && !report_read_promises(opt.commitments, report))
        status = EXIT_WRONG;
    if (status == EXIT_WELL)
        status = write_report(&opt, report, library, len);
    report_release(report);
    free(report);
    free(library);
    return status;
}
