//! One end of a session while connections come and go under it: what the sender, the writer of the current connection and its
//! reader share.
//!
//! It refuses to open or accept connections. Invariant: only the connection whose number is current may read and write, once it
//! is attached; an older one that wakes up late finds that out and ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::BodyExt;
use partita_graph::{Code, Failure};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::frame::{self, Splitter};
use super::session::{Heard, Session};
use super::{Cut, End, Limits, LinkEvent};
use crate::message::{PeerInfo, Welcome};

/// How often a connection looks at the clock, at least.
const TICK: Duration = Duration::from_millis(250);
/// A connection that said nothing for so long says that it lives; a fourth of the silence that is borne, if that is less.
const IDLE: Duration = Duration::from_millis(2500);
/// How long a closed link waits for its last messages to be acknowledged.
const LINGER: Duration = Duration::from_secs(2);

/// One end of a session.
pub(super) struct Shared {
    peer: PeerInfo,
    pub limits: Limits,
    state: Mutex<State>,
    /// Told when everything is acknowledged, and when the link ends.
    changed: Notify,
}

struct State {
    session: Session,
    /// The number of the current connection, or of the try to make one; no two have the same.
    connection: u64,
    connected: bool,
    /// Whether there ever was a connection.
    began: bool,
    /// The writer of the current connection, when it has nothing to write.
    writer: Option<Waker>,
    wrote: Instant,
    /// Gone once `Closed` was said.
    events: Option<UnboundedSender<LinkEvent>>,
    /// When this side asked for the end.
    closing: Option<Instant>,
    /// Said before the stream ends, when this side refuses to go on.
    last_words: Option<Bytes>,
    /// Nothing more will be read or written.
    ended: bool,
    /// What a listener answered to the first hello.
    welcome: Option<Welcome>,
}

/// What became of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The session has ended.
    Ended,
    /// It broke; the session goes on.
    Broken(Cut),
    /// Another connection took over.
    Replaced,
}

