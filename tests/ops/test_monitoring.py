"""Alerts, dashboard and runbooks against the metrics of a run, by Prometheus's own tools and a real Prometheus."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import aiohttp
import pytest
import yaml

from p9.app import Appliance
from p9.config import parse
from p9.simulate.server import Simulator

DOCS = Path(__file__).parents[2] / "docs"
MONITORING = DOCS / "monitoring"
ALERTS = [rule for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
WHY = "needs Prometheus's tools: apt-get install prometheus"
FUNCTIONS = {"histogram_quantile"}


def names(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", "", expression)
    return {word for word in re.findall(r"[a-z_][a-z0-9_]*", bare) if "_" in word} - FUNCTIONS


def promtool(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run(["promtool", *words], cwd=MONITORING, capture_output=True, text=True, check=False, **more)


@pytest.mark.skipif(shutil.which("promtool") is None, reason=WHY)
def test_prometheus_finds_the_rules_right_and_they_ring_and_keep_quiet_as_their_test_says():
    for words in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"], ["check", "config", "prometheus.yaml"]):
        done = promtool(*words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_runbook_and_every_runbook_its_alert():
    headings = set(re.findall(r"^### (\w+)$", (DOCS / "operations.md").read_text(), re.M))
    assert headings == {rule["alert"] for rule in ALERTS}
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_each_alert_that_can_be_made_to_ring_is_made_to():
    tried = {row["alertname"] for test in yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())["tests"] for row in test["alert_rule_test"]}
    assert tried <= {rule["alert"] for rule in ALERTS} and len(tried) >= 10


@pytest.mark.skipif(shutil.which("prometheus") is None, reason=WHY)
async def test_a_real_prometheus_scrapes_a_run_and_nothing_rings(tmp_path):
    """Every metric that an alert or a panel reads is there, the rules are evaluated without an error, and a healthy run alarms nobody."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    simulator = Simulator()
    await simulator.start()
    appliance = Appliance(parse(json.dumps({"data_dir": str(tmp_path / "data"), "http": {"port": 0}})), endpoints=simulator.endpoints)
    await appliance.start()
    config = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms", "scrape_timeout": "500ms"}
    config["rule_files"] = [str(MONITORING / "alerts.yaml")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [appliance.pages.url.removeprefix("http://")]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    process = await asyncio.create_subprocess_exec(
        "prometheus", f"--config.file={tmp_path}/prometheus.yaml", f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session, asyncio.timeout(90):
            async def ask(path: str, **query: str):
                async with session.get(path, params=query) as answer:
                    return (await answer.json())["data"]

            async def there() -> bool:
                try:
                    found = await ask("/api/v1/query", query="min(p9_market_available) > 0 and on() count(p9_market_availability_30d_ratio) == 9")
                except (aiohttp.ClientError, ValueError, KeyError):
                    return False
                return bool(found["result"])

            while not await there():
                await asyncio.sleep(0.25)
            known = set(await ask("/api/v1/label/__name__/values"))
            dashboard = json.loads((MONITORING / "grafana.json").read_text())
            read = [rule["expr"] for rule in ALERTS] + [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
            of_a_file = {"p9_config_last_reload_successful"}  # this run has no configuration file
            missing = set().union(*map(names, read)) - known - of_a_file
            assert not missing and len(read) > 30
            for expression in read:
                assert (await ask("/api/v1/query", query=expression))["resultType"] in ("vector", "scalar"), expression
            groups = (await ask("/api/v1/rules"))["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            assert len(rules) == len(ALERTS) and {rule["health"] for rule in rules} <= {"ok", "unknown"}
            assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
        async with aiohttp.ClientSession() as session, session.get(appliance.pages.url + "/metrics") as answer:
            text = await answer.text()
        done = promtool("check", "metrics", input=text)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        process.terminate()
        await process.wait()
        await appliance.stop()
        await simulator.stop()
