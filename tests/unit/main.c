/* Runs all suites, or those whose names are given. */
#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

#include SUITES

static bool chosen(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc < 2;
}

int main(int argc, char **argv)
{
    unsigned failed;

    signal(SIGPIPE, SIG_IGN);
    unit_start();
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    for (size_t i = 0; suites[i].pName; i++) {
        CU_SuiteInfo one[] = {suites[i], CU_SUITE_INFO_NULL};

        if (chosen(suites[i].pName, argc, argv) && CU_register_suites(one) != CUE_SUCCESS)
            return 2;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    unit_stop();
    return failed > 0 ? 1 : 0;
}
