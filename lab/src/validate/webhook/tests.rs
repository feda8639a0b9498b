use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// A listener that answers each request with the next status, 0 for hanging up; and the bodies it was sent.
fn listener(statuses: &'static [u16]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            send.send(format!("{}{}", head.lines().next().unwrap(), String::from_utf8(body).unwrap())).unwrap();
            if *status > 0 {
                let more = if *status == 302 { "Location: http://127.0.0.1:1/\r\n" } else { "" };
                write!(stream, "HTTP/1.1 {status} x\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            }
        }
    });
    (address, receive)
}

/// Posts to a listener with these answers: what came of it, how often it was asked, and the pauses that were made.
fn posted(statuses: &'static [u16]) -> (Result<(), Undelivered>, usize, Vec<u64>) {
    let (address, requests) = listener(statuses);
    let pauses = RefCell::new(Vec::new());
    let wait = |pause: Duration| pauses.borrow_mut().push(pause.as_secs());
    let result = Webhook::new(&address).unwrap().post(&json!({ "text": "zwei – 2" }), &PAUSES, &wait);
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(asked.iter().all(|request| request == "POST /hook?key=1 HTTP/1.1{\"text\":\"zwei – 2\"}"), "{asked:?}");
    (result, asked.len(), pauses.into_inner())
}

#[test]
fn a_message_is_sent_again_until_it_is_taken() {
    assert_eq!(posted(&[204]), (Ok(()), 1, vec![]));
    assert_eq!(posted(&[503, 0, 429, 200]).0, Ok(()));
    let (result, _, pauses) = posted(&[500, 502, 201]);
    assert_eq!((result, pauses), (Ok(()), vec![1, 2]));
}

#[test]
fn an_answer_that_will_not_change_is_the_last() {
    for (statuses, status) in [(&[404_u16][..], 404), (&[302], 302), (&[401], 401)] {
        let (result, asked, pauses) = posted(statuses);
        assert_eq!(result.unwrap_err(), Undelivered { attempts: 1, why: format!("it answered {status}") });
        assert_eq!((asked, pauses), (1, vec![]));
    }
}

#[test]
fn it_gives_up_after_five_attempts() {
    let (result, _, pauses) = posted(&[500, 500, 500, 500, 503, 200]);
    assert_eq!(result.unwrap_err(), Undelivered { attempts: 5, why: "it answered 503".to_owned() });
    assert_eq!(pauses, [1, 2, 4, 8]);
    // Nobody listens: bound, and let go.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Webhook::new(&format!("http://{free}/")).unwrap().post(&json!({}), &PAUSES, &|_| ()).unwrap_err();
    assert_eq!(error.attempts, 5);
}

#[test]
fn warnings_that_nobody_was_told_of_do_not_pass_for_warnings() {
    assert_eq!([1, 2].map(exit_undelivered), [69, 2]);
}

#[test]
fn addresses_are_of_the_web() {
    for wrong in ["", "hook", "ftp://host/", "https://", "https:///path", "https://a host/"] {
        let error = Webhook::new(wrong).unwrap_err();
        assert!(error.exit() == 64 && error.to_string().contains("expected --webhook https://HOST/PATH"), "{error}");
    }
}
