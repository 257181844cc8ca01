//! Collections with a name on a cluster, under which every client finds them.
//!
//! It refuses to know kinds of collections. Invariant: what is published is kept until its name is taken back, whoever goes.

use partita_graph::{Code, Executor, Failure, Origin};

use super::Client;
use super::cluster::not_persisted;
use super::collection::{Collection, Published};

impl Client {
    /// Gives a frame, an array or a delayed value a name on the cluster, under which every client finds it. It is computed, unless it is
    /// persisted there, and its chunks are kept until [`Client::unpublish_dataset`], also when this client goes.
    ///
    /// # Errors
    /// The name is taken; as [`crate::DFrame::compute`].
    #[track_caller]
    pub fn publish_dataset<C: Collection>(&self, name: &str, what: &C) -> Result<(), Failure> {
        let remote = self.remote()?;
        let persisted = match what.kept() {
            Some(_) => None,
            None => Some(what.keep(self, Origin::here(&format!(".publish_dataset({name:?}, …)")))?),
        };
        let persisted = persisted.as_ref().unwrap_or(what);
        let run = persisted.kept().ok_or_else(not_persisted)?;
        let meta = postcard::to_stdvec(&persisted.published()?);
        remote.publish(name, run, meta.map_err(|e| Failure::internal(format!("a dataset's description does not encode: {e}")))?)
    }

    /// What was published under this name: `let numbers: DFrame = client.get_dataset("numbers")?;`
    ///
    /// # Errors
    /// Nothing is published under this name; it is a collection of another kind (E0109), and the message says of which.
    #[track_caller]
    pub fn get_dataset<C: Collection>(&self, name: &str) -> Result<C, Failure> {
        let origin = Origin::here(&format!(".get_dataset({name:?})"));
        let (meta, graph) = self.remote()?.dataset(name)?;
        let published: Published = postcard::from_bytes(&meta)
            .map_err(|_| Failure::new(Code::WrongProtocol, format!("the dataset {name:?} is of no kind that this version knows")))?;
        let run = Executor::submit(self, graph.clone())?;
        C::found(published, graph, run, origin)
    }

    /// All published names.
    ///
    /// # Errors
    /// The client is no cluster's; the scheduler is gone.
    pub fn list_datasets(&self) -> Result<Vec<String>, Failure> {
        self.remote()?.datasets()
    }

    /// Takes the name back; the chunks go when nobody else wants them.
    ///
    /// # Errors
    /// Nothing is published under this name.
    pub fn unpublish_dataset(&self, name: &str) -> Result<(), Failure> {
        self.remote()?.unpublish(name)
    }
}
