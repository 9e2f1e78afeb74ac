"""Pipeline files executed as their systems do: each shell step as the agent's own command line, each action or task by the
commands its source runs, services by a real Docker Engine. What a file says and this does not know fails the test."""

import base64
import json
import os
import re
import secrets
import shlex
import signal
import subprocess

import yaml

from harness import sundog_image
from harness.machine import TOP, need
from harness.server import Sundog, fresh_folder, wait_until

FILES = f"{TOP}/deploy/pipelines"
# `--privileged`, on machines that may not give CAP_SYS_RESOURCE away themselves: everything else it stands for
CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
    SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
    MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ""".split()
PRIVILEGED = [*(word for name in CAPABILITIES for word in ("--cap-add", name)), "--security-opt", "seccomp=unconfined",
              "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined",
              "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
INHERITED = ("PATH", "LANG", "LSAN_OPTIONS", "ASAN_OPTIONS")


def service_options(text):
    """The words of `options:`, --privileged replaced."""
    words = []
    for word in shlex.split(text or ""):
        words += PRIVILEGED if word == "--privileged" else [word]
    return words


class Log(list):
    """What a job's log shows: lines, secrets replaced once they are known."""

    def __init__(self):
        super().__init__()
        self.masks = set()

    def mask(self, secret):
        if secret.strip():
            self.masks.add(secret)

    def add(self, text):
        for line in text.splitlines():
            for secret in sorted(self.masks, key=len, reverse=True):
                line = line.replace(secret, "***")
            self.append(line)

    def text(self):
        return "\n".join(self)


class Failed(AssertionError):
    pass


class Job:
    """A job on an agent: a copy of this tree's files, a Docker Engine on the agent's network, variables, a log."""

    def __init__(self, docker):
        need("az", "docker", "jq", "curl")
        self.docker, self.log, self.containers, self.networks = docker, Log(), [], []
        self.folder = fresh_folder("j")
        self.temp, self.home, self.work = (f"{self.folder}/{name}" for name in ("temp", "home", "work"))
        for path in (self.temp, self.home, f"{self.work}/deploy"):
            os.makedirs(path)
        subprocess.run(["cp", "-R", FILES, f"{self.work}/deploy/pipelines"], check=True)
        self.variables = {}

    def close(self):
        for name in self.containers:
            self.docker("rm", "-f", "-v", name, check=False)
        for name in self.networks:
            self.docker("network", "rm", name, check=False)

    # what the agent's machine gives every step

    def environment(self, **more):
        own = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {**own, "HOME": self.home, "DOCKER_HOST": f"unix://{self.docker.socket}", "DOCKER_BUILDKIT": "0",
                "KUBECACHEDIR": f"{self.home}/kube", **self.variables, **more}

    def beside(self):
        return ["nsenter", "-t", str(self.docker.process.pid), "-n"]

    def execute(self, command, env, stdin=None, cwd=None, input=None):
        """One process of the job; its output, and what it did with its end."""
        done = subprocess.run([*self.beside(), *command], env=env, cwd=cwd or self.work, input=input, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=900, check=False)
        return done.returncode, done.stdout

    def start_service(self, name, image, ports, env, options, aliases=(), network=None):
        """A service's container, which is waited for until it is healthy."""
        words = ["run", "-d", "--name", f"{name}-{secrets.token_hex(4)}"]
        for port in ports or ():
            words += ["-p", str(port)]
        for key, value in (env or {}).items():
            words += ["-e", f"{key}={value}"]
        if network:
            words += ["--network", network]
            for alias in aliases:
                words += ["--network-alias", alias]
        container = self.docker(*words, *service_options(options), image).stdout.strip()
        self.containers.append(container)
        ready = self.docker("exec", container, "sundog", "ready", "--wait", "300", check=False)
        assert ready.returncode == 0, ready.stderr + self.said_by(container)
        return container

    def said_by(self, container):
        said = self.docker("logs", container, check=False)
        return said.stdout[-2000:] + said.stderr[-4000:]

    def failed(self, what, code):
        services = "\n".join(self.said_by(container) for container in self.containers)
        raise Failed(f"{what} ended with {code}:\n{self.log.text()}\n--- services\n{services}")


