// Asks for the status once per second and shows it. Text from the data only ever becomes text nodes: addresses, interface
// ids and names are chosen by whoever sends the traffic.
"use strict";

const POLL_MS = 1000;
const ASK_MS_MAX = 4000;
const SAMPLES_SHOWN = 3;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 64;

const UNITS = {
  vertical_scan: "ports",
  horizontal_scan: "hosts",
  block_scan: "services",
  rejected_surge: "records",
  data_gap: "intervals",
};
const STATES = { starting: "starting", running: "running", done: "done" };
const SEVERITIES = { informational: "info" };
const PROTOCOLS = { 6: "tcp", 17: "udp" };

const at = (id) => document.getElementById(id);
const grouped = (number) => number.toLocaleString("en-US");
const words = (name) => name.replaceAll("_", " ");
const unbroken = (text) => text.replaceAll(" ", "\u00a0");
const clock = (time) => time.slice(11, 19);

function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  let place = 0;
  while (number >= 1000 && place < units.length - 1) {
    number /= 1000;
    place += 1;
  }
  return `${place === 0 ? number : number.toPrecision(3)} ${units[place]}`;
}

function span(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Calls `draw` only when `value` differs from the last time, so that a selection in a table survives the next poll.
const drawn = new Map();
function onChange(name, value, draw) {
  const text = JSON.stringify(value);
  if (drawn.get(name) === text) return;
  drawn.set(name, text);
  draw(value);
}

function showState(state, label) {
  const pill = at("state");
  pill.dataset.state = state;
  // The same text again would be announced again.
  if (pill.textContent !== label) pill.textContent = label;
}

function counter([label, value, className]) {
  const box = element("div");
  box.append(element("dt", "", label), element("dd", className, value));
  return box;
}

function showCounters(status) {
  at("counters").replaceChildren(...[
    ["Records", grouped(status.records)],
    ["Processed per second", grouped(status.processed_per_s)],
    ["Traffic", bytes(status.bytes)],
    ["Rejected", grouped(status.rejected_records)],
    ["Refused lines", grouped(status.refused_lines)],
    ["Open findings", `${grouped(status.open_findings)} of ${grouped(status.all_findings)}`, status.open_findings > 0 ? "alarm" : ""],
    ["Entities", grouped(status.entities)],
    ["State", bytes(status.state_bytes)],
  ].map(counter));
}

function trafficText(rates, peak, state) {
  const mean = Math.round(rates.reduce((sum, rate) => sum + rate, 0) / rates.length);
  const [rate, name] = state === "running" ? [rates.at(-2) ?? rates.at(-1), "now"] : [mean, "on average"];
  return `${grouped(rate)} records/s of event time ${name}, peak ${grouped(peak)}`;
}

function showTraffic({ traffic, findings, state }) {
  if (traffic.points_max === 0) return;
  const rates = traffic.records_per_s;
  const slot = WIDTH / Math.max(traffic.points_max, 1);
  const peak = Math.max(1, ...rates);
  const bars = rates.map((rate, place) => {
    const height = (rate / peak) * (HEIGHT - 6);
    const isFilling = state === "running" && place === rates.length - 1;
    return shape("rect", {
      class: isFilling ? "bar filling" : "bar",
      x: place * slot + slot * 0.08,
      y: HEIGHT - height,
      width: slot * 0.84,
      height,
    });
  });
  const first_s = Date.parse(traffic.first) / 1000;
  const marks = findings.map((finding) => {
    const x = ((Date.parse(finding.opened) / 1000 - first_s) / traffic.point_s) * slot;
    return shape("line", { class: `mark ${finding.severity}`, x1: x, x2: x, y1: 0, y2: HEIGHT });
  });
  at("traffic").replaceChildren(...bars, ...marks);
  const summary = rates.length ? trafficText(rates, peak, state) : "records/s of event time";
  at("traffic-summary").textContent = summary;
  at("traffic").setAttribute("aria-label", summary);
  const moment = (share) => new Date((first_s + share * traffic.points_max * traffic.point_s) * 1000).toISOString().slice(11, 16);
  [["axis-first", 0], ["axis-middle", 0.5], ["axis-last", 1]].forEach(([id, share]) => { at(id).textContent = moment(share); });
}

function entityText({ src, dst, port, protocol }) {
  const isPing = protocol === 1 || protocol === 58;
  const service = isPing ? "ping" : port === undefined ? "" : `${PROTOCOLS[protocol] ?? "port"} ${port}`;
  const target = [dst, service].filter(Boolean).join(" ");
  return target ? `${src} → ${target}` : src;
}

function samples(label, list) {
  if (!list?.length) return [];
  const shown = list.slice(-SAMPLES_SHOWN).join(", ");
  return [`${label} ${shown}${list.length > SAMPLES_SHOWN ? unbroken(" …") : ""}`];
}

function evidenceText({ evidence, last_seen }) {
  const parts = [unbroken(`until ${clock(last_seen)}`), ...samples("ports", evidence.ports), ...samples("to", evidence.targets)];
  if (evidence.attempted !== undefined) {
    parts.push(unbroken(`${grouped(evidence.answered ?? 0)} of ${grouped(evidence.attempted)} answered`));
  }
  if (evidence.rejected_records !== undefined) parts.push(unbroken(`${grouped(evidence.rejected_records)} rejected`));
  if (!evidence.is_data_complete) parts.push(unbroken("data incomplete"));
  return parts.join(" · ");
}

function cell(className, content) {
  const made = element("td", className);
  made.setAttribute("role", "cell");
  made.append(content);
  return made;
}

function opened(time) {
  const made = element("time", "", clock(time));
  made.dateTime = time;
  made.title = time;
  return made;
}

function findingRow(finding) {
  const amount = finding.kind === "exfiltration" ? bytes : grouped;
  const unit = UNITS[finding.kind] ? ` ${UNITS[finding.kind]}` : "";
  const error = finding.estimate_error > 0 ? ` ± ${amount(finding.estimate_error)}` : "";
  const entity = cell("entity", element("span", "mono", entityText(finding.entity)));
  entity.append(element("span", "evidence", evidenceText(finding)));
  const estimate = cell("number estimate", `${amount(finding.estimate)}${error}${unit}`);
  estimate.append(element("span", "threshold", `threshold ${amount(finding.threshold)}`));
  const row = element("tr", finding.status === "closed" ? "closed" : "open");
  row.setAttribute("role", "row");
  row.append(
    cell("opened", opened(finding.opened)),
    cell("kind", words(finding.kind)),
    cell(`severity ${finding.severity}`, SEVERITIES[finding.severity] ?? finding.severity),
    entity,
    estimate,
    cell("number window", span(finding.window_s)),
    cell("status", finding.status === "closed" ? "closed" : "open"),
  );
  return row;
}

function showFindings({ findings, all_findings }) {
  at("findings").tBodies[0].replaceChildren(...findings.map(findingRow));
  at("findings").hidden = findings.length === 0;
  at("no-findings").hidden = findings.length > 0;
  const older = all_findings - findings.length;
  at("more-findings").hidden = older <= 0;
  at("more-findings").textContent = `and ${grouped(older)} older`;
}

function talkerRow(talker, most) {
  const row = element("li");
  const track = element("div", "track");
  const fill = element("div", "fill");
  fill.style.width = `${(100 * talker.bytes) / most}%`;
  track.append(fill);
  const amount = element("span", "number", bytes(talker.bytes));
  if (talker.bytes_error > 0) amount.title = `at most ${bytes(talker.bytes_error)} too high`;
  const name = element("span", "name", talker.address);
  name.title = talker.address;
  row.append(name, amount, track);
  return row;
}

function showTalkers(talkers) {
  const most = Math.max(1, ...talkers.map((talker) => talker.bytes));
  at("talkers").replaceChildren(...talkers.map((talker) => talkerRow(talker, most)));
  at("no-talkers").hidden = talkers.length > 0;
}

function scoreRow({ scenario, injected, found, delays_s }) {
  const row = element("tr");
  const median = delays_s[Math.floor((delays_s.length - 1) / 2)];
  row.append(
    element("td", "", words(scenario)),
    element("td", "number", grouped(injected)),
    element("td", `number ${found === injected ? "good" : "bad"}`, grouped(found)),
    element("td", "number", (found / injected).toFixed(2)),
    element("td", "number", median === undefined ? "–" : `${grouped(median)} s`),
  );
  return row;
}

function showScore(score) {
  at("score").hidden = !score;
  if (!score) return;
  const ratio = (value) => (value === null ? "–" : value.toFixed(3));
  const alarm = (count) => (count > 0 ? "bad" : "");
  at("score-totals").replaceChildren(...[
    ["Precision", ratio(score.precision)],
    ["Recall", ratio(score.recall)],
    ["False", grouped(score.false), alarm(score.false)],
    ["Missed", grouped(score.missed.length), alarm(score.missed.length)],
  ].map(counter));
  at("score-rows").replaceChildren(...score.scenarios.map(scoreRow));
}

function show(status) {
  showState(status.state, STATES[status.state] ?? status.state);
  at("note").hidden = true;
  at("title").textContent = status.title;
  at("event-time").textContent = status.event_time ? status.event_time.replace("T", " ").replace("Z", " UTC") : "–";
  document.title = status.open_findings > 0 ? `(${status.open_findings}) flowscout` : "flowscout";
  showCounters(status);
  showTraffic(status);
  const { findings, all_findings } = status;
  onChange("findings", { findings, all_findings }, showFindings);
  onChange("talkers", status.top_talkers, showTalkers);
  onChange("score", status.scorecard, showScore);
}

function showLost() {
  showState("lost", "not connected");
  at("note").textContent = "flowscout does not answer: it has ended, or is being restarted. What is shown is the last that it told. --hold keeps it up after a run.";
  at("note").hidden = false;
}

async function ask() {
  try {
    const response = await fetch("/api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(ASK_MS_MAX) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

async function poll() {
  const status = await ask();
  setTimeout(poll, POLL_MS);
  if (status) show(status);
  else showLost();
}

poll();
