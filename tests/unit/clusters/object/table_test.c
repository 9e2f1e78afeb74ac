#include "clusters/object/table.h"

#include <string.h>

#include "tests/unit/clusters/golden.h"
#include "tests/unit/unit.h"

#define NOW 1795276800 /* 2026-11-21T16:00:00Z */

/* ---- columns ---- */

static const struct resource *resource_at(const char *path)
{
    char group[100], version[20], plural[100];

    if (sscanf(path, "%99[^/]/%19[^/]/%99s", group, version, plural) == 3)
        return resource_find(group, version, plural);
    CU_ASSERT_EQUAL_FATAL(sscanf(path, "/%19[^/]/%99s", version, plural), 2);
    return resource_find("", version, plural);
}

static void columns(void)
{
    json_t *all = golden("table-columns.json"), *theirs, *ours, *column;
    const char *path;
    size_t n = 0, i;

    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    json_object_foreach(all, path, theirs)
    {
        const struct resource *r = resource_at(path);
        char text[16384];

        if (!r) {
            CU_ASSERT_PTR_NOT_NULL(strstr(path, "/v1beta3/")); /* served no more */
            continue;
        }
        snprintf(text, sizeof(text), "{%s}", table_columns(r));
        ours = json_loads(text, 0, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(ours);
        json_array_foreach(at(ours, "columnDefinitions"), i, column)
        {
            CU_ASSERT_EQUAL(json_object_del(column, "description"), 0);
        }
        CU_ASSERT(json_equal(at(ours, "columnDefinitions"), theirs));
        json_decref(ours);
        n++;
    }
    CU_ASSERT_EQUAL(n, 52);
    CU_ASSERT_PTR_EQUAL(table_columns(resource_find("", "v1", "pods")),
                        table_columns(resource_find("", "v1", "pods")));
    json_decref(all);
}

/* ---- cells ---- */

#define META              "'metadata':{'name':'x','creationTimestamp':'2026-11-21T15:57:00Z'}"
#define POD(spec, status) "{" META ",'spec':{" spec "},'status':{" status "}}"
#define C1                "'containers':[{'name':'a','image':'i'}]"
#define C2                "'containers':[{'name':'a'},{'name':'b'}]"
#define I2                "'initContainers':[{'name':'i'},{'name':'j'}]," C1
#define SIDE              "'initContainers':[{'name':'i','restartPolicy':'Always'}]," C1
#define RUNNING           "'ready':true,'state':{'running':{}}"
#define NONE4             "'<none>','<none>','<none>','<none>'"

/* clang-format off */
static const struct {
    const char *path, *object, *cells; /* in '' for "" */
} cases[] = {
    {"/v1/configmaps", "{" META ",'data':{'a':'1'},'binaryData':{'b':''}}", "['x',2,'3m']"},
    {"/v1/namespaces", "{" META ",'status':{'phase':'Active'}}", "['x','Active','3m']"},
    {"/v1/limitranges", "{" META "}", "['x','2026-11-21T15:57:00Z']"},
    {"/v1/secrets", "{'metadata':{'name':'x'},'type':'Opaque','data':{'a':'','b':''}}",
     "['x','Opaque',2,'<unknown>']"},
    {"/v1/endpoints",
     "{" META ",'subsets':[{'ports':[{'port':80},{'port':81}],'addresses':[{'ip':'10.0.0.1'},"
     "{'ip':'10.0.0.2'}]}]}",
     "['x','10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...','3m']"},
    {"/v1/endpoints", "{" META "}", "['x','<none>','3m']"},
    {"/v1/pods", POD(C1, "'phase':'Pending'"), "['x','0/1','Pending','0','3m'," NONE4 "]"},
    {"/v1/pods",
     POD(C2 ",'nodeName':'n'",
         "'phase':'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'}],'containerStatuses':["
         "{" RUNNING "},{" RUNNING ",'restartCount':2,'lastState':{'terminated':{'finishedAt':"
         "'2026-11-21T15:58:30Z'}}}]"),
     "['x','2/2','Running','2 (90s ago)','3m','10.0.0.1','n','<none>','<none>']"},
    {"/v1/pods",
     POD(C1,
         "'phase':'Running','containerStatuses':[{'restartCount':5,'state':{'waiting':{'reason':"
         "'CrashLoopBackOff'}}}]"),
     "['x','0/1','CrashLoopBackOff','5','3m'," NONE4 "]"},
    {"/v1/pods", POD(I2, "'phase':'Pending','initContainerStatuses':[{'name':'i','state':{}}]"),
     "['x','0/1','Init:0/2','0','3m'," NONE4 "]"},
    {"/v1/pods",
     POD(I2,
         "'phase':'Pending','initContainerStatuses':[{'name':'i','state':{'terminated':"
         "{'exitCode':0}}},{'name':'j','restartCount':3,'state':{'terminated':{'exitCode':7}}}]"),
     "['x','0/1','Init:ExitCode:7','3','3m'," NONE4 "]"},
    {"/v1/pods",
     POD(SIDE, "'phase':'Running','initContainerStatuses':[{'name':'i','started':true," RUNNING
               "}],'containerStatuses':[{" RUNNING "}]"),
     "['x','2/2','Running','0','3m'," NONE4 "]"},
    {"/v1/pods",
     POD(C2, "'phase':'Running','containerStatuses':[{'state':{'terminated':{'exitCode':0,'reason':"
             "'Completed'}}},{" RUNNING "}]"),
     "['x','1/2','NotReady','0','3m'," NONE4 "]"},
    {"/v1/pods",
     POD(C1, "'phase':'Failed','containerStatuses':[{'state':{'terminated':{'exitCode':137,"
             "'signal':9}}}]"),
     "['x','0/1','Signal:9','0','3m'," NONE4 "]"},
    {"/v1/pods", POD(C1, "'phase':'Failed','reason':'Evicted'"),
     "['x','0/1','Evicted','0','3m'," NONE4 "]"},
    {"/v1/pods",
     "{'metadata':{'name':'x','creationTimestamp':'2026-11-19T10:00:00Z','deletionTimestamp':"
     "'2026-11-21T16:00:00Z'},'spec':{" C1 ",'readinessGates':[{'conditionType':'g'}]},'status':{"
     "'phase':'Running','conditions':[{'type':'g','status':'True'}]}}",
     "['x','0/1','Terminating','0','2d6h','<none>','<none>','<none>','1/1']"},
    {"/v1/services",
     "{" META ",'spec':{'type':'LoadBalancer','clusterIP':'10.0.0.5','selector':{'b':'2','a':'1'},"
     "'ports':[{'port':80,'nodePort':30080,'protocol':'TCP'},{'port':53,'protocol':'UDP'}]}}",
     "['x','LoadBalancer','10.0.0.5','<pending>','80:30080/TCP,53/UDP','3m','a=1,b=2']"},
    {"/v1/services",
     "{" META ",'spec':{'type':'LoadBalancer','clusterIP':'10.0.0.5'},'status':{'loadBalancer':"
     "{'ingress':[{'ip':'127.0.1.2'}]}}}",
     "['x','LoadBalancer','10.0.0.5','127.0.1.2','<none>','3m','<none>']"},
    {"/v1/services", "{" META ",'spec':{'type':'ExternalName','externalName':'e.org'}}",
     "['x','ExternalName','<none>','e.org','<none>','3m','<none>']"},
    {"/v1/nodes",
     "{'metadata':{'name':'x','labels':{'node-role.kubernetes.io/b':'','kubernetes.io/role':'a'},"
     "'creationTimestamp':'2026-11-21T15:57:00Z'},'spec':{'unschedulable':true},'status':{"
     "'conditions':[{'type':'Ready','status':'True'}],'addresses':[{'type':'InternalIP','address':"
     "'10.1.0.4'}],'nodeInfo':{'kubeletVersion':'v1.33.5','osImage':'Debian'}}}",
     "['x','Ready,SchedulingDisabled','a,b','3m','v1.33.5','10.1.0.4','<none>','Debian',"
     "'<unknown>','<unknown>']"},
    {"/v1/events",
     "{" META ",'type':'Normal','reason':'Pulled','message':' ok\\n','count':3,'involvedObject':"
     "{'kind':'Pod','name':'p','fieldPath':'spec'},'source':{'component':'kubelet','host':'n'},"
     "'firstTimestamp':'2026-11-21T15:50:00Z','lastTimestamp':'2026-11-21T15:59:00Z'}",
     "['60s','Normal','Pulled','pod/p','spec','kubelet, n','ok','10m',3,'x']"},
    {"events.k8s.io/v1/events",
     "{" META ",'type':'Normal','reason':'R','note':'n','regarding':{'kind':'Job','name':'j'},"
     "'reportingController':'c','eventTime':'2026-11-21T15:59:59.000000Z'}",
     "['1s','Normal','R','job/j','','c','n','1s',1,'x']"},
    {"/v1/persistentvolumeclaims",
     "{" META
     ",'spec':{'volumeName':'v','storageClassName':'s','volumeMode':'Filesystem'},'status':"
     "{'phase':'Bound','capacity':{'storage':'1Gi'},'accessModes':['ReadWriteMany','ReadWriteOnce']"
     "}}",
     "['x','Bound','v','1Gi','RWO,RWX','s','<unset>','3m','Filesystem']"},
    {"/v1/resourcequotas",
     "{" META ",'status':{'hard':{'pods':'10','limits.cpu':'2','cpu':'1'},'used':{'pods':'1'}}}",
     "['x','3m','cpu: 0/1, pods: 1/10','limits.cpu: 0/2']"},
    {"apps/v1/deployments",
     "{" META ",'spec':{'replicas':3,'selector':{'matchLabels':{'app':'w'},'matchExpressions':[{"
     "'key':'t','operator':'NotIn','values':['b','a']}]},'template':{'spec':{" C1 "}}},'status':{"
     "'readyReplicas':2,'updatedReplicas':3,'availableReplicas':2}}",
     "['x','2/3',3,2,'3m','a','i','app=w,t notin (a,b)']"},
    {"apps/v1/replicasets",
     "{" META ",'spec':{'replicas':1,'template':{'spec':{" C1 "}}},'status':{'replicas':1}}",
     "['x',1,1,0,'3m','a','i','<none>']"},
    {"apps/v1/controllerrevisions",
     "{'metadata':{'name':'x','ownerReferences':[{'apiVersion':'apps/v1','kind':'DaemonSet','name':"
     "'d','controller':true}]},'revision':4}",
     "['x','daemonset.apps/d',4,'<unknown>']"},
    {"batch/v1/jobs",
     "{" META ",'spec':{'completions':2,'template':{'spec':{" C1 "}}},'status':{'succeeded':2,"
     "'startTime':'2026-11-21T15:00:00Z','completionTime':'2026-11-21T15:02:05Z','conditions':[{"
     "'type':'Complete','status':'True'}]}}",
     "['x','Complete','2/2','2m5s','3m','a','i','<none>']"},
    {"batch/v1/cronjobs",
     "{" META ",'spec':{'schedule':'* * * * *','suspend':false,'jobTemplate':{'spec':{'template':{"
     "'spec':{" C1 "}}}}}}",
     "['x','* * * * *','<none>','False',0,'<none>','3m','a','i','<none>']"},
    {"autoscaling/v2/horizontalpodautoscalers",
     "{" META
     ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'d'},'maxReplicas':5,'metrics':"
     "[{'type':'Resource','resource':{'name':'cpu','target':{'averageUtilization':80}}},{'type':"
     "'External','external':{'target':{'averageValue':'10'}}},{'type':'Pods'}]},'status':{"
     "'currentMetrics':[{'type':'Resource','resource':{'name':'cpu','current':{"
     "'averageUtilization':12}}}]}}",
     "['x','Deployment/d','cpu: 12%/80%, <unknown>/10 (avg) + 1 more...','<unset>',5,0,'3m']"},
    {"autoscaling/v1/horizontalpodautoscalers",
     "{" META ",'spec':{'scaleTargetRef':{'kind':'Deployment','name':'d'},'minReplicas':1,"
     "'maxReplicas':5,'targetCPUUtilizationPercentage':50},'status':{'currentReplicas':2}}",
     "['x','Deployment/d','cpu: <unknown>/50%','1',5,2,'3m']"},
    {"networking.k8s.io/v1/ingresses",
     "{" META ",'spec':{'tls':[{}],'rules':[{'host':'a'},{'host':'b'},{'host':'c'},{'host':'d'}]}}",
     "['x','<none>','a,b,c + 1 more...','','80, 443','3m']"},
    {"policy/v1/poddisruptionbudgets",
     "{" META ",'spec':{'minAvailable':'50%'},'status':{'disruptionsAllowed':1}}",
     "['x','50%','N/A',1,'3m']"},
    {"rbac.authorization.k8s.io/v1/rolebindings",
     "{" META
     ",'roleRef':{'kind':'Role','name':'r'},'subjects':[{'kind':'User','name':'u'},{'kind':"
     "'ServiceAccount','namespace':'n','name':'s'},{'kind':'User','name':'v'}]}",
     "['x','Role/r','3m','u, v','','n/s']"},
    {"storage.k8s.io/v1/storageclasses",
     "{'metadata':{'name':'x','annotations':{'storageclass.kubernetes.io/"
     "is-default-class':'true'}},"
     "'provisioner':'p'}",
     "['x (default)','p','Delete','Immediate',false,'<unknown>']"},
    {"certificates.k8s.io/v1/certificatesigningrequests",
     "{" META ",'spec':{'signerName':'s','username':'u','expirationSeconds':3600},'status':{"
     "'certificate':'Zg==','conditions':[{'type':'Approved','status':'True'}]}}",
     "['x','3m','s','u','60m','Approved,Issued']"},
    {"discovery.k8s.io/v1/endpointslices",
     "{" META
     ",'addressType':'IPv4','ports':[{'port':80},{}],'endpoints':[{'addresses':['1.1.1.1']}]"
     "}",
     "['x','IPv4','80,*','1.1.1.1','3m']"},
    {"networking.k8s.io/v1/ipaddresses",
     "{" META ",'spec':{'parentRef':{'resource':'services','namespace':'default','name':'k'}}}",
     "['x','services/default/k','3m']"},
};
/* clang-format on */