def engine():
    return sundog_image.engine(network=True)


def load(name):
    with open(f"{FILES}/{name}", encoding="utf-8") as file:
        return yaml.safe_load(file)


# GitHub Actions


class GitHub(Job):
    """https://docs.github.com/actions: workflow syntax, workflow commands, contexts."""

    SHA = "f0e1d2c3b4a5968778695a4b3c2d1e0f01234567"

    def __init__(self, docker, file, **repository):
        """repository: its `vars`."""
        super().__init__(docker)
        self.job = next(iter(load(file)["jobs"].values()))
        self.context = {"github": {"sha": self.SHA, "workspace": self.work}, "vars": repository, "job": {"services": {}},
                        "steps": {}, "runner": {"temp": self.temp}}
        self.job_env = {}

    def value(self, text):
        """With every ${{ … }} replaced; a name that is not there is a mistake of the file."""
        def look(match):
            node = {**self.context, "env": {**self.job_env, **self.variables}}
            for part in match[1].split("."):
                assert part in node, f"{match[0]}: there is no {part}"
                node = node[part]
            return str(node)

        return re.sub(r"\$\{\{\s*([\w.-]+)\s*\}\}", look, text) if isinstance(text, str) else text

    def env(self, **more):
        file = {"GITHUB_ENV": f"{self.temp}/env", "GITHUB_OUTPUT": f"{self.temp}/output"}
        for path in file.values():
            open(path, "w", encoding="utf-8").close()
        return self.environment(**{**self.job_env, **self.variables, "GITHUB_SHA": self.SHA, "GITHUB_WORKSPACE": self.work,
                                   "RUNNER_TEMP": self.temp, "CI": "true", **file, **more})

    def hear(self, output):
        """The runner reads commands out of what a step prints, line by line."""
        for line in output.splitlines():
            if line.startswith("::add-mask::"):
                self.log.mask(line[len("::add-mask::"):])
                line = "::add-mask::***"
            self.log.add(line)

    def keep(self, step):
        def pairs(name):
            with open(f"{self.temp}/{name}", encoding="utf-8") as file:
                return dict(line.split("=", 1) for line in file.read().splitlines() if line)

        self.variables.update(pairs("env"))
        if "id" in step:
            self.context["steps"][step["id"]] = {"outputs": pairs("output")}

    def command(self, *words, env=None, silent=False):
        """What an action's exec.exec() runs."""
        code, said = self.execute(words, env or self.env())
        self.log.add("" if silent else f"[command]{' '.join(words)}")
        self.hear("" if silent and code == 0 else said)
        if code != 0:
            self.failed(words[0], code)
        return said

    def run(self):
        for key, value in self.job.get("env", {}).items():
            self.job_env[key] = self.value(value)
        for name, service in self.job["services"].items():
            assert set(service) <= {"image", "ports", "env", "options"}, service
            self.context["job"]["services"][name] = {"id": self.start_service(
                name, self.value(service["image"]), service.get("ports"), service.get("env"), service.get("options"))}
        for step in self.job["steps"]:
            assert set(step) <= {"name", "id", "run", "uses", "with", "env"}, step
            if "run" in step:
                self.shell(step)
            else:
                action, version = step["uses"].split("@")
                assert re.fullmatch(r"v\d+", version), step["uses"]
                given = {name: self.value(text) for name, text in step.get("with", {}).items()}
                ACTIONS[action](self, given)
        return self

    def shell(self, step):
        """bash --noprofile --norc -eo pipefail {0}: what `shell: bash`, and so `run:` on Linux, is."""
        script = f"{self.temp}/{secrets.token_hex(8)}.sh"
        with open(script, "w", encoding="utf-8") as file:
            file.write(self.value(step["run"]) + "\n")
        self.log.add(f"Run {self.value(step['run'])}")
        code, said = self.execute(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
                                  self.env(**{key: self.value(text) for key, text in step.get("env", {}).items()}))
        self.hear(said)
        if code != 0:
            self.failed(step.get("name", step["run"]), code)
        self.keep(step)