impl Shared {
    pub fn new(peer: PeerInfo, limits: Limits, events: UnboundedSender<LinkEvent>) -> Self {
        let state = State {
            session: Session::new(limits.message),
            connection: 0,
            connected: false,
            began: false,
            writer: None,
            wrote: Instant::now(),
            events: Some(events),
            closing: None,
            last_words: None,
            ended: false,
            welcome: None,
        };
        Self { peer, limits, state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages were received, for a hello.
    pub fn received(&self) -> u64 {
        self.state().session.received()
    }

    pub fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// A number for a try to connect.
    pub fn begin(&self) -> u64 {
        let mut state = self.state();
        state.connection += 1;
        state.connection
    }

    pub fn set_welcome(&self, welcome: Welcome) {
        self.state().welcome = Some(welcome);
    }

    pub fn welcome(&self) -> Option<Welcome> {
        self.state().welcome.clone()
    }

    /// A new connection takes over: the try of this number, or one that was accepted. Returns its number and how many messages
    /// this side has received.
    pub fn attach(&self, begun: Option<u64>, peer_received: u64) -> Result<(u64, u64), Failure> {
        let mut state = self.state();
        if state.ended {
            return Err(forgotten());
        }
        if begun.is_some_and(|begun| begun != state.connection) {
            return Err(Failure::internal("two tries to connect at a time"));
        }
        state.session.resume(peer_received)?;
        if begun.is_none() {
            state.connection += 1;
        }
        let back = state.began && !state.connected;
        (state.connected, state.began) = (true, true);
        state.wrote = Instant::now();
        wake(&mut state);
        if back {
            tell(&mut state, LinkEvent::Back);
        }
        Ok((state.connection, state.session.received()))
    }

    /// The session ends, whatever was not sent.
    pub fn end(&self, failure: Failure) {
        let mut state = self.state();
        end(&mut state, failure);
        self.changed.notify_waiters();
    }

    /// Bytes arrived over a connection.
    fn hear(&self, connection: u64, splitter: &mut Splitter, mut chunk: Bytes, heard: &mut Vec<Heard>) -> Option<Outcome> {
        let mut state = self.state();
        if state.connection != connection {
            return Some(Outcome::Replaced);
        }
        loop {
            let frame = match splitter.next(&mut chunk).and_then(|body| body.map(frame::read).transpose()) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(failure) => return Some(refuse(&mut state, failure)),
            };
            if let frame::Frame::Refused(failure) = frame {
                end(&mut state, failure);
                return Some(Outcome::Ended);
            }
            if let Err(failure) = state.session.heard(frame, heard) {
                return Some(refuse(&mut state, failure));
            }
            for heard in heard.drain(..) {
                match heard {
                    Heard::Message(message) => tell(&mut state, LinkEvent::Message(message)),
                    Heard::Closed(reason) => {
                        let failure = Failure::new(Code::Disconnected, format!("the other side closed the link: {reason}"));
                        // The writer says the acknowledgement that the other side waits for, and ends the stream.
                        end(&mut state, failure);
                    }
                }
            }
        }
        if state.session.ack_is_due() {
            wake(&mut state);
        }
        if state.session.is_drained() {
            self.changed.notify_waiters();
        }
        let over = state.ended || (state.closing.is_some() && state.session.is_drained());
        over.then(|| {
            state.ended = true;
            wake(&mut state);
            Outcome::Ended
        })
    }

    /// Time passed: says that this side lives, and sees whether the other does.
    fn tick(&self, connection: u64, heard_at: Instant) -> Option<Outcome> {
        let mut state = self.state();
        if state.connection != connection {
            return Some(Outcome::Replaced);
        }
        if state.closing.is_some_and(|since| since.elapsed() > LINGER) {
            state.ended = true;
            wake(&mut state);
            return Some(Outcome::Ended);
        }
        if heard_at.elapsed() > self.limits.silence {
            return Some(Outcome::Broken(Cut::Silent));
        }
        if state.session.owes_ack() || state.wrote.elapsed() >= IDLE.min(self.limits.silence / 4) {
            state.session.ask_ack();
            wake(&mut state);
        }
        None
    }

    /// Reads a connection until it ends. `splitter` and `chunk` hold what came after the handshake.
    pub async fn read<B>(&self, connection: u64, mut body: B, mut splitter: Splitter, chunk: Bytes) -> Outcome
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut heard = Vec::new();
        let mut heard_at = Instant::now();
        let mut outcome = self.hear(connection, &mut splitter, chunk, &mut heard);
        let mut ticks = tokio::time::interval(TICK.min(self.limits.silence / 4).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while outcome.is_none() {
            outcome = tokio::select! {
                biased;
                frame = body.frame() => match frame {
                    Some(Ok(frame)) => {
                        heard_at = Instant::now();
                        frame.into_data().ok().and_then(|chunk| self.hear(connection, &mut splitter, chunk, &mut heard))
                    }
                    Some(Err(_)) | None => Some(Outcome::Broken(Cut::Closed)),
                },
                _ = ticks.tick() => self.tick(connection, heard_at),
            };
        }
        let outcome = outcome.expect("the loop ends with one");
        self.detach(connection, outcome)
    }

    fn detach(&self, connection: u64, outcome: Outcome) -> Outcome {
        let mut state = self.state();
        if state.connection != connection {
            return Outcome::Replaced;
        }
        let outcome = if state.ended || state.closing.is_some() { Outcome::Ended } else { outcome };
        match outcome {
            Outcome::Broken(cut) => {
                state.connected = false;
                // The writer of the broken connection must not take what the next one is to send.
                state.connection += 1;
                wake(&mut state);
                tell(&mut state, LinkEvent::Lost(cut));
            }
            Outcome::Ended => {
                state.ended = true;
                wake(&mut state);
                self.changed.notify_waiters();
            }
            Outcome::Replaced => {}
        }
        outcome
    }

    /// Waits until the link has ended or was connected again by somebody else, or `grace` is over: then it ends.
    pub async fn outlive(&self, grace: Duration) {
        let connection = self.state().connection;
        let deadline = Instant::now() + grace;
        loop {
            {
                let state = self.state();
                // It may have been connected again before this was asked, and then the number is that of the new connection.
                if state.ended || state.connected || state.connection != connection {
                    return;
                }
            }
            if Instant::now() >= deadline {
                return self.end(away(grace));
            }
            tokio::time::sleep(TICK.min(grace)).await;
        }
    }

    /// Waits until everything is acknowledged or the link has ended.
    pub async fn drained(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.ended || state.session.is_drained() {
                    return;
                }
                // The other side says what it has received when it is asked; here it is enough that it acknowledges by itself
                // within a tick.
                wake(&mut state);
            }
            let _ = tokio::time::timeout(TICK, changed).await;
        }
    }
}

