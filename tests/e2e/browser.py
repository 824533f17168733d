"""A real browser: Debian's chromium, driven by selenium, without a screen."""
import collections
import contextlib
import json
import os

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from daemon import until

SIZES = {"phone": (390, 844), "laptop": (1366, 768), "television": (1920, 1080)}


class Browser:
    def __init__(self, size="laptop", dark=False, trace=None):
        """trace: a file into which the browser writes, when it ends, what became of each frame, as its developer tools show it."""
        self.trace = trace
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-background-networking", "--window-size=1920,1280"):
            options.add_argument(argument)
        if trace:
            for argument in ("=disabled-by-default-devtools.timeline.frame,blink.user_timing", f"-file={trace}", "-format=json", "-duration=0"):
                options.add_argument(f"--trace-startup{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.resize(size)
        if dark:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})

    def resize(self, size):
        width, height = SIZES[size]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"})

    def open(self, gateway, where=""):
        self.driver.get(f"http://127.0.0.1:{gateway.port}/{where}")

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector="main"):
        """What is read there; "" when it is not there (any more)."""
        return self.driver.execute_script("const e = document.querySelector(arguments[0]); return e && e.checkVisibility() ? e.innerText : ''", selector)

    def see(self, words, selector="main"):
        return until(lambda: words in self.text(selector), f"{words!r} in {selector}: {self.text(selector)!r}")

    def click(self, selector):
        until(lambda: self.driver.execute_script("const e = document.querySelector(arguments[0]); if (e) e.click(); return !!e", selector), selector)

    def type(self, selector, words):
        until(lambda: self.all(selector), selector)
        self.all(selector)[0].send_keys(words)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def faults(self):
        """What the console says: faults of scripts, and what the policy refused. A request that was answered by a refusal is none."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and "Failed to load resource" not in entry["message"]]

    def judge(self, axe):
        """What axe-core finds: [rule, impact, where]."""
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
        return json.loads(self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document).then((r) => done(JSON.stringify(r.violations.map((v) => [v.id, v.impact, v.nodes.map((n) => n.html).slice(0, 3)]))))"))

    def save(self, name):
        folder = os.environ.get("KPID_PICTURES")
        if folder:
            os.makedirs(folder, exist_ok=True)
            self.driver.save_screenshot(f"{folder}/{name}.png")

    def traced(self):
        with contextlib.suppress(FileNotFoundError, ValueError), open(self.trace) as f:
            return json.load(f)["traceEvents"]

    def frames(self, begun, ended):
        """Closes the browser; of its trace, what became of each frame between two performance.mark()s: {"shown": how many, "dropped": ..., "idle": ...}.
        A frame may be reported twice, as what the compositor has and as what the page adds; it is dropped when neither is shown."""
        self.driver.execute_cdp_cmd("Browser.close", {})
        events = until(self.traced, "the trace is written")
        marks = {e["name"]: e for e in events if e["name"] in (begun, ended)}
        states = collections.defaultdict(set)
        for e in events:
            if e["name"] == "PipelineReporter" and e["ph"] == "b" and e["pid"] == marks[begun]["pid"] and marks[begun]["ts"] <= e["ts"] <= marks[ended]["ts"]:
                reporter = e["args"]["frame_reporter"]
                states[reporter["layer_tree_host_id"], reporter["frame_sequence"]].add(reporter["state"])
        return collections.Counter("shown" if any(s.startswith("STATE_PRESENTED") for s in found) else "dropped" if "STATE_DROPPED" in found else "idle"
                                   for found in states.values())

    def close(self):
        self.driver.quit()
