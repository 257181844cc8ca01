//! A graph: layers in an order in which they can run, and the chunks that somebody wants.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Failure, Key, Layer, LayerId};

/// Layers, each after the layers that it reads, and the wanted keys.
#[derive(Clone, Default)]
pub struct Graph {
    /// Producers before consumers. Layers may be pushed here directly; who takes some out or puts them in another order makes
    /// a new graph with [`Graph::new`].
    pub layers: Vec<Arc<Layer>>,
    /// What the caller gets, in this order.
    pub wanted: Vec<Key>,
    /// Places of the first layers by id: looking through all of them would make a graph of many layers cost the square of
    /// their number.
    places: BTreeMap<LayerId, usize>,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("layers", &self.layers).field("wanted", &self.wanted).finish()
    }
}

impl Graph {
    /// A graph of these layers, producers before consumers.
    pub fn new(layers: Vec<Arc<Layer>>, wanted: Vec<Key>) -> Self {
        let mut graph = Self { layers, wanted, places: BTreeMap::new() };
        graph.index();
        graph
    }

    /// Enters the layers that were pushed since the last time.
    fn index(&mut self) {
        for at in self.places.len()..self.layers.len() {
            let id = self.layers[at].id;
            if self.places.contains_key(&id) {
                // The same layer twice: what comes after it is looked for one by one, and `validate` refuses the graph.
                break;
            }
            self.places.insert(id, at);
        }
    }

    /// Adds a layer unless the same work is there already, and returns its id.
    pub fn add(&mut self, layer: Layer) -> LayerId {
        let id = layer.id;
        self.add_shared(Arc::new(layer));
        id
    }

    /// The same for a layer that is shared.
    pub fn add_shared(&mut self, layer: Arc<Layer>) {
        self.index();
        if self.get(layer.id).is_none() {
            self.layers.push(layer);
        }
    }

    /// Wants all chunks of a layer that was added.
    pub fn want_all(&mut self, id: LayerId) {
        let len = self.get(id).map_or(0, |layer| layer.len);
        self.wanted.extend((0..len).map(|index| Key::new(id, index)));
    }

    /// The layer of this id.
    pub fn get(&self, id: LayerId) -> Option<&Arc<Layer>> {
        let known = self.places.get(&id).and_then(|at| self.layers.get(*at));
        let is_it = |layer: &&Arc<Layer>| layer.id == id;
        known.filter(is_it).or_else(|| self.layers.iter().skip(self.places.len()).find(is_it))
    }

    /// All tasks of all layers.
    pub fn tasks(&self) -> u64 {
        self.layers.iter().map(|layer| u64::from(layer.len)).sum()
    }

    /// The tasks that a wanted one needs, wanted ones included, each with the number of times that it is read or wanted.
    /// The graph must be valid.
    pub(crate) fn needed(&self) -> BTreeMap<Key, u64> {
        let lens: BTreeMap<LayerId, u32> = self.layers.iter().map(|layer| (layer.id, layer.len)).collect();
        let mut uses: BTreeMap<Key, u64> = BTreeMap::new();
        for key in &self.wanted {
            *uses.entry(*key).or_default() += 1;
        }
        for layer in self.layers.iter().rev() {
            let all = Key::new(layer.id, 0)..Key::new(layer.id, layer.len);
            let tasks: Vec<u32> = uses.range(all).map(|(key, _)| key.index).collect();
            for edge in &layer.edges {
                for &task in &tasks {
                    for index in edge.wiring.inputs(task, lens[&edge.layer]).iter() {
                        *uses.entry(Key::new(edge.layer, index)).or_default() += 1;
                    }
                }
            }
        }
        uses
    }

    /// Whether producers come first, each once, kernels can run, wiring fits and wanted keys exist. A graph that fails this is refused at submit.
    pub fn validate(&self) -> Result<(), Failure> {
        let mut lens: BTreeMap<LayerId, u32> = BTreeMap::new();
        for layer in &self.layers {
            for edge in &layer.edges {
                let Some(&producer_len) = lens.get(&edge.layer) else {
                    return Err(Failure::internal(format!("layer `{}` reads a layer that does not come before it", layer.name)));
                };
                if !edge.wiring.fits(layer.len, producer_len) {
                    let rule = edge.wiring.name();
                    return Err(Failure::internal(format!(
                        "layer `{}`: `{rule}` does not fit {producer_len} chunks and {} tasks",
                        layer.name, layer.len
                    )));
                }
            }
            if layer.args.iter().any(|column| column.len() != layer.len as usize) {
                return Err(Failure::internal(format!("layer `{}` has another number of arguments than of tasks", layer.name)));
            }
            if layer.known {
                if !(layer.kernel.steps.is_empty() && layer.args.is_empty() && layer.edges.is_empty()) {
                    return Err(Failure::internal(format!(
                        "layer `{}` stands for one of an earlier run and has work of its own",
                        layer.name
                    )));
                }
            } else if let Some(fault) = layer.kernel.fault(layer.edges.len(), layer.args.len()) {
                return Err(Failure::internal(format!("the kernel of layer `{}` cannot run: {fault}", layer.name)));
            }
            if lens.insert(layer.id, layer.len).is_some() {
                return Err(Failure::internal(format!("layer `{}` is in the graph twice", layer.name)));
            }
        }
        match self.wanted.iter().find(|key| lens.get(&key.layer).is_none_or(|len| key.index >= *len)) {
            Some(key) => Err(Failure::internal(format!("{key} is wanted but not in the graph"))),
            None => Ok(()),
        }
    }
}
