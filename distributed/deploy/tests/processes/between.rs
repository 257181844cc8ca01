//! A worker whose way to the scheduler is interrupted while its process lives: it is not hung, and nobody is to blame.
//!
//! It refuses to wait for luck: what must have been noticed is asked of the scheduler.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partita_deploy::{Crew, LocalOptions, NannyOptions, Status, WorkerSpec};
use partita_graph::Executor;

use crate::Test;
use crate::operators::Deed;
use crate::scenarios::{Scene, patient};
use crate::watch::until;

pub const TESTS: &[Test] = &[
    ("link_that_is_silent_for_less_than_the_ttl_costs_nothing", silent_link),
    ("link_that_is_silent_for_longer_is_given_up_once", given_up),
];

/// What a link goes through. While it is shut nothing passes in either direction, and nobody is told of it.
struct Way {
    port: u16,
    shut: Arc<AtomicBool>,
}

impl Way {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("it is bound").port();
        let shut = Arc::new(AtomicBool::new(false));
        let gate = shut.clone();
        std::thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                let Ok(callee) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                pass(&caller, &callee, &gate);
                pass(&callee, &caller, &gate);
            }
        });
        Self { port: own, shut }
    }

    fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }
}

/// One direction of a connection.
fn pass(from: &TcpStream, to: &TcpStream, gate: &Arc<AtomicBool>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    let gate = gate.clone();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let got = from.read(&mut buffer).unwrap_or(0);
            // An end does not pass a gate that is shut either.
            while gate.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if got == 0 || to.write_all(&buffer[..got]).is_err() {
                break;
            }
        }
        // One that is closed already needs no closing.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

/// A cluster whose only worker, with its nanny, reaches the scheduler by a [`Way`]. No death of a worker is forgiven.
struct Far {
    crew: Crew,
    way: Way,
    scene: Scene,
}

impl Far {
    fn new(change: impl FnOnce(&mut LocalOptions)) -> Self {
        let scene = Scene::new(0, |options| {
            patient(options, 0);
            change(options);
        });
        let mut address = scene.cluster.scheduler().client_address();
        let way = Way::to(address.port);
        address.port = way.port;
        let mut spec = WorkerSpec::new(address.to_string());
        spec.name = "far".into();
        spec.folder = Some(scene.place.spill());
        spec.stop_timeout = Duration::from_secs(2);
        let mut options = NannyOptions::new(spec, Arc::new(|| Command::new(std::env::current_exe().expect("this program has a file"))));
        // Much less than a link is silent here before anybody notices.
        options.rules.hang = Some(Duration::from_secs(3));
        let crew = Crew::new().expect("a thread");
        crew.hire(options);
        assert!(crew.wait(Duration::from_secs(15), |all| all[0].joined), "{:?}", crew.status());
        Self { crew, way, scene }
    }

    fn status(&self) -> Status {
        self.crew.status()[0].clone()
    }

    /// Whether the scheduler hears the worker; `None` when it knows of none.
    fn heard(&self) -> Option<bool> {
        self.scene.client.info().expect("the scheduler answers").workers.first().map(|worker| worker.connected)
    }
}

fn silent_link() {
    let far = Far::new(|_| {});
    let before = far.status();
    let run = far.scene.client.submit(far.scene.graph([far.scene.layer("steady", 20, Deed::Wait(100))])).expect("it is accepted");
    until("some have run", 10, || far.scene.ran("steady").len() >= 3);
    far.way.shut(true);
    until("the scheduler hears nothing of it", 25, || far.heard() == Some(false));
    far.way.shut(false);
    assert_eq!(run.wait().expect("nothing was wrong but the way").len(), 20);
    assert_eq!(far.scene.ran("steady").len(), 20, "nothing ran again");
    let after = far.status();
    assert_eq!((after.pid, after.starts, after.died), (before.pid, 1, None));
    assert_eq!(far.heard(), Some(true));
}

fn given_up() {
    let far = Far::new(|options| options.scheduler.worker_ttl = Duration::from_millis(300));
    let run = far.scene.client.submit(far.scene.graph([far.scene.layer("steady", 10, Deed::Wait(100))])).expect("it is accepted");
    until("some have run", 10, || far.scene.ran("steady").len() >= 3);
    far.way.shut(true);
    until("the scheduler has given it up", 25, || far.heard().is_none());
    far.way.shut(false);
    assert_eq!(run.wait().expect("nobody is blamed").len(), 10);
    let events = far.scene.cluster.scheduler().snapshot().events;
    let gone: Vec<String> = events.into_iter().map(|event| event.what).filter(|what| what.starts_with("worker far is gone")).collect();
    assert_eq!(gone, ["worker far is gone: nothing was heard of it for too long"]);
    let after = far.status();
    assert_eq!(after.starts, 2, "the old process learned that it does not count any more, and ended");
    assert!(after.died.as_deref().is_some_and(|why| why.contains("it lost its scheduler")), "{after:?}");
}
