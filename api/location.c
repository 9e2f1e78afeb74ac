#include "api/location.h"

#include <ctype.h>
#include <string.h>

const struct location locations[] = {
    {"eastus",          "East US", "US", "-79.8164", "37.3719", "Virginia", "westus"},
    {"eastus2",             "East US 2", "US", "-78.3889", "36.6681", "Virginia", "centralus"},
    {"centralus",        "Central US", "US", "-93.6208", "41.5908", "Iowa", "eastus2"},
    {"southcentralus",         "South Central US", "US", "-98.5", "29.4167", "Texas", "northcentralus"},
    {"northcentralus",         "North Central US", "US", "-87.6278", "41.8819", "Illinois",
     "southcentralus"},
    {"westus",             "West US", "US", "-122.417", "37.783", "California", "eastus"},
    {"westus2",        "West US 2", "US", "-119.852", "47.233", "Washington", "westcentralus"},
    {"westcentralus",      "West Central US", "US", "-110.234", "40.89", "Wyoming", "westus2"},
    {"westus3",       "West US 3", "US", "-112.074036", "33.448376", "Phoenix", "eastus"},
    {"canadacentral",             "Canada Central", "Canada", "-79.383", "43.653", "Toronto", "canadaeast"},
    {"canadaeast",        "Canada East", "Canada", "-71.217", "46.817", "Quebec", "canadacentral"},
    {"brazilsouth",        "Brazil South", "Brazil", "-46.633", "-23.55", "Sao Paulo State",
     "southcentralus"},
    {"northeurope",  "North Europe", "Europe", "-6.2597", "53.3478", "Ireland", "westeurope"},
    {"westeurope",             "West Europe", "Europe", "4.9", "52.3667", "Netherlands", "northeurope"},
    {"uksouth",        "UK South", "UK", "-0.799", "50.941", "London", "ukwest"},
    {"ukwest", "UK West", "UK", "-3.084", "53.427", "Cardiff", "uksouth"},
    {"francecentral",  "France Central", "France", "2.373", "46.3772", "Paris", "francesouth"},
    {"germanywestcentral",             "Germany West Central", "Germany", "8.682127", "50.110924", "Frankfurt",
     "germanynorth"},
    {"switzerlandnorth",        "Switzerland North", "Switzerland", "8.564572", "47.451542", "Zurich",
     "switzerlandwest"},
    {"norwayeast",  "Norway East", "Norway", "10.752245", "59.913868", "Norway", "norwaywest"},
    {"swedencentral",          "Sweden Central", "Sweden", "17.14127", "60.67488", "Gavle", "swedensouth"},
    {"eastasia",             "East Asia", "Asia Pacific", "114.188", "22.267", "Hong Kong", "southeastasia"},
    {"southeastasia",         "Southeast Asia", "Asia Pacific", "103.833", "1.283", "Singapore",
     "eastasia"},
    {"japaneast",         "Japan East", "Japan", "139.77", "35.68", "Tokyo, Saitama", "japanwest"},
    {"australiaeast",         "Australia East", "Australia", "151.2094", "-33.86", "New South Wales",
     "australiasoutheast"},
    {"centralindia",             "Central India", "India", "73.9197", "18.5822", "Pune", "southindia"},
    {"local",         "This machine", "Local", "0", "0", "This machine", NULL},
    {0 },
};

/* The same letters and digits, whatever the case and blanks between them. */
static bool same(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == ' ')
            a++;
        while (*b == ' ')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

const struct location *location_find(const char *text)
{
    for (const struct location *l = locations; text && l->name; l++)
        if (same(text, l->name) || same(text, l->display))
            return l;
    return NULL;
}
