/* kpi-gateway: what people look at. */
#include "gateway.h"
#include "gateway_config.h"

#include "faults.h"
#include "log.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

static const char help[] =
    "usage: kpi-gateway --config FILE\n"
    "       kpi-gateway --check FILE\n"
    "       kpi-gateway --token\n"
    "\n"
    "Shows what kpid counts: a page for managers, reps and the wall, an API of JSON, a stream of changes, and metrics for\n"
    "Prometheus. One YAML file says where kpid is and who may see what; tools/kpi-gateway/README.md is its reference.\n"
    "\n"
    "  $ kpi-gateway --check config/kpi-gateway.yaml    say every fault in it, and end\n"
    "  $ kpi-gateway --config config/kpi-gateway.yaml   run in the foreground; http://127.0.0.1:8420/\n"
    "  $ kpi-gateway --token                            a token, and what to write of it into the file\n"
    "  $ kill -HUP PID                                  read the file again\n"
    "\n"
    "The least that a file needs, on one's own machine:\n"
    "\n"
    "  kpid: {publish: \"tcp://127.0.0.1:5560\", control: \"tcp://127.0.0.1:5561\"}\n"
    "  anonymous: {read: all}\n"
    "\n"
    "  --config FILE   run\n"
    "  --check FILE    check it; exit status 2 when there is a fault\n"
    "  --token         make a token\n"
    "  --page DIR      the folder of the page's files (" GATEWAY_PAGE ")\n"
    "  --chart FILE    the chart library (" GATEWAY_CHART ")\n"
    "  --version       the version\n"
    "  --help          this\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong use or configuration.\n";

static int check(const char *file)
{
    struct gateway_config config;
    struct kp_fault_list faults;
    bool ok;

    kp_fault_list_init(&faults, file);
    ok = gateway_config_load(file, &config, &faults.faults) == 0;
    if (!ok)
        kp_fault_list_print(&faults, stderr);
    kp_fault_list_release(&faults);
    if (!ok)
        return 2;
    printf("%s: well (users: %zu)\n", file, config.nusers);
    gateway_config_release(&config);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int make_token(void)
{
    unsigned char secret[24], hash[crypto_hash_sha256_BYTES];
    char token[64], hex[2 * sizeof hash + 1];

    if (sodium_init() < 0)
        return 1;
    randombytes_buf(secret, sizeof secret);
    sodium_bin2base64(token, sizeof token, secret, sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    printf("for them:      %s\nfor the file:  token: \"sha256:%s\"\n", token, hex);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int run(const char *file, const char *page, const char *chart)
{
    struct kp_err err = {0};
    enum kp_code code = gateway_run(file, page, chart, &err);

    if (code && err.text[0])
        kp_log(KP_LOG_ERROR, "event=failed error=\"%s\"", err.text);
    return code == KP_OK ? 0 : code == KP_EINVAL ? 2 : 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"config", 1, NULL, 'c'}, {"check", 1, NULL, 'k'},   {"token", 0, NULL, 't'}, {"page", 1, NULL, 'p'},
                                          {"chart", 1, NULL, 'j'},  {"version", 0, NULL, 'v'}, {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
    const char *file = NULL, *checked = NULL, *page = GATEWAY_PAGE, *chart = GATEWAY_CHART;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'h':
            fputs(help, stdout);
            return 0;
        case 'v':
            puts("kpi-gateway " KPID_VERSION);
            return 0;
        case 't':
            return make_token();
        case 'c':
            file = optarg;
            break;
        case 'k':
            checked = optarg;
            break;
        case 'p':
            page = optarg;
            break;
        case 'j':
            chart = optarg;
            break;
        default:
            return 2;
        }
    }
    if (!file == !checked || optind < argc) {
        fputs("kpi-gateway: needs --config FILE, --check FILE or --token, and nothing else; --help tells more\n", stderr);
        return 2;
    }
    return file ? run(file, page, chart) : check(checked);
}