def given(inputs, required, optional=()):
    """An action's inputs: those it wants, and none it does not have."""
    assert set(required) <= set(inputs) <= {*required, *optional}, inputs
    return [inputs[name] for name in required]


def checkout(job, inputs):
    given(inputs, ())


def azure_login(job, inputs):
    """azure/login: az version; az cloud set -n azurecloud; az login; az account set."""
    creds = json.loads(given(inputs, ["creds"])[0])
    for name in ("clientSecret",):
        job.log.mask(creds[name])
    job.command("az", "version", silent=True)
    job.command("az", "cloud", "set", "-n", "azurecloud")
    job.command("az", "login", "--service-principal", "--username", creds["clientId"], "--tenant", creds["tenantId"],
                f"--password={creds['clientSecret']}", silent=True)
    job.command("az", "account", "set", "--subscription", creds["subscriptionId"], silent=True)


def docker_login(job, inputs):
    """azure/docker-login: an entry in $DOCKER_CONFIG/config.json."""
    server, user, password = given(inputs, ["login-server", "username", "password"])
    folder = job.variables.get("DOCKER_CONFIG") or f"{job.temp}/docker_login_1"
    os.makedirs(folder, exist_ok=True)
    config = {}
    if os.path.exists(f"{folder}/config.json"):
        with open(f"{folder}/config.json", encoding="utf-8") as file:
            config = json.load(file)
    config.setdefault("auths", {})[server] = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    job.variables["DOCKER_CONFIG"] = folder


def aks_set_context(job, inputs):
    """azure/aks-set-context: az aks get-credentials into a file of the job's."""
    group, cluster = given(inputs, ["resource-group", "cluster-name"])
    path = f"{job.temp}/kubeconfig_1"
    job.command("az", "aks", "get-credentials", "--resource-group", group, "--name", cluster, "-f", path)
    os.chmod(path, 0o600)
    job.variables.update(KUBECONFIG=path, KUBE_CONFIG_PATH=path)


def with_images(paths, images, folder):
    """The manifests with the tags of these images, as azure/k8s-deploy and KubernetesManifest substitute them: (file, documents)."""
    documents = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            documents += [document for document in yaml.safe_load_all(file) if document]
    for image in images:
        name = image.rsplit(":", 1)[0]
        for document in documents:
            for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
                if container["image"] == name or container["image"].rsplit(":", 1)[0] == name:
                    container["image"] = image
    target = f"{folder}/manifests-{secrets.token_hex(4)}.yaml"
    with open(target, "w", encoding="utf-8") as file:
        yaml.safe_dump_all(documents, file)
    return target, documents


def deploy_manifests(job, manifests, images, annotation, tail=()):
    """The kubectl commands that both run: apply, rollout status, the service's address, annotate."""
    file, documents = with_images(manifests, images, job.temp)
    job.command("kubectl", "apply", "-f", file, *tail)
    for document in documents:
        if document["kind"] == "Deployment":
            job.command("kubectl", "rollout", "status", f"Deployment/{document['metadata']['name']}", *tail)
        elif document["kind"] == "Service" and document["spec"].get("type") == "LoadBalancer":
            job.command("kubectl", "get", f"service/{document['metadata']['name']}", "-o", "json", *tail)
    pods = json.loads(job.command("kubectl", "get", "pods", "-o", "json", *tail, silent=True))["items"]
    job.command("kubectl", "annotate", "-f", file, annotation, "--overwrite", *tail)
    for pod in pods:
        job.command("kubectl", "annotate", "pod", pod["metadata"]["name"], annotation, "--overwrite", *tail)
    return file