static json_t *from_single_quotes(const char *text)
{
    char copy[2048];

    CU_ASSERT_FATAL(strlen(text) < sizeof(copy));
    for (size_t i = 0; i == 0 || text[i - 1]; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    return json_loads(copy, 0, NULL);
}

static void cells(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *tree = from_single_quotes(cases[i].object), *row;
        const struct resource *r = resource_at(cases[i].path);
        struct text text;
        struct op op;

        op_init(&op);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        text_init(&text, &op.arena, 1 << 20);
        table_row(&op, &text, r, tree, BYTES("null"), NOW);
        row = json_loads(text.data, 0, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row);
        json_decref(tree);
        tree = from_single_quotes(cases[i].cells);
        if (!json_equal(at(row, "cells"), tree))
            printf("\n%s\nwanted %s", text.data, cases[i].cells);
        CU_ASSERT(json_equal(at(row, "cells"), tree));
        CU_ASSERT_PTR_NULL(at(row, "object"));
        json_decref(row);
        json_decref(tree);
        op_free(&op);
    }
}

/* Every kind's row has as many cells as columns, of an empty object, too. */
static void empty(void)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        json_t *tree = json_object(), *row, *definitions;
        char *columns_text;
        struct text text;
        struct op op;

        op_init(&op);
        text_init(&text, &op.arena, 1 << 20);
        table_row(&op, &text, *r, tree, BYTES("{\"a\":1}"), NOW);
        row = json_loads(text.data, 0, NULL);
        columns_text = arena_printf(&op.arena, "{%s}", table_columns(*r));
        definitions = json_loads(columns_text, 0, NULL);
        CU_ASSERT(row && definitions);
        CU_ASSERT_EQUAL(json_array_size(at(row, "cells")),
                        json_array_size(at(definitions, "columnDefinitions")));
        CU_ASSERT_EQUAL(int_at(row, "object.a", 0), 1);
        json_decref(row);
        json_decref(definitions);
        json_decref(tree);
        op_free(&op);
    }
}

