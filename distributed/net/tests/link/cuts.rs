//! Links over connections that are cut, frozen and refused.
//!
//! It refuses to sleep for luck: it waits for events, and each test says what must come.

use std::time::Duration;

use bytes::Bytes;
use partita_graph::Code;
use partita_net::link::{Cut, LinkEvent, connect, connect_with, frame};
use partita_net::security::{Role, ServerSecurity};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::port::{Port, Proxy, at, client, next, quick, raw_session};

fn numbered(number: u32, size: usize) -> Bytes {
    let mut bytes = vec![number as u8; size.max(4)];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

/// Receives `count` numbered messages in order; returns how often the link was lost and came back.
async fn receive(mut events: UnboundedReceiver<LinkEvent>, count: u32) -> (u32, u32) {
    let (mut expected, mut lost, mut back) = (0, 0, 0);
    while expected < count {
        match next(&mut events).await {
            LinkEvent::Message(message) => {
                assert_eq!(message[..4], expected.to_le_bytes(), "in order, each once");
                assert!(message[4..].iter().all(|byte| *byte == expected as u8), "unharmed");
                expected += 1;
            }
            LinkEvent::Lost(_) => lost += 1,
            LinkEvent::Back => back += 1,
            LinkEvent::Closed(failure) => panic!("closed: {failure}"),
        }
    }
    (lost, back)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_once_and_in_order_however_often_the_connection_is_cut() {
    for security in [ServerSecurity::plain(None), ServerSecurity::new_cluster(None).unwrap()] {
        let mut port = Port::bind(security.clone()).await;
        let proxy = Proxy::to(port.number()).await;
        let client_security = security.issue(Role::Client).unwrap();
        let (link, events, _) = connect_with(&at(&security, proxy.port), &client_security, client(), quick()).await.unwrap();
        let accepted = port.accepted.recv().await.unwrap();
        const COUNT: u32 = 600;
        let there = tokio::spawn(receive(accepted.events, COUNT));
        let here = tokio::spawn(receive(events, COUNT));
        for number in 0..COUNT {
            // Some are longer than a frame.
            let size = if number % 50 == 0 { 3 << 20 } else { 10 + number as usize * 7 };
            link.send(numbered(number, size));
            accepted.link.send(numbered(number, size));
            if number % 40 == 13 {
                tokio::time::sleep(Duration::from_millis(15)).await;
                proxy.cut();
            }
        }
        let (lost, _) = there.await.unwrap();
        here.await.unwrap();
        assert!(lost > 0, "the connection was cut while messages were under way");
        link.drained().await;
        accepted.link.drained().await;
        assert_eq!((link.pending_bytes(), accepted.link.pending_bytes()), (0, 0));
    }
}

#[tokio::test]
async fn a_frozen_connection_is_noticed_and_replaced() {
    let mut port = Port::bind(ServerSecurity::plain(None)).await;
    let proxy = Proxy::to(port.number()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (link, mut events, _) = connect_with(&at(&port.security, proxy.port), &security, client(), quick()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    proxy.freeze(true);
    assert_eq!(next(&mut events).await, LinkEvent::Lost(Cut::Silent));
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Lost(Cut::Silent));
    link.send(Bytes::from_static(b"meanwhile"));
    proxy.freeze(false);
    assert_eq!(next(&mut events).await, LinkEvent::Back);
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Back);
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Message(Bytes::from_static(b"meanwhile")));
}

#[tokio::test]
async fn a_cut_is_told_from_silence_and_an_idle_link_stays() {
    let mut port = Port::bind(ServerSecurity::plain(None)).await;
    let proxy = Proxy::to(port.number()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (_link, mut events, welcome) = connect_with(&at(&port.security, proxy.port), &security, client(), quick()).await.unwrap();
    assert_eq!((welcome.epoch, welcome.id), (7, 1));
    let mut accepted = port.accepted.recv().await.unwrap();
    // Longer than silence is borne: what is idle says that it lives.
    let quiet = tokio::time::timeout(2 * quick().silence, events.recv()).await;
    assert!(quiet.is_err(), "an idle link says nothing: {quiet:?}");
    proxy.cut();
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Lost(Cut::Closed));
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Back);
}

