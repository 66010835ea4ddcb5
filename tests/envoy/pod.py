"""A pod of `nr render kubernetes`, its containers running here with the commands of its manifest.

What a pod has to itself and a machine does not is replaced: paths by those of its volumes, addresses and the port of metrics.
"""

import copy
import dataclasses
import hashlib
import json
from pathlib import Path

import httpx

import cluster
import configuration
import programs
import reloading
from cluster import Volumes
from gateway import Gateway
from programs import Child
from stack import Stack

METRICS = 9902
SECRET = "neural-router-providers"


class Pod:
    """One pod, from its manifests on. `configure` changes the suite's configuration before they are rendered."""

    def __init__(self, stack: Stack, folder: Path, configure=lambda config: None):
        listen, admin, self.metrics = programs.free_ports(3)
        self.folder = folder
        self.config = configuration.document(listen, admin, stack.simulator.providers, stack.secrets)
        self.config["routing"] |= reloading.PATIENCE
        reloading.acme(self.config)["budget"] = {"usd": 1000, "period": "total"}
        configure(self.config)
        self.file = folder / "neural-router.yaml"
        self.manifests = self.rendered(self.config)
        self.spec = cluster.only(self.manifests, "Deployment")["spec"]["template"]["spec"]
        self.entries = dict(stack.secrets.environment())
        self.volumes = Volumes(folder / "volumes", self.spec, self.manifests, {SECRET: self.entries})
        self.volumes.mount()
        (folder / "volumes/module/neural_router.wasm").symlink_to(programs.wasm())
        self.gateway = Gateway(listen, stack.secrets.workspace[reloading.WORKSPACE])
        self.admin = f"127.0.0.1:{admin}"
        self.stack = stack
        self.apply: Child | None = None
        self.read = 0  # of the sidecar's log, before the latest change
        self.envoy: Child | None = None

    def rendered(self, config: dict) -> list[dict]:
        """The manifests of a configuration."""
        self.file.write_text(configuration.to_yaml(config))
        rendered = programs.run([programs.nr(), "render", "kubernetes", "--image", "neural-router:local", "--config", self.file])
        assert rendered.returncode == 0, rendered.stderr
        return cluster.documents(rendered.stdout)

    def container(self, name: str) -> dict:
        """What the manifest says of a container."""
        return next(one for kind in ("initContainers", "containers") for one in self.spec[kind] if one["name"] == name)

    def words(self, name: str, words: list[str] | None = None) -> list[str]:
        """The command of a container, or other words of it, as they have to be here."""
        container = self.container(name)
        # What one container writes down as a place may be a place of another.
        places = self.volumes.places(self.container("envoy")) | self.volumes.places(container)
        here = (cluster.placed(f"{word}\n", places).removesuffix("\n") for word in words or container["command"])
        return [word.replace(f"0.0.0.0:{METRICS}", f"127.0.0.1:{self.metrics}").replace("://0.0.0.0:", "://127.0.0.1:") for word in here]

    def start(self) -> None:
        """The containers, in Kubernetes' order."""
        source, target = self.words("module")[1:]
        assert (Path(source).name, target) == ("neural_router.wasm", str(self.folder / "volumes/module/neural_router.wasm"))
        program, *words = self.words("render")
        rendered = programs.run([programs.nr(), *words])
        assert (program, rendered.returncode) == ("nr", 0), rendered.stderr
        assert self.container("apply")["restartPolicy"] == "Always"
        self.start_apply()
        self.apply.wait_until(lambda: " waiting: " in self.apply.output(), "to wait for Envoy")
        self.start_envoy()

    def start_apply(self) -> None:
        """The sidecar."""
        program, *words = self.words("apply")
        assert program == "nr"
        self.apply, self.read = Child("apply", [programs.nr(), *words], self.folder), 0

    def start_envoy(self) -> None:
        """The container that serves."""
        program, *words = self.words("envoy")
        assert program == "envoy"
        self.envoy = Child("envoy", [programs.envoy(), *words], self.folder)
        self.envoy.wait_until(lambda: self.well("startupProbe"), "its startup probe", 40)

    def stop(self) -> None:
        """Ends what runs."""
        for child in (self.apply, self.envoy):
            if child:
                child.stop()

    def well(self, probe: str) -> bool:
        """Whether a probe finds the pod well."""
        container = self.container("envoy")
        asked = container[probe]["httpGet"]
        assert (asked["port"], asked["scheme"]) == (container["ports"][0]["name"], "HTTP")
        try:
            return httpx.get(f"{self.gateway.url}{asked['path']}", timeout=3, trust_env=False).is_success
        except httpx.TransportError:
            return False

    @property
    def live(self) -> reloading.Live:
        """The running gateway, to ask where it stands."""
        return reloading.Live(self.file, self.folder / "volumes/run", self.config, self.stack.secrets, self.envoy, self.admin, self.gateway)

    def write(self, text: str) -> str:
        """Puts this text into the ConfigMap and moves kubelet's link to it. Returns how the log names it."""
        self.read = len(self.apply.output())
        cluster.only(self.manifests, "ConfigMap")["data"]["neural-router.yaml"] = text
        self.volumes.mount("config")
        return f"file {hashlib.sha256(text.encode()).hexdigest()[:12]} "

    def change(self, change) -> str:
        """Changes the configuration in the ConfigMap."""
        config = copy.deepcopy(self.config)
        change(config)
        self.config = config
        # JSON is YAML too, and written in a fraction of the time.
        return self.write(json.dumps(config))

    def said(self, name: str, seconds: float = 20) -> str:
        """What the sidecar says last of the file of this name, since it was written."""
        def line() -> str | None:
            lines = [line for line in self.apply.output()[self.read:].splitlines() if name in line]
            return lines[-1].partition(name)[2] if lines else None
        return self.apply.wait_until(line, f"a line about {name}", seconds)

    def taken(self, change) -> str:
        """Changes the configuration and returns what was applied of it."""
        said = self.said(self.change(change))
        assert said.startswith("applied: "), said
        return said

    def as_stack(self) -> Stack:
        """The same in the form of the suite's other gateways."""
        return dataclasses.replace(self.stack, folder=self.folder, config=self.config, gateway=self.gateway, admin=self.admin, envoy=self.envoy)