static const struct {
    const char *since, *text;
} ages[] = {
    {"2026-11-21T16:00:00Z", "0s"       },
    {"2026-11-21T16:00:01Z", "0s"       },
    {"2026-11-21T16:00:02Z", "<invalid>"},
    {"2026-11-21T15:58:01Z", "119s"     },
    {"2026-11-21T15:58:00Z", "2m"       },
    {"2026-11-21T15:51:55Z", "8m5s"     },
    {"2026-11-21T13:01:00Z", "179m"     },
    {"2026-11-21T12:59:00Z", "3h1m"     },
    {"2026-11-20T16:00:00Z", "24h"      },
    {"2026-11-19T15:00:00Z", "2d1h"     },
    {"2026-10-21T16:00:00Z", "31d"      },
    {"2023-11-21T16:00:00Z", "3y1d"     },
    {"2010-11-21T16:00:00Z", "16y"      },
};

static void durations(void)
{
    const struct resource *r = resource_find("", "v1", "namespaces");

    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        json_t *tree = json_pack("{s:{s:s}}", "metadata", "creationTimestamp", ages[i].since), *row;
        struct text text;
        struct op op;

        op_init(&op);
        text_init(&text, &op.arena, 1 << 20);
        table_row(&op, &text, r, tree, BYTES("null"), NOW);
        row = json_loads(text.data, 0, NULL);
        CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(at(row, "cells"), 2)),
                               ages[i].text);
        json_decref(row);
        json_decref(tree);
        op_free(&op);
    }
}

CU_TestInfo clusters_object_table_tests[] = {
    {"columns are the recorded server's", columns  },
    {"cells as kubectl users know them",  cells    },
    {"rows of empty objects are whole",   empty    },
    {"ages",                              durations},
    CU_TEST_INFO_NULL,
};