def k8s_deploy(job, inputs):
    """azure/k8s-deploy, strategy basic: first a pull of each image, for the label of its Dockerfile."""
    manifests, images = given(inputs, ["manifests", "images"])
    for image in images.split():
        job.command("docker", "pull", image)
        job.command("docker", "inspect", image, silent=True)
    annotation = json.dumps({"run": "1", "repository": "team/app", "commit": job.SHA})
    file = deploy_manifests(job, [f"{job.work}/{path}" for path in manifests.split()], images.split(),
                            f"actions.github.com/k8s-deploy={annotation}", ("--namespace", "default"))
    job.command("kubectl", "label", "-f", file, "workflow=deploy", "--overwrite", "--namespace", "default")


ACTIONS = {"actions/checkout": checkout, "azure/login": azure_login, "azure/docker-login": docker_login,
           "azure/aks-set-context": aks_set_context, "azure/k8s-deploy": k8s_deploy}


# Azure Pipelines


class AzurePipelines(Job):
    """https://learn.microsoft.com/azure/devops/pipelines: the agent's variables, macros, logging commands and services."""

    def __init__(self, docker, file, variables, connections):
        """variables: of the pipeline's settings, name → (value, secret?); connections: the project's, by name."""
        super().__init__(docker)
        self.pipeline, self.connections = load(file), connections
        self.macros = {"Build.BuildId": "4711", "Build.SourceVersion": GitHub.SHA, "Agent.TempDirectory": self.temp}
        self.hidden = set()
        for name, (value, secret) in variables.items():
            self.macros[name] = value
            if secret:
                self.hidden.add(name)
                self.log.mask(value)

    def value(self, text):
        """Macros: $(name). The agent leaves unknown ones as they are; a shell takes them for commands: no file of ours has one."""
        def look(match):
            assert match[1] in self.macros, f"{match[0]} is no variable"
            return self.macros[match[1]]

        return re.sub(r"\$\(([A-Za-z][\w.]*)\)", look, text) if isinstance(text, str) else text

    def env(self):
        """Each variable that is not secret, in capitals, points as underscores."""
        told = {name.upper().replace(".", "_"): value for name, value in self.macros.items() if name not in self.hidden}
        return self.environment(**told, BUILD_SOURCESDIRECTORY=self.work, TF_BUILD="True")

    def hear(self, output):
        for line in output.splitlines():
            command = re.match(r"##vso\[task\.(\w+)(?: ([^\]]*))?\](.*)", line)
            if not command:
                self.log.add(line)
            elif command[1] == "setsecret":
                self.log.mask(command[3])
            else:
                assert command[1] == "setvariable", line
                properties = dict(word.split("=", 1) for word in command[2].split(";") if word)
                assert set(properties) == {"variable"}, line
                self.macros[properties["variable"]] = command[3]

    def command(self, *words, env=None, silent=False, input=None):
        code, said = self.execute(words, env or self.env(), input=input)
        self.log.add("" if silent else f"[command]{' '.join(words)}")
        self.log.add("" if silent and code == 0 else said)
        if code != 0:
            self.failed(words[0], code)
        return said

    def run(self):
        containers = {one["container"]: one for one in self.pipeline["resources"]["containers"]}
        assert set(self.pipeline) == {"trigger", "resources", "pool", "jobs"}, list(self.pipeline)
        network = f"vsts-network-{secrets.token_hex(4)}"
        self.docker("network", "create", network)
        self.networks.append(network)
        for job in self.pipeline["jobs"]:
            assert set(job) == {"job", "services", "steps"}, list(job)
            mapping = {}
            for alias, name in job["services"].items():
                assert set(containers[name]) <= {"container", "image", "ports", "options", "env"}, containers[name]
                env = {key: self.value(text) for key, text in containers[name].get("env", {}).items()}
                mapping[alias] = {"id": self.start_service(name, self.value(containers[name]["image"]), containers[name].get("ports"),
                                                           env, containers[name].get("options"), [alias], network)}
            self.macros["Agent.ContainerMapping"] = json.dumps(mapping)
            for step in job["steps"]:
                if "task" in step:
                    assert set(step) <= {"task", "displayName", "inputs"}, step
                    TASKS[step["task"]](self, {name: self.value(text) for name, text in step["inputs"].items()})
                else:
                    assert set(step) <= {"bash", "displayName"}, step
                    self.shell(step)
        return self

    def shell(self, step):
        """Bash@3: bash FILE, without -e: the last command's status is the step's."""
        script = f"{self.temp}/{secrets.token_hex(8)}.sh"
        with open(script, "w", encoding="utf-8") as file:
            file.write(self.value(step["bash"]) + "\n")
        self.log.add(f"Script contents:\n{self.value(step['bash'])}")
        code, said = self.execute(["bash", script], self.env())
        self.hear(said)
        if code != 0:
            self.failed(step.get("displayName", step["bash"]), code)