impl End for Shared {
    fn send(&self, message: Bytes) {
        let mut state = self.state();
        if state.ended || state.closing.is_some() {
            return;
        }
        // What waits already, because one message may be as large as the peer accepts.
        if state.session.pending_bytes() > self.limits.pending {
            let failure = Failure::new(
                Code::Disconnected,
                format!("the other side took nothing while {} bytes for it were waiting", self.limits.pending),
            );
            end(&mut state, failure);
            return;
        }
        state.session.push(message);
        wake(&mut state);
    }

    fn close(&self, reason: &str) {
        let mut state = self.state();
        if state.ended || state.closing.is_some() {
            return;
        }
        state.session.push_close(reason);
        state.closing = Some(Instant::now());
        let failure = Failure::new(Code::Disconnected, format!("this side closed the link: {reason}"));
        tell(&mut state, LinkEvent::Closed(failure));
        state.events = None;
        if !state.connected {
            state.ended = true;
        }
        wake(&mut state);
    }

    fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    fn pending_bytes(&self) -> u64 {
        self.state().session.pending_bytes()
    }

    fn is_listening(&self) -> bool {
        let state = self.state();
        state.connected && !state.ended
    }

    fn drained(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.drained())
    }
}

/// What a peer hears whose session is not there.
pub(super) fn forgotten() -> Failure {
    Failure::new(
        Code::Disconnected,
        "the scheduler does not know this session any more: it was started again, or the link was down for too long",
    )
}

fn away(grace: Duration) -> Failure {
    Failure::new(Code::Disconnected, format!("the connection broke and was not restored within {grace:?}"))
}

fn wake(state: &mut State) {
    if let Some(writer) = state.writer.take() {
        writer.wake();
    }
}

fn tell(state: &mut State, event: LinkEvent) {
    if let Some(events) = &state.events
        && events.send(event).is_err()
    {
        // Nobody listens any more, so the other side need not send.
        state.events = None;
        state.session.push_close("nobody listens at the other side any more");
        state.closing = Some(Instant::now());
        wake(state);
    }
}

fn end(state: &mut State, failure: Failure) {
    tell(state, LinkEvent::Closed(failure));
    state.events = None;
    state.ended = true;
    wake(state);
}

/// The peer broke the protocol: it is told, and the link ends.
fn refuse(state: &mut State, failure: Failure) -> Outcome {
    state.last_words = Some(frame::refused(&failure));
    end(state, failure);
    Outcome::Ended
}

/// What one connection sends: a body that takes its bytes straight from the session when the connection has room for them.
pub(super) struct Outgoing {
    shared: Arc<Shared>,
    connection: u64,
    ready: VecDeque<Bytes>,
    scratch: BytesMut,
    done: bool,
}

impl Outgoing {
    /// For the connection of this number, after these first bytes.
    pub fn new(shared: Arc<Shared>, connection: u64, first: Bytes) -> Self {
        Self { shared, connection, ready: VecDeque::from([first]), scratch: BytesMut::new(), done: false }
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Some(bytes));
        }
        if self.done {
            return Poll::Ready(None);
        }
        let mut state = self.shared.state();
        if state.connection > self.connection {
            self.done = true;
            return Poll::Ready(None);
        }
        // Before its connection is attached, a caller's body has said hello and waits for the welcome.
        if state.connected {
            state.session.write(&mut self.scratch, &mut self.ready);
            if state.ended {
                self.ready.extend(state.last_words.take());
                self.done = true;
            }
        }
        match self.ready.pop_front() {
            Some(bytes) => {
                state.wrote = Instant::now();
                Poll::Ready(Some(bytes))
            }
            None if self.done => Poll::Ready(None),
            None => {
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        self.next(cx).map(|bytes| bytes.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}
