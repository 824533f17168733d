// Chart.js, loaded when the first chart is drawn: the numbers come first. Each chart has a table beside it, or its numbers in the text around it.

let loading;

function load() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "/chart.js";
    script.onload = () => {
      window.Chart.defaults.animation = false;
      window.Chart.defaults.font.family = "system-ui, sans-serif";
      done(window.Chart);
    };
    script.onerror = () => failed(new Error("the chart library is not there"));
    document.head.append(script);
  });
  return loading;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// A chart where there was one, or none, and whose canvas is still there; those whose canvas has gone go, too.
async function make(canvas, options) {
  const Chart = await load();
  for (const chart of Object.values(Chart.instances)) if (chart.canvas === canvas || !chart.canvas.isConnected) chart.destroy();
  if (canvas.isConnected) new Chart(canvas, options);
}

// series: [{label, values, colour: a custom property's name, dashed}]
export function lines(canvas, labels, series, show) {
  const ink = colour("--ink-soft"), rule = colour("--rule");
  return make(canvas, {
    type: "line",
    data: {
      labels,
      datasets: series.map((s) => ({
        label: s.label, data: s.values, borderColor: colour(s.colour), backgroundColor: colour(s.colour), borderWidth: 2,
        borderDash: s.dashed ? [5, 4] : [], pointRadius: s.dashed ? 0 : 2.5, spanGaps: false, tension: 0,
      })),
    },
    options: {
      maintainAspectRatio: false,
      plugins: {
        legend: {display: series.length > 1, labels: {color: ink, boxWidth: 14}},
        tooltip: {callbacks: {label: (item) => `${item.dataset.label}: ${show(item.parsed.y)}`}},
      },
      scales: {
        x: {ticks: {color: ink, maxRotation: 0}, grid: {display: false}},
        y: {beginAtZero: true, ticks: {color: ink, callback: show, maxTicksLimit: 5}, grid: {color: rule}},
      },
    },
  });
}

export function bars(canvas, labels, series, show) {
  const ink = colour("--ink-soft"), rule = colour("--rule");
  return make(canvas, {
    type: "bar",
    data: {labels, datasets: series.map((s) => ({label: s.label, data: s.values, backgroundColor: colour(s.colour)}))},
    options: {
      indexAxis: "y",
      maintainAspectRatio: false,
      plugins: {
        legend: {display: series.length > 1, labels: {color: ink, boxWidth: 14}},
        tooltip: {callbacks: {label: (item) => `${item.dataset.label}: ${show(item.parsed.x)}`}},
      },
      scales: {
        x: {beginAtZero: true, ticks: {color: ink, callback: show, maxTicksLimit: 6}, grid: {color: rule}},
        y: {ticks: {color: ink}, grid: {display: false}},
      },
    },
  });
}

// A line of some values without axes, for a cell of a table.
export function sparkline(canvas, values) {
  return make(canvas, {
    type: "line",
    data: {labels: values.map((_, i) => i), datasets: [{data: values, borderColor: colour("--accent"), borderWidth: 1.5, pointRadius: 0, tension: 0}]},
    options: {
      responsive: false, events: [], animation: false,
      plugins: {legend: {display: false}, tooltip: {enabled: false}},
      scales: {x: {display: false}, y: {display: false, beginAtZero: true}},
    },
  });
}
