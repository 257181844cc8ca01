//! What the HTTP pages of a scheduler show.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use partita_core::scheduler::{LayerView, RunView};
use partita_dashboard::Source;
use partita_net::message::WorkerInfo;
use partita_net::scheduler::{ClusterView, Server};
use serde_json::{Value, json};

use super::ask::{info_json, parse_key};

/// A scheduler in this process.
pub struct Show {
    server: Arc<Server>,
}

/// What is counted, and what is shown, of a worker.
type Test = fn(&WorkerInfo) -> bool;
type Figure = fn(&WorkerInfo) -> u64;

impl Show {
    /// Of this scheduler.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server }
    }
}

impl Source for Show {
    fn view(&self) -> Value {
        let view = self.server.snapshot();
        let mut shown = info_json(&view.info);
        shown["tasks"] =
            tasks(&view).into_iter().map(|(state, count)| (state.to_string(), count.into())).collect::<serde_json::Map<_, _>>().into();
        let names: BTreeMap<u64, &str> = view.info.clients.iter().map(|client| (client.id, client.name.as_str())).collect();
        let run = |run: &RunView| {
            let client = names.get(&run.client.0).copied().unwrap_or_default();
            json!({
                "run": run.id.0, "client": client, "unstored": run.unstored, "failed": run.failed, "failed_keys": run.failed_keys,
            })
        };
        shown["runs"] = view.machine.runs.iter().map(run).collect();
        let layer = |layer: &LayerView| {
            json!({
                "layer": layer.name, "key": layer.id.to_string(), "tasks": layer.len, "waiting": layer.waiting, "ready": layer.ready,
                "assigned": layer.assigned, "stored": layer.stored, "bytes": layer.bytes,
            })
        };
        shown["layers"] = view.machine.layers.iter().map(layer).collect();
        shown["datasets"] = view.datasets.iter().cloned().collect();
        shown["events"] = view.events.iter().rev().map(|entry| serde_json::to_value(entry).unwrap_or_default()).collect();
        shown
    }

    fn story(&self, key: &str) -> Option<Value> {
        told(key, self.server.story(parse_key(key).ok()?))
    }

    fn explain(&self, key: &str) -> Option<Value> {
        told(key, self.server.explain_wait(parse_key(key).ok()?))
    }

    fn metrics(&self) -> String {
        let view = self.server.snapshot();
        // A text grows; nothing can fail.
        let mut out = String::new();
        gauge(&mut out, "partita_uptime_seconds", "time since the scheduler started", [("".into(), view.info.uptime / 1_000_000)]);
        gauge(&mut out, "partita_clients", "connected clients", [("".into(), view.info.clients.len() as u64)]);
        gauge(&mut out, "partita_runs", "live runs", [("".into(), view.machine.runs.len() as u64)]);
        gauge(
            &mut out,
            "partita_tasks",
            "tasks of live runs by state",
            tasks(&view).map(|(state, count)| (format!("{{state=\"{state}\"}}"), count)),
        );
        let count = |which: fn(&WorkerInfo) -> bool| view.info.workers.iter().filter(|worker| which(worker)).count() as u64;
        let states: [(&str, Test); 4] =
            [("connected", |w| w.connected), ("lost", |w| !w.connected), ("paused", |w| w.paused), ("retiring", |w| w.retiring)];
        let states = states.map(|(state, which)| (format!("{{state=\"{state}\"}}"), count(which)));
        gauge(&mut out, "partita_workers", "workers by state", states);
        let figures: [(&str, &str, Figure); 6] = [
            ("partita_worker_threads", "tasks at a time", |w| u64::from(w.about.threads)),
            ("partita_worker_assigned", "tasks given to the worker", |w| u64::from(w.assigned)),
            ("partita_worker_managed_bytes", "chunks in memory", |w| w.managed),
            ("partita_worker_spilled_bytes", "chunks on disk", |w| w.spilled),
            ("partita_worker_resident_bytes", "resident memory of the process", |w| w.rss),
            ("partita_worker_limit_bytes", "memory limit, 0 for none", |w| w.about.memory_limit),
        ];
        for (name, help, figure) in figures {
            gauge(
                &mut out,
                name,
                help,
                view.info.workers.iter().map(|worker| (format!("{{worker={}}}", label(&worker.about.name)), figure(worker))),
            );
        }
        out
    }
}

fn told(key: &str, lines: Vec<String>) -> Option<Value> {
    (!lines.is_empty()).then(|| json!({ "key": key, "lines": lines }))
}

/// Tasks of live runs by state.
fn tasks(view: &ClusterView) -> [(&'static str, u64); 4] {
    let sum = |count: fn(&LayerView) -> u64| view.machine.layers.iter().map(count).sum();
    [("waiting", sum(|l| l.waiting)), ("ready", sum(|l| l.ready)), ("assigned", sum(|l| l.assigned)), ("stored", sum(|l| l.stored))]
}

fn gauge(out: &mut String, name: &str, help: &str, samples: impl IntoIterator<Item = (String, u64)>) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in samples {
        let _ = writeln!(out, "{name}{labels} {value}");
    }
}

/// A label's value in quotes. Names come from other processes.
fn label(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(label("a\"} 1\nx \\"), "\"a\\\"} 1\\nx \\\\\"");
    }
}