#[tokio::test]
async fn an_end_is_said_after_all_messages_on_both_sides() {
    let mut port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (link, mut events, _) = connect(&port.address(), &security, client()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    link.send(Bytes::from_static(b"last"));
    link.close("enough");
    link.send(Bytes::from_static(b"too late"));
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Message(Bytes::from_static(b"last")));
    for (events, side) in [(&mut accepted.events, "the other side"), (&mut events, "this side")] {
        let LinkEvent::Closed(failure) = next(events).await else { panic!("no end") };
        assert_eq!((failure.code, &*failure.what), (Code::Disconnected, &*format!("{side} closed the link: enough")));
        assert!(events.recv().await.is_none(), "nothing comes after the end");
    }
    link.drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_that_close_at_once_end_it_once() {
    let mut port = Port::bind(ServerSecurity::plain(None)).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (link, mut events, _) = connect(&port.address(), &security, client()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    link.send(Bytes::from_static(b"last"));
    let together = std::sync::Barrier::new(5);
    std::thread::scope(|scope| {
        for number in 0..5 {
            let (link, together) = (&link, &together);
            scope.spawn(move || {
                together.wait();
                link.close(&format!("by number {number}"));
            });
        }
    });
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Message(Bytes::from_static(b"last")));
    let mut reasons = Vec::new();
    for (events, side) in [(&mut events, "this side closed the link: "), (&mut accepted.events, "the other side closed the link: ")] {
        let LinkEvent::Closed(failure) = next(events).await else { panic!("no end") };
        reasons.push(failure.what.strip_prefix(side).expect("who closed it").to_owned());
        assert!(events.recv().await.is_none(), "one end, and nothing after it");
    }
    assert!(reasons[0] == reasons[1] && reasons[0].starts_with("by number"), "both hear of the same one: {reasons:?}");
    link.drained().await;
}

#[tokio::test]
async fn a_link_without_a_connection_ends_when_its_grace_is_over() {
    let mut limits = quick();
    limits.grace = Duration::from_millis(300);
    let mut port = Port::bind_with(ServerSecurity::plain(None), limits.clone()).await;
    let proxy = Proxy::to(port.number()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (_link, mut events, _) = connect_with(&at(&port.security, proxy.port), &security, client(), limits).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    assert!(accepted.link.is_listening());
    proxy.freeze(true);
    accepted.link.send(numbered(0, 10));
    for events in [&mut events, &mut accepted.events] {
        assert_eq!(next(events).await, LinkEvent::Lost(Cut::Silent));
        let LinkEvent::Closed(failure) = next(events).await else { panic!("no end") };
        assert_eq!(failure.code, Code::Disconnected);
        assert!(failure.what.contains("not restored within 300ms"), "{failure}");
    }
    // Nobody hears what is held for a peer that is away: whoever ends does not wait for it.
    assert!(accepted.link.pending_bytes() > 0 && !accepted.link.is_listening());
}

#[tokio::test]
async fn a_listener_that_closes_says_so() {
    let port = Port::bind(ServerSecurity::plain(None)).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (_link, mut events, _) = connect(&port.address(), &security, client()).await.unwrap();
    port.listener.close().await;
    let LinkEvent::Closed(failure) = next(&mut events).await else { panic!("no end") };
    assert!(failure.what.contains("the listener was closed"), "{failure}");
}

#[tokio::test]
async fn a_session_that_is_not_known_any_more_ends_for_good() {
    let port = Port::bind(ServerSecurity::plain(None)).await;
    let proxy = Proxy::to(port.number()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (_link, mut events, _) = connect_with(&at(&port.security, proxy.port), &security, client(), quick()).await.unwrap();
    // What a scheduler knows that was started again: nothing.
    let mut hello = client();
    (hello.session, hello.resume) = (12345, true);
    let answer = raw_session(port.number(), &security, vec![frame::hello(&hello)]).await;
    let failure = frame::read_welcome(&answer[frame::PREFIX..]).unwrap_err();
    assert_eq!(failure.code, Code::Disconnected, "{failure}");
    assert!(failure.what.contains("does not know this session"), "{failure}");
    proxy.cut();
    assert!(matches!(next(&mut events).await, LinkEvent::Lost(_)));
    assert_eq!(next(&mut events).await, LinkEvent::Back);
}

#[tokio::test]
async fn a_session_is_not_given_to_somebody_else() {
    let mut port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let owner = port.security.issue(Role::Client).unwrap();
    let (link, _events, _) = connect(&port.address(), &owner, client()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    let mut hello = client();
    (hello.session, hello.resume) = (accepted.hello.session, true);
    let other = port.security.issue(Role::Client).unwrap();
    let answer = raw_session(port.number(), &other, vec![frame::hello(&hello)]).await;
    let failure = frame::read_welcome(&answer[frame::PREFIX..]).unwrap_err();
    assert_eq!((failure.code, &*failure.what), (Code::NotTrusted, "the session belongs to somebody else"));
    link.send(Bytes::from_static(b"still mine"));
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Message(Bytes::from_static(b"still mine")));
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_link_and_is_named() {
    let mut limits = quick();
    (limits.message, limits.client_message) = (1 << 20, 2 << 20);
    let mut port = Port::bind_with(ServerSecurity::plain(None), limits).await;
    let security = port.security.issue(Role::Client).unwrap();
    let (link, mut events, _) = connect(&port.address(), &security, client()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    link.send(vec![1; 2 << 20].into());
    assert!(matches!(next(&mut accepted.events).await, LinkEvent::Message(message) if message.len() == 2 << 20));
    link.send(vec![1; (2 << 20) + 1].into());
    for events in [&mut accepted.events, &mut events] {
        let LinkEvent::Closed(failure) = next(events).await else { panic!("no end") };
        assert_eq!(failure.code, Code::TooLarge);
        assert!(failure.what.contains("2097152 bytes"), "{failure}");
    }
}