def docker_2(job, inputs):
    """Docker@2 with a connection of type "Others": an auths entry in a config of the task's own; docker build, docker push."""
    connection = job.connections[inputs["containerRegistry"]]
    host = re.sub("^https?://|/$", "", connection["registry"])
    folder = f"{job.temp}/docker-config"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        auth = base64.b64encode(f"{connection['username']}:{connection['password']}".encode()).decode()
        json.dump({"auths": {connection["registry"]: {"auth": auth, "email": ""}}, "HttpHeaders": {"X-Meta-Source-Client": "VSTS"}}, file)
    env = {**job.env(), "DOCKER_CONFIG": folder}
    if inputs["command"] == "login":
        given(inputs, ["command", "containerRegistry"])
        job.macros["DOCKER_CONFIG"] = folder
        return
    image = f"{host}/{inputs['repository']}:{inputs['tags']}"
    if inputs["command"] == "build":
        given(inputs, ["command", "containerRegistry", "repository", "tags", "Dockerfile"], ["arguments"])
        path = f"{job.work}/{inputs['Dockerfile']}"
        job.command("docker", "build", "-f", path, "--label", f"com.azure.dev.image.build.sourceversion={job.macros['Build.SourceVersion']}",
                    *shlex.split(inputs.get("arguments", "")), "-t", image, os.path.dirname(path), env=env)
    else:
        assert inputs["command"] == "push", inputs
        given(inputs, ["command", "containerRegistry", "repository", "tags"])
        job.command("docker", "push", image, env=env)
        job.command("docker", "history", "--format", "createdAt:{{.CreatedAt}}; layerSize:{{.Size}}; createdBy:{{.CreatedBy}}",
                    "--no-trunc", image, env=env, silent=True)


def kubernetes_manifest_1(job, inputs):
    """KubernetesManifest@1 with a connection of the environment AzureStack: where to sign in by the metadata, a token for its
    principal, the access profile, all by the paths it writes (with two slashes, and one at the end), then kubectl.
    Node reads our CA from NODE_EXTRA_CA_CERTS, which the job's variables have become."""
    action, kind, name, group, cluster, manifests, images = given(
        inputs, ["action", "connectionType", "azureSubscriptionConnection", "azureResourceGroup", "kubernetesCluster", "manifests", "containers"])
    assert (action, kind) == ("deploy", "azureResourceManager"), inputs
    connection = job.connections[name]

    def ask(*words):
        return json.loads(job.command("curl", "-fsS", "--cacert", job.env()["NODE_EXTRA_CA_CERTS"], *words, silent=True))

    there = ask(f"{connection['url']}metadata/endpoints?api-version=2015-01-01")["authentication"]
    authority = there["loginEndpoint"].rstrip("/") + "/"
    form = {"resource": there["audiences"][0], "client_id": connection["clientId"], "grant_type": "client_credentials",
            "client_secret": connection["clientSecret"]}
    tenant = "" if authority.endswith("/adfs/") else connection["tenantId"]
    token = ask(*(word for key, value in form.items() for word in ("--data-urlencode", f"{key}={value}")),
                f"{authority}{tenant}/oauth2/token/")["access_token"]
    job.log.mask(token)
    profile = ask("-H", f"Authorization: Bearer {token}",
                  f"{connection['url']}/subscriptions/{connection['subscriptionId']}/resourceGroups/{group}/providers/Microsoft.ContainerService"
                  f"/managedClusters/{cluster}/accessProfiles/clusterUser?api-version=2017-08-31")
    config, kept = f"{job.temp}/kubeconfig", job.macros["KUBECONFIG"]
    with open(config, "wb") as file:
        file.write(base64.b64decode(profile["properties"]["kubeConfig"]))
    job.macros["KUBECONFIG"] = config
    deploy_manifests(job, [f"{job.work}/{path}" for path in manifests.split()], images.split(), "azure-pipelines/run=4711")
    job.macros["KUBECONFIG"] = kept


