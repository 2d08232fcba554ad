// SPDX-License-Identifier: Apache-2.0

//! What a service manager sees: started, alive, stopping; and whoever asks from a shell.

use std::process::Output;

use tokio::net::UnixDatagram;

use crate::real::{ANY_PORT, PATIENCE, Place};

/// The next thing that the manager is told, once signs of life are left out.
async fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0_u8; 200];
    loop {
        let received = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await;
        let length = received.expect("the manager is told something").expect("the socket can be read");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text != "WATCHDOG=1\n" {
            return text;
        }
    }
}

#[tokio::test]
async fn the_manager_is_told_when_it_has_started_that_it_lives_and_when_it_stops() {
    let place = Place::with_example(|_, text| text);
    let address = place.path().join("manager.sock");
    let socket = UnixDatagram::bind(&address).expect("a socket of our own");
    let address = address.to_str().expect("a path in plain letters");
    let bridge = place.serve_with(ANY_PORT, &[("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", "200000")]).await;
    assert_eq!(told(&socket).await, "READY=1\n");
    let mut buffer = [0_u8; 200];
    let sign = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let length = sign.expect("a sign of life").expect("the socket can be read");
    assert_eq!(&buffer[..length], b"WATCHDOG=1\n");

    let listen = bridge.address.to_string();
    for question in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let answer = asked(&place, question, &listen).await;
        assert!(answer.status.success(), "{answer:?}");
    }
    let (_, stopped) = tokio::join!(async { assert_eq!(told(&socket).await, "STOPPING=1\n") }, bridge.terminate());
    assert!(stopped.success(), "{}", place.log());
    let answer = asked(&place, &["healthcheck"], &listen).await;
    assert_eq!(answer.status.code(), Some(1), "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.stderr).contains("does not answer"), "{answer:?}");
}

async fn asked(place: &Place, question: &[&str], listen: &str) -> Output {
    let ended =
        tokio::time::timeout(PATIENCE, place.command(question).env("TICKETBRIDGE_LISTEN", listen).output()).await;
    ended.expect("the program ends in time").expect("the program can be started")
}