TASKS = {"Docker@2": docker_2, "KubernetesManifest@1": kubernetes_manifest_1}


# GitLab CI


class GitLab(Job):
    """https://docs.gitlab.com/ci/yaml: variables, services, before_script and script as one shell, run by the Docker executor.

    The job's container is this machine with names of its own: each service's alias in /etc/hosts. docker:dind is the
    test's engine, which is given the service's arguments: nothing here can fetch that image."""

    def __init__(self, docker, file, name, settings):
        """settings: the project's CI/CD variables, name → (value, masked?)."""
        super().__init__(docker)
        self.file = load(file)
        self.job = self.file[name]
        assert set(self.file) == {"variables", name} and set(self.job) == {"image", "services", "variables", "before_script", "script"}
        self.known = {"CI_COMMIT_SHA": GitHub.SHA, "CI_PROJECT_DIR": self.work, "CI": "true"}
        for key, (value, masked) in settings.items():
            self.known[key] = value
            if masked:
                self.log.mask(value)
        for key, value in {**self.file["variables"], **self.job["variables"]}.items():
            assert isinstance(value, str), f"{key} is no text"
            self.known.setdefault(key, self.value(value))

    def value(self, text):
        def look(match):
            assert match[1] in self.known, f"${match[1]} is no variable"
            return self.known[match[1]]

        return re.sub(r"\$(\w+)", look, text)

    def run(self):
        assert self.known["FF_NETWORK_PER_BUILD"] == "true"  # else no service reaches another one
        network = f"build-{secrets.token_hex(4)}"
        self.docker("network", "create", network)
        self.networks.append(network)
        self.value(self.job["image"])
        hosts = {"localhost": "127.0.0.1"}
        for service in self.job["services"]:
            if service["name"] == "docker:dind":
                hosts[service["alias"]] = "127.0.0.1"
                registries = [re.fullmatch("--insecure-registry=(.*)", word)[1] for word in service["command"]]
                assert self.known["DOCKER_HOST"] == f"tcp://{service['alias']}:2375" and self.known["DOCKER_TLS_CERTDIR"] == ""
                continue
            assert set(service) == {"name", "alias"}, service
            given_to_services = {key: value for key, value in self.known.items() if key.startswith("SUNDOG_") and key != "SUNDOG_IMAGE"}
            container = self.start_service(service["alias"], self.value(service["name"]), (), given_to_services, "--privileged",
                                           [service["alias"]], network)
            networks = json.loads(self.docker("inspect", container).stdout)[0]["NetworkSettings"]["Networks"]
            hosts[service["alias"]] = networks[network]["IPAddress"]
        self.engine_knows(hosts, registries)
        self.shell(hosts)
        return self

    def engine_knows(self, hosts, registries):
        """The engine in docker:dind stands in the job's network, and has the service's arguments."""
        self.write_hosts(hosts)
        pid = str(self.docker.process.pid)
        subprocess.run(["nsenter", "-t", pid, "-m", "mount", "--bind", f"{self.folder}/hosts", "/etc/hosts"], check=True)
        with open(f"{self.docker.folder}/daemon.json", "w", encoding="utf-8") as file:
            json.dump({"insecure-registries": registries}, file)
        os.kill(self.docker.process.pid, signal.SIGHUP)
        wait_until(lambda: all(name in self.docker("info").stdout for name in registries), "the engine knows the registries")

    def write_hosts(self, hosts):
        with open(f"{self.folder}/hosts", "w", encoding="utf-8") as file:
            file.writelines(f"{address} {name}\n" for name, address in hosts.items())

    def shell(self, hosts):
        """One script: `set -eo pipefail`, each line said before it runs."""
        lines = ["set -eo pipefail"]
        for line in [*self.job["before_script"], *self.job["script"]]:
            lines += [f"echo {shlex.quote('$ ' + line)}", line]
        with open(f"{self.temp}/script", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.write_hosts(hosts)
        env = self.environment(**{**self.known, "DOCKER_HOST": f"unix://{self.docker.socket}"})
        mounted = f"mount --bind {self.folder}/hosts /etc/hosts && exec bash {self.temp}/script"
        code, said = self.execute(["unshare", "-mpf", "--mount-proc", "--kill-child", "sh", "-c", mounted], env)
        self.log.add(said)
        if code != 0:
            self.failed("the job", code)


# Jenkins


class Jenkins(Job):
    """A declarative Jenkinsfile of sh steps: each is `sh -xe FILE` in the workspace, with the pipeline's environment."""

    def __init__(self, docker, file, agent):
        """agent: variables of the agent's machine."""
        super().__init__(docker)
        self.variables.update(agent)
        with open(f"{FILES}/{file}", encoding="utf-8") as text:
            self.text = re.sub(r"^\s*//.*\n", "", text.read(), flags=re.M)
        self.seen = ""
        self.known = {"WORKSPACE": self.work, "BUILD_NUMBER": "42"}

    def block(self, name, text):
        """What stands in the braces after the name."""
        start = re.search(rf"\b{name}\s*\{{", text)
        assert start, f"there is no {name} in it"
        depth, at = 1, start.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        return text[start.end():at - 1]

    def steps(self, text):
        """The sh steps of a block, which has nothing else."""
        found = re.findall(r"sh '''(.*?)'''", text, re.S)
        assert found and not re.sub(r"sh '''.*?'''", "", text, flags=re.S).strip(), text
        assert all("\\" not in script for script in found), "Groovy would take the backslash for its own"
        return found

    def run(self):
        scripts = {}

        def keep(match):  # so that braces in scripts are none of Groovy's
            scripts[f"script{len(scripts)}"] = match[1]
            return f"sh '''script{len(scripts) - 1}'''"

        pipeline = self.block("pipeline", re.sub(r"sh '''(.*?)'''", keep, self.text, flags=re.S).replace("${WORKSPACE}", self.work))
        for name, double, single in re.findall(r"(\w+) = (?:\"([^\"]*)\"|'([^']*)')", self.block("environment", pipeline)):
            self.known[name] = double or single
        stages = self.block("stages", pipeline)
        for title in re.findall(r"stage\('([^']+)'\)", stages):
            stage = self.block(rf"stage\('{re.escape(title)}'\)", stages)
            self.log.add(f"[Pipeline] {{ ({title})")
            self.shell(title, [scripts[name] for name in self.steps(self.block("steps", stage))])
        self.shell("post", [scripts[name] for name in self.steps(self.block("always", self.block("post", pipeline)))])
        return self

    def shell(self, title, given_scripts):
        for script in given_scripts:
            with open(f"{self.temp}/script.sh", "w", encoding="utf-8") as file:
                file.write(script + "\n")
            code, said = self.execute(["sh", "-xe", f"{self.temp}/script.sh"], self.environment(**self.known))
            self.log.add(said)
            if code != 0:
                self.failed(title, code)


class OnTheAgent(Sundog):
    """A Sundog on the machine whose network a test's engine has."""

    def __init__(self, docker, **options):
        self.docker = docker
        super().__init__(**options)

    def command(self):
        return ["nsenter", "-t", str(self.docker.process.pid), "-n", *super().command()]

    def status(self, path):
        said = self.docker.beside("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", self.plain + path, check=False)
        return int(said.stdout or 0)
